import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECRET_ID } from '../../../local/function-variables.ts';
import { DEFAULT_POLICY } from '../../../local/settings.ts';
import { startLocalBroker, type LocalBroker, type LocalBrokerOptions } from '../../../local/local-broker.ts';
import { leaksIn } from '../../support/canaries.ts';
import { crowd, unaccounted, unfinishedRows } from '../../support/crowd.ts';

/** A sandbox is a process: fifty of them start slowly on two cores, so every day a dozen must do. */
const SANDBOXES = process.env['NIGHTLY'] === undefined ? 12 : 50;
const PEOPLE = 50;
const RELOADS = process.env['NIGHTLY'] === undefined ? 4 : 20;
const { names, users, cluster } = crowd(PEOPLE + SANDBOXES);

async function withBroker(options: LocalBrokerOptions, run: (broker: LocalBroker, ask: Ask) => Promise<void>) {
  const broker = await startLocalBroker({ sweepEveryMs: null, users, simulator: { cluster }, ...options });
  const jwts = new Set<string>();
  broker.simulator?.set({ rateLimit: false });
  try {
    await run(broker, async (user, path = '/gettoken', body = {}) => {
      const jwt = await broker.issuer.accessToken(user);
      jwts.add(jwt);
      const headers = { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' };
      const response = await fetch(broker.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, json: (await response.json()) as Record<string, unknown> };
    });
    expect(await unaccounted(broker)).toEqual([]);
    const secrets = [...jwts, ...(broker.simulator?.tokens() ?? []), broker.simulator?.secretKey() ?? ''];
    expect(
      leaksIn(broker.output.text(), Object.fromEntries(secrets.map((text, at) => [`secret ${at}`, text]))),
    ).toEqual([]);
  } finally {
    await broker.close();
  }
}
type Ask = (user: string, path?: string, body?: unknown) => Promise<{ status: number; json: Record<string, unknown> }>;

test(`${SANDBOXES} identical requests at once, each in a sandbox of its own, make one mint`, async () => {
  await withBroker({ limits: { reservedConcurrency: SANDBOXES } }, async (broker, ask) => {
    const release = broker.simulator?.hold();
    const asked = Promise.all(Array.from({ length: SANDBOXES }, () => ask('alice')));
    const gettoken = broker.functions.get('gettoken');
    // Nobody is answered before all sandboxes are at work: the mint is held until then.
    while ((gettoken?.statistics().sandboxes ?? 0) < SANDBOXES) await new Promise((resolve) => setTimeout(resolve, 20));
    release?.();
    const answers = await asked;
    const tokens = new Set(answers.filter(({ status }) => status === 200).map(({ json }) => json['token']));
    expect(broker.simulator?.state().mints).toBe(1);
    expect(tokens.size).toBe(1);
    const others = answers.filter(({ status }) => status !== 200).map(({ status, json }) => [status, json['code']]);
    expect(others.filter(([status, code]) => status !== 503 || code !== 'mint-in-progress')).toEqual([]);
  });
});

test(`${PEOPLE} people who reload ${RELOADS} times cost ${PEOPLE} mints`, async () => {
  await withBroker({ limits: { reservedConcurrency: 6 } }, async (broker, ask) => {
    const queue = names.slice(0, PEOPLE).flatMap((name) => Array.from({ length: RELOADS }, () => name));
    const statuses: number[] = [];
    const worker = async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) statuses.push((await ask(name)).status);
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(broker.simulator?.state().mints).toBe(PEOPLE);
  });
});

test(`a key rotated under ${SANDBOXES} sandboxes costs together at most one more mint and read per sandbox, and no request`, async () => {
  await withBroker({ limits: { reservedConcurrency: SANDBOXES } }, async (broker, ask) => {
    /** One mint in every sandbox at once: the answers are held until all sandboxes are at work. */
    const everywhere = async (people: readonly string[]) => {
      const release = broker.simulator?.hold();
      const asked = Promise.all(people.map((name) => ask(name)));
      const { promise: all, resolve } = Promise.withResolvers<void>();
      let minting = 0;
      const stop = broker.simulator?.onCall(() => (minting += 1) >= people.length && resolve());
      await all;
      stop?.();
      release?.();
      return asked;
    };
    const [before, after] = [names.slice(0, SANDBOXES), names.slice(PEOPLE, PEOPLE + SANDBOXES)];
    expect((await everywhere(before)).map(({ status }) => status)).toEqual(before.map(() => 200));

    let reads = 0;
    broker.aws.secrets.faults.inject(() => {
      reads += 1;
      return undefined;
    });
    const key = broker.simulator?.rotateKey();
    const digestKey = Buffer.alloc(32, 7).toString('base64');
    broker.aws.secrets.put(SECRET_ID, JSON.stringify({ secretKey: key, digestKey }));
    expect((await Promise.all(after.map((name) => ask(name)))).map(({ status }) => status)).toEqual(
      after.map(() => 200),
    );
    const refused = broker.simulator?.state().refused['POST /api/rest/2.0/auth/token/full']?.['401'] ?? 0;
    expect({ refused: refused <= SANDBOXES, reads: reads <= SANDBOXES }).toEqual({ refused: true, reads: true });
    expect(Math.min(refused, reads)).toBeGreaterThan(0);
  });
});

describe('revocations that ThoughtSpot makes hard', () => {
  /** The demo policy with a validity that a test can outlive. */
  function shortLived(): object {
    const text = readFileSync(join(DEFAULT_POLICY), 'utf8').replaceAll('"minSeconds": 30', '"minSeconds": 3');
    return JSON.parse(text) as object;
  }
  const rows = async (broker: LocalBroker) =>
    (await unfinishedRows(broker)).map(({ user, state }) => `${user} ${state}`);
  const until = (at: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now())));

  test('an outage of twice the validity: accepted at once, tried again, never given up, ended by its own time', async () => {
    await withBroker({ policy: shortLived() }, async (broker, ask) => {
      const { json } = await ask('alice', '/gettoken', { validitySeconds: 4 });
      broker.simulator?.set({ outage: 'error', outageStatus: 503 });
      const issuedAt = Number(json['servedAt']);
      expect(await ask('alice', '/revoketoken')).toEqual({ status: 202, json: { revoked: 0, pending: 1 } });
      await broker.sweep();
      expect(await rows(broker)).toEqual(['alice revoking']);
      await until(issuedAt + 8_000);
      await broker.sweep();
      expect(await rows(broker)).toEqual([]);
      expect(broker.output.text()).toContain('"action":"expire"');
    });
  });

  test('ThoughtSpot no longer knows the token: that counts as revoked', async () => {
    await withBroker({}, async (broker, ask) => {
      const { json } = await ask('alice');
      // Somebody else ended it at ThoughtSpot, as anyone can who holds it.
      await fetch(`${broker.simulator?.url}/api/rest/2.0/auth/token/revoke`, {
        method: 'POST',
        headers: { authorization: `Bearer ${String(json['token'])}`, 'content-type': 'application/json' },
        body: JSON.stringify({ user_identifier: 'alice', token: json['token'] }),
      });
      expect(await ask('alice', '/revoketoken')).toEqual({ status: 200, json: { revoked: 1, pending: 0 } });
      expect(await rows(broker)).toEqual([]);
    });
  });

  test.each([-120_000, 120_000])('a clock that is %i ms off shortens and lengthens no life', async (clockOffsetMs) => {
    await withBroker({}, async (broker, ask) => {
      broker.simulator?.set({ clockOffsetMs });
      const { status, json } = await ask('alice');
      expect(status).toBe(200);
      const lifeMs = Number(json['expiresAt']) - Number(json['servedAt']);
      expect(lifeMs).toBeGreaterThan(280_000);
      expect(lifeMs).toBeLessThanOrEqual(300_000);
      expect(await ask('alice', '/revoketoken')).toEqual({ status: 200, json: { revoked: 1, pending: 0 } });
      expect(broker.simulator?.tokens()).toEqual([]);
    });
  });
});
