import { SECRET_ID } from '../../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker, type LocalBrokerOptions } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';
import { crowd } from '../../support/crowd.ts';

/** A sandbox is a process: fifty of them start slowly on two cores, so every day eight must do. */
const SANDBOXES = process.env['NIGHTLY'] === undefined ? 8 : 50;
const PEOPLE = process.env['NIGHTLY'] === undefined ? 24 : 50;
const RELOADS = process.env['NIGHTLY'] === undefined ? 4 : 20;
const { names, users, cluster } = crowd(PEOPLE + SANDBOXES);

async function withBroker(options: LocalBrokerOptions, run: (broker: LocalBroker, seen: Witness) => Promise<void>) {
  const broker = await startLocalBroker({ sweepEveryMs: null, users, simulator: { cluster }, ...options });
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

test(`${SANDBOXES} identical requests at once, each in a sandbox of its own, make one mint`, async () => {
  await withBroker({ limits: { reservedConcurrency: SANDBOXES } }, async (broker, seen) => {
    const release = broker.simulator?.hold();
    const asked = Promise.all(Array.from({ length: SANDBOXES }, () => seen.ask('alice')));
    const gettoken = broker.functions.get('gettoken');
    // Nobody is answered before all sandboxes are at work: the mint is held until then.
    while ((gettoken?.statistics().sandboxes ?? 0) < SANDBOXES) await new Promise((resolve) => setTimeout(resolve, 20));
    release?.();
    const answers = await asked;
    const tokens = new Set(answers.filter(({ status }) => status === 200).map(({ json }) => json['token']));
    expect(broker.simulator?.state().mints).toBe(1);
    expect(tokens.size).toBe(1);
    const others = answers.filter(({ status }) => status !== 200).map(({ status, code }) => [status, code]);
    expect(others.filter(([status, code]) => status !== 503 || code !== 'mint-in-progress')).toEqual([]);
  });
});

test(`${PEOPLE} people who reload ${RELOADS} times cost ${PEOPLE} mints`, async () => {
  await withBroker({ limits: { reservedConcurrency: 6 } }, async (broker, seen) => {
    const queue = names.slice(0, PEOPLE).flatMap((name) => Array.from({ length: RELOADS }, () => name));
    const statuses: number[] = [];
    const worker = async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) statuses.push((await seen.ask(name)).status);
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(broker.simulator?.state().mints).toBe(PEOPLE);
  });
});

test('a mint that sets a variable which others change is sent again until it gets through', async () => {
  await withBroker({}, async (broker, seen) => {
    broker.simulator?.set({ faultScope: 'mint', outage: 'error', outageStatus: 409, faultCount: 3 });
    expect(await seen.ask('alice', '/gettoken', { body: { grant: 'regional' } })).toMatchObject({ status: 200 });
    expect(broker.simulator?.state()).toMatchObject({
      mints: 1,
      refused: { 'POST /api/rest/2.0/auth/token/custom': { 409: 3 } },
    });
  });
});

describe(`a key rotated at ThoughtSpot while ${SANDBOXES} sandboxes mint`, () => {
  /** One mint in every sandbox at once: answers are held until each sandbox has a call of its own under way. */
  async function everywhere(broker: LocalBroker, seen: Witness, people: readonly string[]) {
    const release = broker.simulator?.hold();
    const asked = Promise.all(people.map((name) => seen.ask(name)));
    const { promise: all, resolve } = Promise.withResolvers<void>();
    let calls = 0;
    const stop = broker.simulator?.onCall(() => (calls += 1) >= people.length && resolve());
    await all;
    stop?.();
    release?.();
    return (await asked).map(({ status, code }) => (status === 200 ? status : code));
  }
  const refusedMints = (broker: LocalBroker) =>
    broker.simulator?.state().refused['POST /api/rest/2.0/auth/token/full']?.['401'] ?? 0;

  /** The second wave meets the rotated key in every sandbox; what it cost besides one mint each. */
  async function rotate(broker: LocalBroker, seen: Witness, store: (secret: string) => void) {
    const [before, after] = [names.slice(0, SANDBOXES), names.slice(PEOPLE, PEOPLE + SANDBOXES)];
    expect(await everywhere(broker, seen, before)).toEqual(before.map(() => 200));
    const reads: string[] = [];
    broker.aws.secrets.faults.inject(({ input, attempt }) => {
      // With fifty processes on two cores an answer can be so late that the SDK asks once more: that is no other read.
      if (attempt === 1) reads.push(String((input as { VersionStage?: string }).VersionStage ?? 'AWSCURRENT'));
      return undefined;
    });
    const secret = JSON.parse(broker.aws.secrets.values(SECRET_ID).at(-1) ?? '{}') as object;
    store(JSON.stringify({ ...secret, secretKey: broker.simulator?.rotateKey() }));
    const statuses = await everywhere(broker, seen, after);
    expect(broker.functions.get('gettoken')?.statistics().sandboxes).toBe(SANDBOXES);
    return { statuses, refused: refusedMints(broker), reads };
  }
  const all = <T>(value: T) => Array.from({ length: SANDBOXES }, () => value);

  // Every sandbox serves one request and holds the old key, so each is refused and reads at least once: a total of one
  // each can only be exactly one each.
  test('costs each of them one refused mint and one read, and fails no request, if the store has it as AWSCURRENT', async () => {
    await withBroker({ limits: { reservedConcurrency: SANDBOXES } }, async (broker, seen) => {
      const cost = await rotate(broker, seen, (secret) => broker.aws.secrets.put(SECRET_ID, secret));
      expect(cost).toEqual({ statuses: all(200), refused: SANDBOXES, reads: all('AWSCURRENT') });
    });
  });

  test('costs a second read, of the version to come, if the store has it only as AWSPENDING', async () => {
    await withBroker({ limits: { reservedConcurrency: SANDBOXES } }, async (broker, seen) => {
      const cost = await rotate(broker, seen, (secret) => broker.aws.secrets.put(SECRET_ID, secret, ['AWSPENDING']));
      expect({ ...cost, reads: cost.reads.sort() }).toEqual({
        statuses: all(200),
        refused: SANDBOXES,
        reads: [...all('AWSCURRENT'), ...all('AWSPENDING')],
      });
    });
  });

  test('is one clear code if it is nowhere in the store', async () => {
    await withBroker({ limits: { reservedConcurrency: SANDBOXES } }, async (broker, seen) => {
      const { statuses, refused } = await rotate(broker, seen, () => undefined);
      expect({ statuses, refused }).toEqual({ statuses: all('upstream-credential-refused'), refused: SANDBOXES });
    });
  });
});
