import type { Context } from 'aws-lambda';
import fc from 'fast-check';
import { makeGetToken } from '../../functions/broker/get-token.ts';
import { makeListLeases } from '../../functions/broker/list-leases.ts';
import { makeGetAdministered } from '../../functions/broker/administrators.ts';
import { makeListBlocks, makeReinstate } from '../../functions/broker/admission.ts';
import { makeRevokeTokens } from '../../functions/broker/revoke.ts';
import { makeGetSessionInfo } from '../../functions/broker/session-info.ts';
import { PROBLEMS, type ProblemCode } from '../../functions/contract/problems.ts';
import { revocationOf } from '../../functions/http/revocation-events.ts';
import { gettokenRoute } from '../../functions/http/gettoken.ts';
import { httpEntry } from '../../functions/http/http-entry.ts';
import { operatorRoute } from '../../functions/http/operator.ts';
import { revoketokenRoute } from '../../functions/http/revoketoken.ts';
import { sessioninfoRoute } from '../../functions/http/sessioninfo.ts';
import { Failure } from '../../functions/broker/failure.ts';
import { makeTelemetry } from '../../functions/telemetry/telemetry.ts';
import { readFileSync } from 'node:fs';
import { DEFAULT_POLICY } from '../../local/settings.ts';
import { makeWorld } from '../support/broker-world.ts';
import { leaksIn } from '../support/canaries.ts';
import { makeFakeClock } from '../support/fake-clock.ts';
import { compilePolicy, entitlementsBy } from '../support/policy-documents.ts';
import { httpEvent, identify, jwtOf } from '../support/http-event.ts';
import { fuzz, oddText, oddValue, spoiled } from './fuzzing.ts';

/** Stands wherever a value may be secret: in the token's signature, in claims, in what a caller sends. */
const SECRET = 'canary-value-51f0c7e2-must-not-come-out!';
const policy = compilePolicy(JSON.parse(readFileSync(DEFAULT_POLICY, 'utf8')));

/** Everything that the functions print while `work` runs. */
async function printedBy<T>(work: () => Promise<T>): Promise<{ result: T; printed: string }> {
  const streams = [process.stdout, process.stderr];
  const writes = streams.map((stream) => stream.write.bind<typeof stream.write>(stream));
  let printed = '';
  const keep = (chunk: string | Uint8Array) => {
    printed += String(chunk);
    return true;
  };
  for (const stream of streams) stream.write = keep;
  try {
    return { result: await work(), printed };
  } finally {
    for (const [index, stream] of streams.entries()) Object.assign(stream, { write: writes[index] });
  }
}

/** The four HTTP functions over a world of their own, with the demo policy and the real telemetry. */
function handlers() {
  const { clock, ledger, issuer } = makeWorld();
  const telemetry = makeTelemetry({
    level: 'DEBUG',
    environment: 'fuzz',
    function: 'gettoken',
    now: () => clock.now(),
    write: (line) => void process.stdout.write(line),
  });
  const deps = {
    ...telemetry,
    clock,
    ledger,
    issuer,
    randomness: () => 0.5,
    ...entitlementsBy(policy),
  };
  const edge = { name: 'gettoken', telemetry, clock } as const;
  const routes = {
    gettoken: gettokenRoute(makeGetToken(deps), clock),
    revoketoken: revoketokenRoute(makeRevokeTokens(deps), clock),
    sessioninfo: sessioninfoRoute(makeGetSessionInfo(deps)),
    operator: operatorRoute({
      ...deps,
      requireActive: () => Promise.resolve(),
      getAdministered: makeGetAdministered(deps),
      listLeases: makeListLeases(deps),
      listBlocks: makeListBlocks(deps, 86_400_000),
      reinstate: makeReinstate(deps),
      revokeTokens: makeRevokeTokens(deps),
    }),
  };
  return {
    clock,
    issuer,
    ask: (route: keyof typeof routes, event: unknown) => {
      const context = { awsRequestId: 'invocation', getRemainingTimeInMillis: () => 20_000 } as Context;
      return clock.drive(httpEntry(edge, async () => ({ identify, route: routes[route] }))(event as never, context));
    },
  };
}

const claims = fc.record(
  {
    iss: fc.constantFrom('https://issuer.example', ''),
    sub: fc.constantFrom('user-alice', '', 'a'.repeat(500)),
    exp: fc.constantFrom(1_800_000_000, 0, 4e12),
    aud: fc.constant('broker'),
    scope: fc.constantFrom('broker:token', 'broker:token broker:revoke', '', 'openid'),
    preferred_username: fc.oneof(fc.constantFrom('alice', 'ALICE', 'tsadmin', 'system', 'su', '\u0430lice'), oddText),
    'https://broker.example/tenant': fc.oneof(fc.constantFrom('acme', 'globex'), oddValue),
    groups: fc.oneof(fc.constant([SECRET]), oddValue),
    email: fc.constant(SECRET),
  },
  { requiredKeys: ['iss', 'sub', 'exp'] },
);
const body = fc.oneof(
  fc.constant(undefined),
  oddText,
  fc.constant(SECRET),
  fc
    .record(
      {
        grant: fc.oneof(fc.constantFrom<unknown>('full', 'regional', 'liveboard', SECRET), oddValue),
        objectId: fc.oneof(fc.constantFrom<unknown>('11111111-aaaa-4bbb-8ccc-000000000001', SECRET), oddValue),
        validitySeconds: fc.oneof(fc.constantFrom<unknown>(60, 300, 1e9, SECRET), oddValue),
        fresh: fc.oneof(fc.boolean(), oddValue),
        leaseId: fc.oneof(fc.constant<unknown>(SECRET), oddValue),
        token: fc.oneof(fc.constant<unknown>(SECRET), oddValue),
        userName: fc.oneof(fc.constant<unknown>('bob'), oddValue),
        orgId: fc.oneof(fc.constant<unknown>(2), oddValue),
        all: fc.oneof(fc.boolean(), oddValue),
      },
      { requiredKeys: [] },
    )
    .map((fields) => JSON.stringify(fields)),
);
const jwt = claims.map((signed) => {
  const unsigned = jwtOf(signed).split('.').slice(0, 2);
  return { signed, authorization: `Bearer ${[...unsigned, Buffer.from(SECRET).toString('base64url')].join('.')}` };
});
const request = fc
  .tuple(
    jwt,
    body,
    fc.dictionary(fc.constantFrom('accept', 'content-type', 'x-correlation-id', 'origin'), oddText),
    fc.boolean(),
  )
  .map(([{ signed, authorization }, content, headers, isBase64Encoded]) =>
    httpEvent({
      claims: signed,
      authorization,
      headers,
      isBase64Encoded,
      query: { user: SECRET, org: '1', limit: String(content?.length ?? '') },
      ...(content === undefined ? {} : { body: content }),
    }),
  );
/** As the gateway sends it; or with parts of it replaced, renamed or missing, or anything at all, as only AWS could. */
const event: fc.Arbitrary<{ readonly sent: unknown; readonly whole: boolean }> = fc.oneof(
  { weight: 4, arbitrary: request.map((sent) => ({ sent, whole: true })) },
  { weight: 3, arbitrary: spoiled(request).map((sent) => ({ sent, whole: false })) },
  { weight: 1, arbitrary: oddValue.map((sent) => ({ sent, whole: false })) },
);

fuzz(
  'whatever reaches an HTTP function is answered by a token or a documented problem, once, and tells nothing',
  'HTTP requests',
  (count) =>
    fc.asyncProperty(
      fc.constantFrom('gettoken', 'revoketoken', 'sessioninfo', 'operator'),
      event,
      async (route, { sent, whole }) => {
        const { ask, issuer } = handlers();
        const { result, printed } = await printedBy(() => ask(route, sent));
        const { statusCode = 0, body: text = '', headers = {} } = result;
        expect(headers['cache-control']).toBe('no-store');
        if (statusCode >= 400) {
          const { code, status } = JSON.parse(text) as { code: ProblemCode; status: number };
          expect(PROBLEMS[code]?.status).toBe(status);
          expect(statusCode).toBe(status);
          // Nothing that a caller can send is unforeseen.
          if (whole) expect(code).not.toBe('internal-error');
        } else expect([200, 202]).toContain(statusCode);
        expect(issuer.live().filter(({ user }) => /^(tsadmin|system|su)$/i.test(user))).toEqual([]);
        const answered = statusCode === 200 && route === 'gettoken' ? '' : text;
        expect(leaksIn(printed + answered, { secret: SECRET })).toEqual([]);
        count(String(statusCode));
      },
    ),
);

const select = fc.record(
  { all: oddValue, orgId: oddValue, userName: oddValue, olderThanSeconds: oddValue },
  { requiredKeys: [] },
);
const time = fc.oneof(fc.constantFrom('2026-01-05T08:59:00Z', '<aws.scheduler.scheduled-time>'), oddText);
const directEvent: fc.Arbitrary<object> = fc.oneof(
  fc.record({ source: fc.constant('schedule'), name: oddText, scheduledTime: time, select }),
  fc.record({
    'detail-type': fc.constant('user.deprovisioned'),
    time,
    detail: fc.record({ userNames: fc.array(oddText, { maxLength: 3 }) }),
  }),
);

fuzz(
  'whatever is sent to a function directly selects what it says, or is refused with every fault named',
  'direct events',
  (count) =>
    fc.property(fc.oneof(directEvent, spoiled(directEvent), oddValue), (sent) => {
      const clock = makeFakeClock();
      try {
        expect(revocationOf(sent, clock).asOf).toBeLessThanOrEqual(clock.now());
        count('taken');
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
        const { code, errors } = error as Failure;
        expect([code, errors.length > 0]).toEqual(['invalid-request', true]);
        count('refused');
      }
    }),
);
