import * as fc from 'fast-check';
import { Failure } from '../../../functions/broker/failure.ts';
import type { Caller, TokenRequest } from '../../../functions/broker/ports.ts';
import type { IssuedToken } from '../../../functions/broker/use-cases.ts';
import { gettokenRoute } from '../../../functions/http/gettoken.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { httpEvent, type EventOptions } from '../../support/http-event.ts';
import { schemaAt } from '../../support/openapi.ts';

const GUID = '4f1c0d5e-0000-4000-8000-00000000000a';
const caller: Caller = { issuer: 'i', subject: 's', claims: {}, issuedAt: 0, expiresAt: 0, scopes: [] };
const issued = {
  token: 'dG9rZW4=',
  userName: 'alice',
  orgId: 1,
  expiresAt: START + 300_000,
  refreshAfter: START + 240_000,
  reused: false,
  lease: { leaseId: 'lease-1', upstreamCreatedAt: START, lifetimeSeconds: 300, tokenType: 'Bearer', reservedAt: START },
} as IssuedToken;

async function ask(options: EventOptions, reply: IssuedToken = issued) {
  const requests: TokenRequest[] = [];
  const getToken = async (_caller: Caller, request: TokenRequest) => {
    requests.push(request);
    return reply;
  };
  const route = gettokenRoute(getToken, makeFakeClock());
  const request = { event: httpEvent(options), caller, deadline: START + 10_000, conceal: () => {} };
  return { answer: await route.answer(request), requests };
}

async function faultsOf(options: EventOptions) {
  const error: unknown = await ask(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Failure)) throw new Error('no Failure was thrown');
  return { code: error.code, fields: error.errors.map(({ field }) => field), text: JSON.stringify(error.errors) };
}

describe('POST /gettoken', () => {
  test('answers a superset of the session API: five strings, and what keeps the token fresh', async () => {
    const { answer } = await ask({});
    const body: unknown = JSON.parse(answer.body ?? '');
    expect(body).toEqual({
      userName: 'alice',
      token: 'dG9rZW4=',
      tokenCreatedTime: String(START),
      tokenExpiryDuration: '300',
      tokenType: 'Bearer',
      leaseId: 'lease-1',
      orgId: 1,
      expiresAt: START + 300_000,
      refreshAfter: START + 240_000,
      servedAt: START,
    });
    expect(schemaAt('/components/schemas/Token')(body)).toBe(true);
    expect(answer.headers).toEqual({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-type': 'application/json',
    });
  });

  test('keeps all five strings where ThoughtSpot reported neither creation nor validity', async () => {
    const lease = { leaseId: 'l', reservedAt: START - 10, issuedAt: START } as IssuedToken['lease'];
    const { answer } = await ask({}, { ...issued, lease });
    expect(JSON.parse(answer.body ?? '')).toMatchObject({
      tokenCreatedTime: String(START),
      tokenExpiryDuration: '300',
      tokenType: 'Bearer',
    });
  });

  test('answers the bare token, without quotes or newline, to who prefers text', async () => {
    const { answer } = await ask({ headers: { accept: 'text/plain' } });
    expect(answer.body).toBe('dG9rZW4=');
    expect(answer.headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  });

  test.each<[string, EventOptions, TokenRequest]>([
    ['no body', {}, {}],
    ['no body and no type', { body: '', headers: { 'content-type': '' } }, {}],
    ['an empty object', { body: '{}' }, {}],
    [
      'every field',
      { body: JSON.stringify({ grant: 'viewer', objectId: GUID, validitySeconds: 60, fresh: true, replace: 'lease' }) },
      { grant: 'viewer', objectId: GUID, validitySeconds: 60, fresh: true, replace: 'lease' },
    ],
    ['the last value of a field given twice', { body: '{"fresh":false,"fresh":true}' }, { fresh: true }],
    ['the last value of a field given twice in disguise', { body: '{"grant":7,"gr\\u0061nt":"b"}' }, { grant: 'b' }],
    ['a body in base64', { body: btoa('{"fresh":false}'), isBase64Encoded: true }, { fresh: false }],
    ['a type with parameters', { body: '{}', headers: { 'content-type': 'Application/JSON; charset=utf-8' } }, {}],
  ])('takes %s', async (_name, options, expected) => {
    expect((await ask(options)).requests).toEqual([expected]);
  });

  test.each<[string, string, string[]]>([
    ['text', 'hello', ['body']],
    ['a list', '[]', ['body']],
    ['null', 'null', ['body']],
    ['a bare string', '"x"', ['body']],
    ['a cut-off object', '{"fresh":', ['body']],
    ['more than 16 KiB', JSON.stringify({ grant: 'x'.repeat(16_384) }), ['body']],
    ['an unknown field', '{"user":"bob"}', ['user']],
    ['an unknown field beside good ones', '{"fresh":true,"org_id":3}', ['org_id']],
    ['__proto__', '{"__proto__":{"grant":"admin"}}', ['__proto__']],
    ['constructor', '{"constructor":{}}', ['constructor']],
    ['toString', '{"toString":1}', ['toString']],
    ['a field in another case', '{"Fresh":true}', ['Fresh']],
    ['a field given twice, the last time wrong', '{"fresh":true,"fresh":1}', ['fresh']],
    ['null for a field', '{"grant":null}', ['grant']],
    ['a number for a name', '{"grant":7}', ['grant']],
    ['an empty name', '{"grant":""}', ['grant']],
    ['a name with a line break', '{"grant":"a\\nb"}', ['grant']],
    ['no GUID', '{"objectId":"x"}', ['objectId']],
    ['digits as text', '{"validitySeconds":"60"}', ['validitySeconds']],
    ['a fraction', '{"validitySeconds":1.5}', ['validitySeconds']],
    ['zero', '{"validitySeconds":0}', ['validitySeconds']],
    ['a negative number', '{"validitySeconds":-1}', ['validitySeconds']],
    ['a number beyond int32', '{"validitySeconds":2147483648}', ['validitySeconds']],
    ['infinity', '{"validitySeconds":1e400}', ['validitySeconds']],
    ['text for a flag', '{"fresh":"true"}', ['fresh']],
    ['a lease to replace that is no text', '{"replace":true}', ['replace']],
    ['a lease to replace without a name', '{"replace":""}', ['replace']],
    ['a lease to replace of more than 1,024 characters', JSON.stringify({ replace: 'x'.repeat(1_025) }), ['replace']],
    ['a nested object', '{"grant":{"fresh":true}}', ['grant']],
    [
      'all faults at once',
      '{"user":"bob","grant":7,"fresh":1,"validitySeconds":"x"}',
      ['user', 'grant', 'validitySeconds', 'fresh'],
    ],
  ])('refuses %s, naming the field', async (_name, body, fields) => {
    const faults = await faultsOf({ body });
    expect(faults).toMatchObject({ code: 'invalid-request', fields });
  });

  test('refuses bytes that are not UTF-8', async () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]).toString('base64');
    expect(await faultsOf({ body, isBase64Encoded: true })).toMatchObject({
      code: 'invalid-request',
      fields: ['body'],
    });
  });

  test.each([
    ['text/plain'],
    [''],
    ['application/x-www-form-urlencoded'],
    ['application/jsonp'],
    ['multipart/form-data'],
  ])('refuses a body of type %p', async (type) => {
    expect((await faultsOf({ body: '{}', headers: { 'content-type': type } })).code).toBe('unsupported-media-type');
  });

  test('names a hostile field in part, and few of very many', async () => {
    const long = await faultsOf({ body: JSON.stringify({ ['x'.repeat(10_000)]: 1 }) });
    expect(long.text.length).toBeLessThan(200);
    const many = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`f${index}`, 1]));
    expect((await faultsOf({ body: JSON.stringify(many) })).fields).toHaveLength(20);
  });

  test('no body whatever can say more than the four fields', async () => {
    const json = fc.json({ maxDepth: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          json,
          fc.string(),
          fc.object().map((o) => JSON.stringify(o)),
        ),
        async (body) => {
          const result = await ask({ body }).catch((error: unknown) => error);
          if (result instanceof Failure) return;
          const { requests } = result as Awaited<ReturnType<typeof ask>>;
          for (const name of Object.keys(requests[0] ?? {})) {
            expect(['grant', 'objectId', 'validitySeconds', 'fresh', 'replace']).toContain(name);
          }
        },
      ),
    );
  });
});
