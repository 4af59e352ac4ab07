import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { type Request, witness, type Witness } from '../../support/broker-witness.ts';
import { leaksIn } from '../../support/canaries.ts';

/** Alice's ThoughtSpot user for grants that leave nothing on it. */
const ALICE = expect.stringMatching(/^alice~[a-z2-7]{16}$/) as string;
let broker: LocalBroker;
let seen: Witness;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, logLevel: 'DEBUG' });
  seen = witness(broker);
});
afterAll(() => broker.close());

const call = (user: string, method: 'GET' | 'POST', path: string, request: Omit<Request, 'method'> = {}) =>
  seen.ask(user, path, { method, ...request });
const liveTokens = () => broker.simulator?.tokens() ?? [];
const mintsOf = (user: string) =>
  broker.simulator?.requests().filter((mint) => JSON.stringify(mint).includes(user)).length;

describe('a caller', () => {
  test('gets a token that ThoughtSpot accepts, and the same one again', async () => {
    const first = await call('alice', 'POST', '/gettoken');
    expect(first.json).toMatchObject({ userName: ALICE, orgId: 1, tokenExpiryDuration: '300' });
    expect(liveTokens()).toContain(first.json['token']);
    const second = await call('alice', 'POST', '/gettoken', { body: {} });
    expect(second.json['token']).toBe(first.json['token']);
    expect(mintsOf('alice')).toBe(1);
  });

  test('gets it bare on request', async () => {
    const { text, headers } = await call('alice', 'POST', '/gettoken', { headers: { accept: 'text/plain' } });
    expect(liveTokens()).toContain(text);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('sees what ThoughtSpot says of the session, without the token', async () => {
    const { status, json, text } = await call('alice', 'GET', '/sessioninfo');
    expect({ status, userName: json['userName'] }).toEqual({ status: 200, userName: ALICE });
    expect(leaksIn(text, Object.fromEntries(liveTokens().map((token) => [token, token])))).toEqual([]);
  });

  test('takes the token back, and ThoughtSpot knows it no more', async () => {
    const { json } = await call('bob', 'POST', '/gettoken');
    expect(liveTokens()).toContain(json['token']);
    const revoked = await call('bob', 'POST', '/revoketoken', { body: { leaseId: json['leaseId'] } });
    expect(revoked).toMatchObject({ status: 200, json: { revoked: 1, pending: 0 } });
    expect(liveTokens()).not.toContain(json['token']);
    expect(await call('bob', 'POST', '/revoketoken', { body: { leaseId: json['leaseId'] } })).toMatchObject({
      status: 200,
    });
  });

  test('takes all of its tokens back without saying which', async () => {
    await call('carol', 'POST', '/gettoken');
    expect(await call('carol', 'POST', '/revoketoken')).toMatchObject({
      status: 200,
      json: { revoked: 1, pending: 0 },
    });
    expect((await call('carol', 'GET', '/sessioninfo')).json).toMatchObject({ code: 'lease-not-found' });
  });

  test("cannot tell somebody else's lease from one that does not exist", async () => {
    const { json } = await call('alice', 'POST', '/gettoken');
    const others = await call('bob', 'POST', '/revoketoken', { body: { leaseId: json['leaseId'] } });
    const nobodys = await call('bob', 'POST', '/revoketoken', { body: { leaseId: 'AAAA' } });
    const without = ({ json: { correlationId: _id, ...rest } }: typeof others) => rest;
    expect(without(others)).toEqual(without(nobodys));
    expect(others.status).toBe(404);
  });
});

describe('operators', () => {
  test('list leases with their scope, and revoke for others', async () => {
    const { json } = await call('alice', 'POST', '/gettoken');
    const listed = await call('ops', 'GET', '/leases?user=alice');
    expect(listed.json['leases']).toContainEqual(expect.objectContaining({ leaseId: json['leaseId'], state: 'live' }));
    expect(await call('ops', 'POST', '/revoketoken', { body: { userName: 'alice', keepSignIn: true } })).toMatchObject({
      status: 200,
    });
    expect(liveTokens()).not.toContain(json['token']);
  });

  test('and schedules revoke by events; a second delivery changes nothing', async () => {
    const before = await call('alice', 'POST', '/gettoken');
    const event = {
      source: 'schedule',
      name: 'nightly',
      scheduledTime: new Date(Date.now() + 1_000).toISOString(),
      select: { userName: 'alice' },
    };
    await broker.invoke('revoketoken', event);
    expect(liveTokens()).not.toContain(before.json['token']);
    const after = await call('alice', 'POST', '/gettoken');
    const old = { ...event, scheduledTime: new Date(Date.now() - 60_000).toISOString() };
    await broker.invoke('revoketoken', old);
    expect(liveTokens()).toContain(after.json['token']);
  });

  test('find the sweep at work', async () => {
    expect(JSON.stringify(await broker.sweep())).toContain('oldestDueAgeMs');
  });
});

test('every live token has a row of its own', async () => {
  expect(liveTokens().length).toBeGreaterThan(0);
  expect(await seen.unaccounted()).toEqual([]);
});

test('nothing that was printed holds a secret, a token or a JWT, in any form', async () => {
  expect(broker.output.text()).toContain('"audit":true');
  expect(broker.simulator?.issued().length).toBeGreaterThan(3);
  expect(await seen.leaks()).toEqual([]);
});
