/** Two issuers with the same users, through the gateway and the bundles: who comes from one is nobody at the other. */
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { readDemoUsers, type Issuer } from '../../../local/issuer.ts';

import { httpEvent } from '../../support/http-event.ts';

interface Body {
  readonly code?: string;
  readonly leaseId?: string;
  readonly token?: string;
  readonly userName?: string;
  readonly revoked?: number;
}

let broker: LocalBroker;
let staff: Issuer;
let partner: Issuer;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, partner: readDemoUsers() });
  if (broker.partner === undefined) throw new Error('there is no second issuer');
  staff = broker.issuer;
  partner = broker.partner;
});
afterAll(() => broker.close());

async function call(method: string, path: string, jwt: string, body?: object) {
  const answer = await fetch(`${broker.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${jwt}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Body };
}

/** Past the gateway, with its copy of the claims as the token has them. */
async function invoke(routeKey: string | undefined, jwt: string) {
  const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
  const event = { ...httpEvent({ claims, authorization: `Bearer ${jwt}` }), routeKey };
  const invocation = await broker.invoke('gettoken', event);
  if (invocation.status !== 'answered') throw new Error(`the function ${invocation.status}`);
  const { statusCode, body } = JSON.parse(invocation.payload) as { statusCode: number; body: string };
  return [statusCode, (JSON.parse(body) as Body).code];
}

test.each([
  ['POST', 'gettoken', 200],
  ['GET', 'sessioninfo', 200],
  ['POST', 'revoketoken', 200],
])('%s /%s is there for the callers of each issuer, and for nobody else', async (method, route, status) => {
  const [own, theirs] = [await staff.accessToken('carol'), await partner.accessToken('carol')];
  expect((await call(method, `/${route}`, own)).status).toBe(status);
  expect((await call(method, `/i/partner/${route}`, theirs)).status).toBe(status);
  expect((await call(method, `/${route}`, theirs)).status).toBe(401);
  expect((await call(method, `/i/partner/${route}`, own)).status).toBe(401);
});

test.each([
  '/i/Partner/gettoken',
  '/I/partner/gettoken',
  '/i%2Fpartner/gettoken',
  '/i/partner/gettoken/',
  '/i//gettoken',
])('no other spelling of a route leads anywhere: %s', async (path) => {
  for (const jwt of [await staff.accessToken('alice'), await partner.accessToken('alice')])
    expect((await call('POST', path, jwt)).status).toBe(404);
});

test('whoever invokes the function gets nothing for a token at the route of another issuer', async () => {
  const [own, theirs] = [await staff.accessToken('alice'), await partner.accessToken('alice')];
  const refused = [401, 'invalid-token'];
  expect(await invoke('POST /gettoken', theirs)).toEqual(refused);
  expect(await invoke(undefined, theirs)).toEqual(refused);
  expect(await invoke('$default', theirs)).toEqual(refused);
  expect(await invoke('POST /i/partner/gettoken', own)).toEqual(refused);
  expect(await invoke('POST /i/nobody/gettoken', theirs)).toEqual([500, 'misconfigured']);
  expect(await invoke('POST /i//gettoken', theirs)).toEqual([500, 'misconfigured']);
  expect(await invoke('POST /i/partner/gettoken', theirs)).toEqual([200, undefined]);
});

test('the same subject at two issuers is two callers: neither is served, sees or revokes what the other holds', async () => {
  const [own, theirs] = [await staff.accessToken('bob'), await partner.accessToken('bob')];
  const first = await call('POST', '/gettoken', own);
  const second = await call('POST', '/i/partner/gettoken', theirs);
  expect(first.body.userName).toBe(second.body.userName);
  expect(first.body.token).not.toBe(second.body.token);
  const again = await call('POST', '/gettoken', own);
  expect(again.body.leaseId).toBe(first.body.leaseId);

  const { leaseId } = first.body;
  expect((await call('POST', '/i/partner/revoketoken', theirs, { leaseId })).body.code).toBe('lease-not-found');
  expect((await call('POST', '/i/partner/revoketoken', theirs)).body.revoked).toBe(1);
  expect((await call('GET', '/i/partner/sessioninfo', theirs)).body.code).toBe('lease-not-found');
  expect((await call('GET', '/sessioninfo', own)).status).toBe(200);
  expect((await call('POST', '/gettoken', own)).body.leaseId).toBe(leaseId);

  const audited = broker.output
    .lines()
    .filter(({ text }) => text.startsWith('{"audit":true') && text.includes('"action":"mint"'))
    .map(({ text }) => JSON.parse(text) as { caller: { issuer: string; subject: string } });
  const { sub } = staff.users['bob']?.claims ?? {};
  const issuers = audited.filter(({ caller }) => caller.subject === sub).map(({ caller }) => caller.issuer);
  expect(new Set(issuers)).toEqual(new Set([staff.url, partner.url]));
});

describe('an operator of the first issuer is nobody at another, and the other way round', () => {
  const everything: readonly [method: string, route: string, body: object | undefined][] = [
    ['GET', '/leases', undefined],
    ['POST', '/leases/revoke', { all: true }],
    ['GET', '/blocks', undefined],
    ['POST', '/suspend', { userName: 'alice' }],
    ['POST', '/reinstate', { userName: 'alice' }],
  ];

  test.each(everything)('%s %s is a route of the issuer whose operators there are', async (method, route, body) => {
    const [own, theirs] = [await staff.accessToken('ops'), await partner.accessToken('ops')];
    expect((await call(method, route, own, body)).status).toBeLessThan(300);
    expect((await call(method, `/i/partner${route}`, theirs, body)).status).toBe(404);
    expect((await call(method, `/i/partner${route}`, own, body)).status).toBe(404);
    expect((await call(method, route, theirs, body)).status).toBe(401);
  });

  test.each([{ all: true }, { orgId: 1 }, { userName: 'alice' }])(
    'whoever the other issuer gives the scope of operators revokes what is theirs and not %j',
    async (selection) => {
      const theirs = await partner.accessToken('ops', { scope: 'broker:token broker:revoke' });
      const refused = await call('POST', '/i/partner/revoketoken', theirs, selection);
      expect([refused.status, refused.body.code]).toEqual([403, 'insufficient-scope']);
    },
  );

  test('nor does the function take one who comes past the gateway', async () => {
    const theirs = await partner.accessToken('ops', { scope: 'broker:revoke' });
    const claims = JSON.parse(Buffer.from(theirs.split('.')[1] ?? '', 'base64url').toString()) as object;
    const event = httpEvent({ claims: { ...claims }, authorization: `Bearer ${theirs}` });
    const invocation = await broker.invoke('operator', { ...event, routeKey: 'GET /i/partner/leases' });
    const { statusCode } = JSON.parse(invocation.status === 'answered' ? invocation.payload : '{}') as {
      statusCode: number;
    };
    expect(statusCode).toBe(403);
  });
});
