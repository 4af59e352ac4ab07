import { readFileSync } from 'node:fs';
import { startLocalBroker, type LocalBroker, type LocalBrokerOptions } from '../../../local/local-broker.ts';
import { DEFAULT_POLICY } from '../../../local/settings.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';
import { startMintProxy } from '../../support/mint-proxy.ts';

async function withBroker(options: LocalBrokerOptions, run: (broker: LocalBroker, seen: Witness) => Promise<void>) {
  const broker = await startLocalBroker({ sweepEveryMs: null, ...options });
  broker.simulator?.set({ rateLimit: false });
  try {
    const seen = witness(broker);
    await run(broker, seen);
    expect(await seen.unaccounted()).toEqual([]);
    expect(await seen.leaks()).toEqual([]);
  } finally {
    await broker.close();
  }
}

/** The demo policy with a validity that a test can outlive. */
function shortLived(): object {
  const text = readFileSync(DEFAULT_POLICY, 'utf8').replaceAll('"minSeconds": 30', '"minSeconds": 3');
  return JSON.parse(text) as object;
}
const until = (at: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now())));
const pending = { status: 202, json: { revoked: 0, pending: 1 } };
const done = { status: 200, json: { revoked: 1, pending: 0 } };
/** Longer than the longest back-off, shorter than a token's life. */
const LATER_MS = 4 * 60_000;

test('an outage of twice the validity: accepted at once, tried again, never given up, ended by its own time', async () => {
  await withBroker({ policy: shortLived() }, async (broker, seen) => {
    const { json } = await seen.ask('alice', '/gettoken', { body: { validitySeconds: 4 } });
    broker.simulator?.set({ outage: 'error', outageStatus: 503 });
    const issuedAt = Number(json['servedAt']);
    expect(await seen.ask('alice', '/revoketoken')).toMatchObject(pending);
    await broker.sweep();
    expect(await seen.statesOf('alice')).toEqual(['revoking']);
    // A row is closed a minute after the end of its token.
    seen.shiftClocks(60_000);
    await until(issuedAt + 8_000);
    await broker.sweep();
    expect(await seen.statesOf('alice')).toEqual(['expired']);
    expect(broker.output.text()).toContain('"action":"expire"');
  });
});

test('ThoughtSpot does not accept the token and answers 401: that counts as revoked, and is asked again', async () => {
  await withBroker({}, async (broker, seen) => {
    const { json } = await seen.ask('alice');
    // Somebody else ended it at ThoughtSpot, as anyone can who holds it.
    await fetch(`${broker.simulator?.url}/api/rest/2.0/auth/token/revoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${String(json['token'])}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user_identifier: json['userName'], token: json['token'] }),
    });
    const refusedBefore = broker.simulator?.state().refused['POST /api/rest/2.0/auth/token/revoke']?.['401'] ?? 0;
    expect(await seen.ask('alice', '/revoketoken')).toMatchObject(done);
    const refused = broker.simulator?.state().refused['POST /api/rest/2.0/auth/token/revoke']?.['401'] ?? 0;
    expect(refused - refusedBefore).toBe(1);
    expect(await seen.statesOf('alice')).toEqual(['revoking']);
    seen.shiftClocks(LATER_MS);
    await broker.sweep();
    expect(broker.simulator?.state().refused['POST /api/rest/2.0/auth/token/revoke']?.['401']).toBe(refused + 1);
    expect(await seen.statesOf('alice')).toEqual(['revoking']);
  });
});

test('a user is inactive while the token is revoked, and active again: the token is revoked then', async () => {
  await withBroker({}, async (broker, seen) => {
    const { json } = await seen.ask('alice');
    const userName = String(json['userName']);
    broker.simulator?.setUserStatus(userName, 'INACTIVE');
    expect(await seen.ask('alice', '/revoketoken')).toMatchObject(done);
    broker.simulator?.setUserStatus(userName, 'ACTIVE');
    expect(seen.liveTokens('alice')).toHaveLength(1);
    seen.shiftClocks(LATER_MS);
    await broker.sweep();
    expect([await seen.statesOf('alice'), seen.liveTokens('alice')]).toEqual([['revoked'], []]);
  });
});

test.each(['400-not-revoked', '400-csrf', '401-empty', '200-error', '200-false'] as const)(
  '%s confirms nothing: the revocation is pending until ThoughtSpot confirms',
  async (revokeAnswer) => {
    await withBroker({}, async (broker, seen) => {
      await seen.ask('alice');
      broker.simulator?.set({ revokeAnswer });
      expect(await seen.ask('alice', '/revoketoken')).toMatchObject(pending);
      expect([await seen.statesOf('alice'), seen.liveTokens('alice').length]).toEqual([['revoking'], 1]);
      broker.simulator?.set({ revokeAnswer: 'confirmed' });
      seen.shiftClocks(LATER_MS);
      await broker.sweep();
      expect([await seen.statesOf('alice'), seen.liveTokens('alice')]).toEqual([['revoked'], []]);
    });
  },
);

test.each([
  ['ThoughtSpot is down', { outage: 'error', outageStatus: 503 }, 'ACTIVE', pending],
  ['its user is inactive', {}, 'INACTIVE', done],
] as const)('an operator revokes a token while %s: it is not served again', async (_name, storm, status, tally) => {
  await withBroker({}, async (broker, seen) => {
    const { json } = await seen.ask('alice');
    broker.simulator?.set(storm);
    broker.simulator?.setUserStatus(String(json['userName']), status);
    expect(await seen.ask('ops', '/revoketoken', { body: { token: json['token'] } })).toMatchObject(tally);
    expect(await seen.statesOf('alice')).toEqual(['revoking']);
    broker.simulator?.set({ outage: 'none' });
    broker.simulator?.setUserStatus(String(json['userName']), 'ACTIVE');
    expect(seen.liveTokens('alice')).toHaveLength(1);
    const again = await seen.ask('alice');
    expect([again.status, again.json['token'] === json['token']]).toEqual([200, false]);
    seen.shiftClocks(LATER_MS);
    await broker.sweep();
    expect([[...(await seen.statesOf('alice'))].sort(), seen.liveTokens('alice').length]).toEqual([
      ['live', 'revoked'],
      1,
    ]);
  });
});

test.each([
  ['ThoughtSpot answers 429 to everything', { outage: 'error', outageStatus: 429 }, { outage: 'none' }],
  ['ThoughtSpot is down', { outage: 'error', outageStatus: 503 }, { outage: 'none' }],
  ['ThoughtSpot drops every connection', { outage: 'reset' }, { outage: 'none' }],
] as const)('%s: the revocation is accepted, put off, and done once it is over', async (_name, storm, calm) => {
  await withBroker({}, async (broker, seen) => {
    await seen.ask('alice');
    broker.simulator?.set(storm);
    expect(await seen.ask('alice', '/revoketoken')).toMatchObject(pending);
    await broker.sweep();
    expect([await seen.statesOf('alice'), seen.liveTokens('alice').length]).toEqual([['revoking'], 1]);
    // Nobody is served the token meanwhile: whoever asks gets an error that says to come again.
    expect((await seen.ask('alice')).status).toBe(503);
    broker.simulator?.set(calm);
    seen.shiftClocks(LATER_MS);
    await seen.sweepToRest();
    expect(seen.liveTokens('alice')).toEqual([]);
    expect([...(await seen.statesOf('alice'))].sort()).toEqual(
      storm.outage === 'reset' || storm.outageStatus === 503
        ? [expect.stringMatching(/failed|orphaned/), 'revoked']
        : ['failed', 'revoked'],
    );
  });
});

test.each([
  ['no user', {}],
  ['a user who does not exist', { valid_for_username: 'nobody' }],
])('a token whose reply names %s is revoked', async (_name, named) => {
  const proxy = await startMintProxy(({ valid_for_username: _user, ...answer }) => ({ ...answer, ...named }));
  try {
    await withBroker({ variables: { THOUGHTSPOT_HOST: proxy.url } }, async (broker, seen) => {
      proxy.target = broker.simulator?.url ?? '';
      expect(await seen.ask('alice')).toMatchObject({ status: 502, code: 'upstream-mismatch' });
      expect([await seen.statesOf('alice'), seen.liveTokens()]).toEqual([['revoked'], []]);
    });
  } finally {
    await proxy.close();
  }
});

test("somebody else's token that cannot be revoked at once is revoked later, in the name that ThoughtSpot takes", async () => {
  await withBroker({}, async (broker, seen) => {
    broker.simulator?.set({ wrongUser: 'bob', outage: 'error', outageStatus: 503, faultScope: 'revoke' });
    expect(await seen.ask('alice')).toMatchObject({ status: 502, code: 'upstream-mismatch' });
    expect([await seen.statesOf('alice'), seen.liveTokens('bob').length]).toEqual([['revoking'], 1]);
    broker.simulator?.set({ wrongUser: null, outage: 'none' });
    // Each attempt is in one name, and there are three.
    for (const laterMs of [60_000, 120_000, 180_000]) {
      seen.shiftClocks(laterMs);
      await broker.sweep();
    }
    expect([await seen.statesOf('alice'), seen.liveTokens().length]).toEqual([['revoked'], 0]);
  });
});

describe.each([-120_000, 120_000])('a clock that is %i ms off shortens and lengthens no life', (offsetMs) => {
  async function mintAndRevoke(seen: Witness): Promise<void> {
    const { status, json } = await seen.ask('alice');
    expect(status).toBe(200);
    const lifeMs = Number(json['expiresAt']) - Number(json['servedAt']);
    expect(lifeMs).toBeGreaterThan(280_000);
    expect(lifeMs).toBeLessThanOrEqual(300_000);
    expect((await seen.ask('alice')).json['token']).toBe(json['token']);
    expect(await seen.ask('alice', '/revoketoken')).toMatchObject(done);
    expect([await seen.statesOf('alice'), seen.liveTokens()]).toEqual([['revoked'], []]);
  }

  test("where it is ThoughtSpot's", async () => {
    await withBroker({}, async (broker, seen) => {
      broker.simulator?.set({ clockOffsetMs: offsetMs });
      await mintAndRevoke(seen);
    });
  });

  test("where it is the sandboxes'", async () => {
    await withBroker({}, async (_broker, seen) => {
      seen.shiftClocks(offsetMs);
      await mintAndRevoke(seen);
    });
  });
});

test('a mass revocation covers what a sandbox with a slow clock minted before it, and nothing after it', async () => {
  await withBroker({}, async (broker, seen) => {
    broker.functions.get('gettoken')?.replace({ clockOffsetMs: -120_000 });
    const authorization = `Bearer ${await broker.issuer.accessToken('alice', { nbf: undefined, iat: Math.floor(Date.now() / 1_000) - 120 })}`;
    const hour = { body: { validitySeconds: 3_600 }, authorization };
    await seen.ask('alice', '/gettoken', hour);
    expect(await seen.ask('ops', '/revoketoken', { body: { all: true, keepSignIn: true } })).toMatchObject({
      status: 202,
    });
    const again = await seen.ask('alice', '/gettoken', hour);
    expect(again.status).toBe(200);
    seen.shiftClocks(LATER_MS);
    await seen.sweepToRest();
    expect(await seen.statesOf('alice')).toEqual(['revoked', 'live']);
    expect(seen.liveTokens().length === 1 && seen.liveTokens()[0]?.text === again.json['token']).toBe(true);
  });
});
