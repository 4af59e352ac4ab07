import type { Context } from 'aws-lambda';
import { Failure, OTHERS_LEASE } from '../../../functions/broker/failure.ts';
import type { Scope } from '../../../functions/contract/functions.ts';
import { PROBLEMS, type ProblemCode } from '../../../functions/contract/problems.ts';
import { json } from '../../../functions/http/answer.ts';
import { httpEntry, type HttpRequest, type Route, type Served } from '../../../functions/http/http-entry.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { CLAIMS, httpEvent, identify, jwtOf, lambdaContext, type EventOptions } from '../../support/http-event.ts';
import { schemaAt } from '../../support/openapi.ts';
import { recordTelemetry } from '../../support/telemetry-record.ts';

async function invoke(
  answer: Route['answer'],
  options: EventOptions & { scope?: Scope; ready?: () => Promise<never>; context?: Context } = {},
) {
  const record = recordTelemetry();
  const clock = makeFakeClock();
  const asked: Parameters<Served['identify']>[] = [];
  const { scope = 'token' } = options;
  const recorded: Served['identify'] = (...call) => {
    asked.push(call);
    return identify(...call);
  };
  const ready = options.ready ?? (async () => ({ identify: recorded, route: { scopes: [scope], answer } }));
  const handler = httpEntry({ name: 'gettoken', telemetry: record.telemetry, clock }, ready);
  const result = await handler(httpEvent(options), options.context ?? lambdaContext());
  const body = JSON.parse(result.body ?? '') as Record<string, unknown>;
  return { ...record, asked, result, body };
}

const fine = async () => json(200, { fine: true });
const failing = (error: unknown) => async () => {
  throw error;
};
const ALWAYS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-correlation-id': 'request-1',
};

describe('the edge', () => {
  test('hands the verified caller and a deadline to the route', async () => {
    const seen: HttpRequest[] = [];
    await invoke(
      async (request) => {
        seen.push(request);
        return fine();
      },
      { context: lambdaContext(20_000) },
    );
    expect(seen[0]).toMatchObject({ caller: { subject: CLAIMS.sub }, deadline: START + 20_000 - 750 });
  });

  test.each([
    ['POST /gettoken', undefined],
    ['POST /i/partner/gettoken', 'partner'],
    ['GET /i/partner-2/sessioninfo', 'partner-2'],
    ['$default', undefined],
    ['POST /i%2Fpartner/gettoken', undefined],
    ['POST /I/partner/gettoken', undefined],
    // No issuer has these names: identity refuses them.
    ['POST /i//gettoken', ''],
    ['POST /i', ''],
    ['POST /i/Partner/gettoken', 'Partner'],
  ])('asks who calls %s by the token without its prefix, and by the issuer of that route', async (routeKey, issuer) => {
    expect((await invoke(fine, { routeKey })).asked).toEqual([[jwtOf(CLAIMS), issuer]]);
  });

  test('logs one line per request, with a digest for the caller and nothing of its claims', async () => {
    const { lines, life } = await invoke(fine);
    expect(lines).toEqual([
      {
        level: 'info',
        message: 'request',
        fields: {
          method: 'POST',
          route: '/gettoken',
          status: 200,
          durationMs: 0,
          caller: expect.stringMatching(/^[\w-]{16}$/) as string,
        },
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain('alice');
    expect(life).toEqual(['begin request-1', 'end']);
  });

  test.each(['Bearer ', 'bearer   ', ''])(
    'conceals the token after %j, and its parts, before anything else can fail',
    async (prefix) => {
      const authorization = prefix + jwtOf(CLAIMS);
      const { concealed } = await invoke(fine, { authorization, ready: failing(new Error('cold')) });
      expect(concealed).toEqual([jwtOf(CLAIMS), ...jwtOf(CLAIMS).split('.')]);
    },
  );

  test('conceals nothing where there is no token, and takes no part of one for its prefix', async () => {
    const without = await invoke(fine, { authorization: null });
    expect({ concealed: without.concealed, code: without.body['code'] }).toEqual({
      concealed: ['', ''],
      code: 'invalid-token',
    });
    expect((await invoke(fine, { authorization: 'a bearer b' })).concealed).toEqual(['a bearer b', 'a bearer b']);
  });

  test('names the request on a success too, by the id of the gateway and by no other', async () => {
    const { result } = await invoke(fine, { headers: { 'x-correlation-id': 'mine' } });
    expect(result.headers).toEqual({ ...ALWAYS, 'content-type': 'application/json' });
  });

  test('tells callers apart in the log', async () => {
    const digests = ['user-alice', 'user-bob'].map(async (sub) => {
      const { lines } = await invoke(fine, { claims: { ...CLAIMS, sub } });
      return lines.at(-1)?.fields['caller'];
    });
    expect(new Set(await Promise.all(digests)).size).toBe(2);
  });

  const cause = new Error('socket hang up');
  test.each<[string, Failure, object[]]>([
    ['a refusal without a reason in no line but its own', new Failure('lease-not-found'), []],
    [
      'a refusal with a reason as a warning',
      new Failure('not-entitled', { reason: 'no rule decides' }),
      [{ level: 'warn', message: 'request refused', fields: { code: 'not-entitled', reason: 'no rule decides' } }],
    ],
    [
      'a failure with a cause as an error',
      new Failure('ledger-unavailable', { reason: 'it is away', cause }),
      [{ level: 'error', message: 'request failed', fields: { code: 'ledger-unavailable', reason: 'it is away' } }],
    ],
    [
      'what alarms as an error, and it alarms once',
      new Failure('misconfigured', { reason: 'no table' }),
      [{ level: 'error', message: 'request failed', fields: { code: 'misconfigured', reason: 'no table' } }],
    ],
  ])('writes %s', async (_name, failure, expected) => {
    const { lines, signals } = await invoke(failing(failure));
    expect(lines.slice(0, -1)).toMatchObject(expected);
    expect(lines).toHaveLength(expected.length + 1);
    expect(lines.at(-1)).toMatchObject({ level: 'info', message: 'request', fields: { code: failure.code } });
    if (lines.length > 1 && lines[0]?.level === 'error') expect(lines[0].fields['error']).toBe(failure);
    expect(signals).toEqual(failure.code === 'misconfigured' ? [['misconfigured', 1]] : []);
  });

  test('keeps what was thrown as the cause of an internal error', async () => {
    const { lines } = await invoke(failing(cause));
    expect(lines[0]?.fields['error']).toMatchObject({ code: 'internal-error', cause });
    expect(lines.at(-1)?.fields).not.toHaveProperty('reason');
  });

  test.each([
    ['one that the caller holds', 'token', 200],
    ['one that the caller lacks', 'revoke', 403],
  ] as const)('checks the scope again: %s', async (_name, scope, status) => {
    expect((await invoke(fine, { scope })).result.statusCode).toBe(status);
  });

  test('puts on record who asked for more than he may, and who asked at all', async () => {
    const claims = { ...CLAIMS, jti: 'j', azp: 'app' };
    const refused = await invoke(fine, { scope: 'revoke', claims });
    const reasons = ['POST /gettoken needs the scope "revoke"'];
    expect(refused.audited).toEqual([{ action: 'deny', code: 'insufficient-scope', reasons }]);
    const { iss, sub, exp } = CLAIMS;
    expect(refused.actors).toEqual([{ issuer: iss, subject: sub, jti: 'j', clientId: 'app', exp }]);
    const byClient = await invoke(fine, { claims: { ...claims, client_id: 'client' } });
    expect([byClient.actors, byClient.audited]).toMatchObject([[{ clientId: 'client' }], []]);
    const others = await invoke(failing(new Failure('lease-not-found', { reason: OTHERS_LEASE })));
    expect(others.audited).toEqual([{ action: 'deny', code: 'lease-not-found', reasons: [OTHERS_LEASE] }]);
    expect((await invoke(failing(new Failure('not-entitled', { reason: 'x' })))).audited).toEqual([]);
  });

  test('names the route by the contract, also that of another issuer, and what is none by its first', async () => {
    const routes = ['POST /gettoken', 'POST /i/partner/gettoken', '$default'].map(async (routeKey) => {
      const { lines } = await invoke(fine, { routeKey });
      return lines.at(-1)?.fields['route'];
    });
    expect(await Promise.all(routes)).toEqual(['/gettoken', '/gettoken', '/gettoken']);
  });

  test('does not run the route without its authorizer, and calls the operators', async () => {
    let ran = false;
    const { result, body, counted } = await invoke(
      async () => {
        ran = true;
        return fine();
      },
      { flattened: null },
    );
    expect({ ran, status: result.statusCode, code: body['code'] }).toEqual({
      ran: false,
      status: 500,
      code: 'misconfigured',
    });
    expect(counted('misconfigured')).toBe(1);
  });

  test.each(Object.keys(PROBLEMS) as ProblemCode[])('answers %s as a problem and says nothing more', async (code) => {
    const cause = new Error('upstream said: secret detail');
    const failure = new Failure(code, { reason: 'operators only', cause });
    const { result, body } = await invoke(failing(failure));
    const { status, title, detail, retry } = PROBLEMS[code];
    const challenge = code === 'sign-in-again' ? 'insufficient_user_authentication' : 'invalid_token';
    expect(result.statusCode).toBe(status);
    expect(body).toEqual({
      type: `urn:thoughtspot-token-broker:problem:${code}`,
      title,
      status,
      detail,
      code,
      correlationId: 'request-1',
    });
    expect(result.headers).toEqual({
      ...ALWAYS,
      'content-type': 'application/problem+json',
      ...(retry ? { 'retry-after': '1' } : {}),
      ...(status === 401 ? { 'www-authenticate': `Bearer error="${challenge}"` } : {}),
    });
    expect(schemaAt('/components/schemas/Problem')(body)).toBe(true);
  });

  test('says how old the sign-in may be, in the body and in the challenge', async () => {
    const { result, body } = await invoke(failing(new Failure('sign-in-again', { maxAge: 600 })));
    expect([result.statusCode, body['max_age']]).toEqual([401, 600]);
    expect(result.headers?.['www-authenticate']).toBe('Bearer error="insufficient_user_authentication", max_age="600"');
    expect(schemaAt('/components/schemas/Problem')(body)).toBe(true);
  });

  test.each([
    [1, '1'],
    [1_001, '2'],
    [30_000, '30'],
    [0, '1'],
  ])('rounds a wait of %d ms up to %s whole seconds', async (retryAfterMs, expected) => {
    const { result } = await invoke(failing(new Failure('upstream-busy', { retryAfterMs })));
    expect(result.headers?.['retry-after']).toBe(expected);
  });

  test('names the fields at fault', async () => {
    const errors = [{ field: 'validitySeconds', detail: 'must be at least 60' }];
    expect((await invoke(failing(new Failure('invalid-request', { errors })))).body['errors']).toEqual(errors);
  });

  test.each([[new TypeError('x is undefined')], ['a string'], [undefined], [null], [{ status: 200 }]])(
    'answers 500 to the unforeseen (%p), calls the operators and keeps the cause for the log',
    async (thrown) => {
      const { body, counted, lines } = await invoke(failing(thrown));
      expect(body).toMatchObject({ status: 500, code: 'internal-error' });
      expect(counted('internal-error')).toBe(1);
      expect(lines.map(({ level, message }) => [level, message])).toContainEqual(['error', 'request failed']);
      expect(JSON.stringify(body)).not.toContain('undefined');
    },
  );

  test('answers a sandbox that cannot start, request after request, without crashing', async () => {
    const ready = failing(new Failure('misconfigured', { reason: 'SCOPE_TOKEN is not set' }));
    const { result, body, lines } = await invoke(fine, { ready });
    expect(result.statusCode).toBe(500);
    expect(JSON.stringify(body)).not.toContain('SCOPE_TOKEN');
    expect(JSON.stringify(lines)).toContain('SCOPE_TOKEN is not set');
  });

  test('answers an event that is nothing like a request', async () => {
    const record = recordTelemetry();
    const handler = httpEntry({ name: 'gettoken', telemetry: record.telemetry, clock: makeFakeClock() }, async () => ({
      identify,
      route: { scopes: ['token'] as const, answer: fine },
    }));
    const result = await handler({} as never, lambdaContext());
    expect(JSON.parse(result.body ?? '')).toMatchObject({ code: 'misconfigured', correlationId: 'invocation-1' });
  });
});

test.each([null, 'text', 7, [], { requestContext: {} }, { requestContext: null }, { headers: {} }])(
  'an event that is no request (%j) is answered, not thrown',
  async (event) => {
    const { telemetry } = recordTelemetry();
    const handler = httpEntry({ name: 'gettoken', telemetry, clock: makeFakeClock() }, async () => ({
      identify,
      route: { scopes: ['token'] as const, answer: fine },
    }));
    const answer = await handler(event as never, lambdaContext());
    expect(answer.statusCode).toBe(500);
    expect(JSON.parse(answer.body ?? '')).toMatchObject({ correlationId: 'invocation-1' });
  },
);
