import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';

let broker: LocalBroker;
let seen: Witness;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, thoughtspot: { kind: 'simulator', dialect: 'session-v2' } });
  seen = witness(broker);
});
afterAll(() => broker.close());

const post = (user: string, path: string, body?: object) => seen.ask(user, path, { body });

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
    // The session that the broker has signed in with is the account's too.
    expect(await post('ops', '/revoketoken', { userName: 'svc-broker', keepSignIn: true })).toMatchObject({
      status: 200,
      json: { revoked: 2, pending: 0 },
    });
    expect(broker.simulator?.tokens()).toEqual([]);
  });
});

test('the session that the broker signed in with has its row, as every live token has', async () => {
  const { json } = await post('alice', '/gettoken');
  expect(seen.liveTokens().map(({ text }) => text)).toContain(json['token']);
  expect(seen.liveTokens()).toHaveLength(2);
  expect([...(await seen.statesOf('svc-broker'))].sort()).toEqual(['live', 'live', 'revoked', 'revoked']);
  expect(await seen.unaccounted()).toEqual([]);
});

test('of a sandbox that is killed, the sweep ends the session: nothing lives for hours that nobody knows of', async () => {
  await broker.functions.get('gettoken')?.close();
  const sessions = async () => (await seen.rowsOf('svc-broker')).filter(({ rule }) => rule === 'service-session');
  expect((await sessions()).at(-1)).toMatchObject({ state: 'live' });
  seen.shiftClocks(3_700_000);
  await seen.sweepToRest();
  expect((await sessions()).at(-1)).toMatchObject({ state: 'revoked' });
});

test('no password, token or JWT was printed', async () => {
  expect(await seen.leaks()).toEqual([]);
});
