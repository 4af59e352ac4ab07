import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { readCluster } from '../../../local/thoughtspot/cluster.ts';
import { leaksIn } from '../../support/canaries.ts';
import { unfinishedRows } from '../../support/crowd.ts';

let broker: LocalBroker;
const jwts: string[] = [];
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, thoughtspot: { kind: 'simulator', dialect: 'session-v2' } });
});
afterAll(() => broker.close());

async function post(user: string, path: string, body: object = {}) {
  const jwt = await broker.issuer.accessToken(user);
  jwts.push(jwt);
  const headers = { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' };
  const response = await fetch(broker.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

describe('a cluster that speaks the session API of 2021', () => {
  test('hands out the token of the service account, one for all who may have it', async () => {
    const [alices, bobs] = [await post('alice', '/gettoken'), await post('bob', '/gettoken')];
    expect(alices).toMatchObject({ status: 200, json: { userName: 'svc-broker', orgId: 0 } });
    expect(bobs.json['token']).toBe(alices.json['token']);
    const calls = broker.simulator?.state().calls;
    expect(calls).toMatchObject({ 'POST /api/rest/v2/session/login': 1, 'POST /api/rest/v2/session/gettoken': 1 });
    expect(broker.simulator?.tokens()).toContain(alices.json['token']);
  });

  test('refuses whom its policy does not name', async () => {
    expect(await post('carol', '/gettoken')).toMatchObject({ status: 403, json: { code: 'not-entitled' } });
  });

  test('leaves a shared token to operators, and they end it', async () => {
    const { json } = await post('alice', '/gettoken');
    expect(await post('alice', '/revoketoken')).toMatchObject({ json: { revoked: 0, pending: 0 } });
    expect(broker.simulator?.tokens()).toContain(json['token']);
    expect(await post('ops', '/revoketoken', { userName: 'svc-broker' })).toEqual({
      status: 200,
      json: { revoked: 1, pending: 0 },
    });
    expect(broker.simulator?.tokens()).not.toContain(json['token']);
  });
});

test('besides the session that the broker signed in with, every live token has its row', async () => {
  const { json } = await post('alice', '/gettoken');
  expect(broker.simulator?.tokens()).toContain(json['token']);
  expect(await unfinishedRows(broker)).toEqual([expect.objectContaining({ user: 'svc-broker', state: 'live' })]);
  expect(broker.simulator?.tokens()).toHaveLength(2);
});

test('no password, live token or JWT was printed', async () => {
  const account = readCluster().users.find(({ name }) => name === 'svc-broker');
  expect(account?.password).toBeTruthy();
  const handed = [account?.password ?? '', ...jwts, ...(broker.simulator?.tokens() ?? [])];
  const secrets = Object.fromEntries(handed.map((text, at) => [`secret ${at}`, text]));
  expect(leaksIn(broker.output.text(), secrets)).toEqual([]);
});
