/**
 * Sandboxes that stand still, or are told to end, in the middle of a request and between two: SIGSTOP and SIGCONT to the
 * real processes, at each call that they make to AWS and to ThoughtSpot. While one stands still, the clock goes past its
 * deadline, and what it waits for has been answered.
 */
import { lasting, startWatchedBroker, type WatchedBroker } from '../../support/watched-broker.ts';
import type { LocalBroker } from '../../../local/local-broker.ts';
import type { Answered, Request, Witness } from '../../support/broker-witness.ts';
import { crowd } from '../../support/crowd.ts';

const { names, users, cluster } = crowd(60);
const people = [...names];
const somebody = () => people.pop() ?? '';
/** Longer than any invocation of gettoken may last, ms. */
const PAST_DEADLINE_MS = 40_000;
let world: WatchedBroker;
let broker: LocalBroker;
let seen: Witness;

/** Told of each call of a sandbox to DynamoDB or ThoughtSpot as it arrives, and when none is unanswered any more. */
let arrived = (_call: string): void => {};
let allAnswered = (): void => {};
let unanswered = 0;
const began = (call: string) => {
  unanswered += 1;
  arrived(call);
};
const ended = () => {
  unanswered -= 1;
  if (unanswered === 0) allAnswered();
};

beforeAll(async () => {
  world = await startWatchedBroker({
    users,
    simulator: { cluster },
    beforeDynamoDb: (store) => (call, body, request, response) => {
      response.once('close', ended);
      began(call.operation);
      store(call, body, request, response);
    },
  });
  ({ broker, seen } = world);
  broker.simulator?.set({ rateLimit: false });
  broker.simulator?.onCall(({ phase, endpoint }) => (phase === 'arrived' ? began(endpoint) : ended()));
}, 120_000);
afterAll(() => world.close());

const signal = (name: NodeJS.Signals) => {
  for (const pid of broker.functions.get('gettoken')?.pids() ?? []) process.kill(pid, name);
};
const ask = async (user: string, body: object = {}): Promise<Answered> => {
  const authorization = `Bearer ${await broker.issuer.accessToken(user, lasting())}`;
  const request: Request = { authorization, body };
  return seen.ask(user, '/gettoken', request);
};

async function callsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  const calls: string[] = [];
  arrived = (call) => calls.push(call);
  await work();
  arrived = () => {};
  return calls;
}

/** A user with a token, or one who never had any. */
const served = async () => {
  const user = somebody();
  expect((await ask(user)).status).toBe(200);
  return user;
};
const nobodyYet = () => Promise.resolve(somebody());
const sandboxes = () => broker.functions.get('gettoken');

describe.each([
  ['a mint', nobodyYet],
  ['a reuse', served],
] as const)('%s', (_name, userFor) => {
  let calls: readonly string[];
  beforeAll(async () => {
    // Sandboxes that are warm: none of the calls is of a start.
    await ask(somebody());
    const user = await userFor();
    calls = await callsOf(() => ask(user));
    expect(calls.length).toBeGreaterThan(1);
  });

  test('that stands still at any call until after its deadline releases nothing, and every token is accounted for', async () => {
    const released: string[] = [];
    for (const [at, call] of calls.entries()) {
      const user = await userFor();
      const before = seen.liveTokens(user).length;
      let seenCalls = 0;
      // What stands still finds its answer when it goes on, before any timer of its own.
      const { promise: answered, resolve } = Promise.withResolvers<void>();
      arrived = () => {
        if (seenCalls++ !== at) return;
        signal('SIGSTOP');
        allAnswered = resolve;
      };
      const asked = ask(user);
      // The mints of an org are counted once in a while: a call may be missing.
      await Promise.race([answered, asked]);
      [arrived, allAnswered] = [() => {}, () => {}];
      world.later(PAST_DEADLINE_MS);
      signal('SIGCONT');
      const { status } = await asked;
      if (seenCalls <= at) continue;
      if (status === 200) released.push(`${at} ${call}`);
      await seen.sweepToRest();
      if (seen.liveTokens(user).length > before) released.push(`${at} ${call}: a token lives on`);
    }
    expect(released).toEqual([]);
    expect(await seen.unaccounted()).toEqual([]);
  });

  test('that is told to end at any call leaves every token accounted for, and the next request is served', async () => {
    for (const at of calls.keys()) {
      const user = await userFor();
      let seenCalls = 0;
      arrived = () => {
        if (seenCalls++ === at) signal('SIGTERM');
      };
      const { status } = await ask(user);
      arrived = () => {};
      // The platform gives no more work to what it ends.
      sandboxes()?.replace({});
      expect([200, 500, 502, 503, 504]).toContain(status);
      world.later(PAST_DEADLINE_MS);
      await seen.sweepToRest();
      expect(await seen.unaccounted()).toEqual([]);
      expect((await ask(user)).status).toBe(200);
    }
  });
});

test.each(['secrets', 'dynamodb', 'kms'] as const)(
  'a sandbox that is frozen after its answer, while a call to %s is still to be repeated, serves the next request an hour later',
  async (service) => {
    const { faults } = broker.aws[service];
    const user = somebody();
    sandboxes()?.replace({ timeoutMs: 6_000 });
    faults.inject(() => ({ kind: 'hang' }));
    expect((await ask(user)).status).toBeGreaterThanOrEqual(500);
    faults.clear();
    world.later(3_600_000);
    const pids = sandboxes()?.pids();
    // A slow machine may not mint within the short time that this function has.
    for (let asks = 0; asks < 5 && seen.liveTokens(user).length === 0; asks += 1) await ask(user);
    expect(await ask(user)).toMatchObject({ status: 200 });
    expect(sandboxes()?.pids()).toEqual(pids);
    expect(seen.liveTokens(user)).toHaveLength(1);
    expect(await seen.unaccounted()).toEqual([]);
  },
);

test('nothing that was printed or answered holds a secret, in any form', async () => {
  expect(await seen.leaks()).toEqual([]);
});
