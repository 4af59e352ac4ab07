/**
 * The store as DynamoDB documents it: indexes that lag for a minute, rows that move in them while they are read, batches that
 * are throttled in part, and writes whose answers are lost. First what the ledgers promise still, then what the broker does.
 */
import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { BLOCK_SHARDS, EVER } from '../../../functions/broker/blocks.ts';
import type { Reservation, TokenLedger } from '../../../functions/broker/ports.ts';
import type { RevokeSelection, RevokeTally, WhoSelection } from '../../../functions/broker/use-cases.ts';
import { leaseItemKey } from '../../../functions/ledger/item.ts';
import type { AwsCall, Fault } from '../../../local/aws/faults.ts';
import { asOperator, caller, makeWorld, type Process } from '../../support/broker-world.ts';
import { startLedgerStand } from '../../support/dynalite.ts';
import { makeMemoryLedger } from '../../support/memory-ledger.ts';
import { chance } from '../../support/seeded.ts';
import { beforeDynamoDb, LONGEST_LAG_MS, unsteadyBy, type Unsteadiness } from '../../support/unsteady-store.ts';
import { describeBlocks } from './blocks-contract.ts';
import { collect, keyOf, reservation, START, type Subject, TestClock } from './fixtures.ts';
import { describeLedger } from './ledger-contract.ts';
import { describeMintCounts } from './mint-counts-contract.ts';
import { describeUserHolds } from './user-holds-contract.ts';

const FAR = START + 1_000_000_000;
const describeHere = process.env['LEDGER_ENDPOINT'] === undefined ? describe : describe.skip;

/** The SDK tries again once, without a pause. */
const triesOf = (count: number) => ({ getRetryCount: () => count, getRetryDelay: () => 0 });
const AT_ONCE = {
  acquireInitialRetryToken: async () => triesOf(0),
  async refreshRetryTokenForRetry(tries: ReturnType<typeof triesOf>) {
    if (tries.getRetryCount() > 0) throw new Error('the second try has failed');
    return triesOf(1);
  },
  recordSuccess() {},
};

/** A ledger on either store, with the switches of the store. */
interface Stand extends Subject {
  readonly store: Unsteadiness;
}

async function inMemory(): Promise<Stand> {
  const clock = new TestClock();
  const store: Unsteadiness = { now: clock.now };
  const ledger = makeMemoryLedger({ clock, shards: 4, unsteady: store });
  return { ledger, clock, store, other: () => ledger, close: async () => {} };
}

async function onDynamoDb(faultOf: (call: AwsCall) => Fault | undefined = () => undefined): Promise<Stand> {
  const clock = new TestClock();
  const store: Unsteadiness = { now: clock.now };
  const stand = await startLedgerStand(clock, { retryStrategy: AT_ONCE }, beforeDynamoDb(store));
  const { ledger, dataKeys } = stand.sandbox();
  await dataKeys.warm(FAR);
  stand.endpoint?.faults.inject(faultOf);
  return { ledger, clock, store, other: () => stand.sandbox().ledger, close: () => stand.close() };
}

const LAGGING = ['due', 'dueBlocks', 'unfinishedOfCaller', 'unfinishedOfSession', 'withDigest'] as const;

/**
 * The whole contract, where every index lags and up to a third of the keys of every batch is left unprocessed. Reads of an index
 * come when its lag is over: then they show all that there is.
 */
const laggingFor = (start: () => Promise<Stand>) => async (): Promise<Subject> => {
  const stand = await start();
  let waited = 0;
  const now = () => stand.clock.now() + waited;
  Object.assign(stand.store, unsteadyBy(7, now), { leaves: (keys: number) => Math.floor(keys / 3) });
  const patient = (ledger: TokenLedger): TokenLedger =>
    new Proxy(ledger, {
      get(target, property, receiver): unknown {
        if (LAGGING.some((name) => name === property)) waited += LONGEST_LAG_MS;
        return Reflect.get(target, property, receiver);
      },
    });
  return { ...stand, ledger: patient(stand.ledger), other: () => patient(stand.other()) };
};

/**
 * The first try of a call is throttled now and then, or is done and its answer lost. Counts and holds are not among those
 * with lost answers: they say "no" then, and whoever asks looks again.
 */
function faultyBy(seed: number, met: Map<string, number>): (call: AwsCall) => Fault | undefined {
  const random = chance(seed);
  const count = (fault: Fault): Fault => {
    met.set(fault.kind, (met.get(fault.kind) ?? 0) + 1);
    return fault;
  };
  return ({ operation, input, attempt }) => {
    if (attempt > 1) return undefined;
    const { pk } = { ...(input['Key'] ?? input['Item'] ?? {}) } as { readonly pk?: { readonly S?: string } };
    const isKnownAgain = /^(u#|block#|cutoffs|org#|key#)/.test(pk?.S ?? '') && /PutItem|UpdateItem/.test(operation);
    if (isKnownAgain && random.maybe(0.3)) return count({ kind: 'reset', when: 'after' });
    return random.maybe(0.1) ? count({ kind: 'error', type: 'ProvisionedThroughputExceededException' }) : undefined;
  };
}

describeLedger('the ledger in memory, whose indexes lag,', laggingFor(inMemory));
describeBlocks('blocks in memory, whose index lags,', laggingFor(inMemory));
describeHere('on DynamoDB, whose indexes lag, which throttles and loses answers,', () => {
  const met = new Map<string, number>();
  const start = laggingFor(() => onDynamoDb(faultyBy(7, met)));
  describeLedger('the ledger', start);
  describeBlocks('blocks', start);
  describeUserHolds('holds', start);
  describeMintCounts('counts of mints', start);
  test('there was all of that', () => {
    expect(met.get('reset')).toBeGreaterThan(100);
    expect(met.get('error')).toBeGreaterThan(100);
  });
});

describeHere('a page of a hundred rows', () => {
  test('is read to its end where DynamoDB leaves half of what it is asked for, each time', async () => {
    const stand = await onDynamoDb();
    const { ledger, store } = stand;
    const caller = { issuer: 'i', subject: 'page' };
    for (let generation = 1; generation <= 100; generation += 1)
      await ledger.reserve(reservation({ caller, generation, fingerprint: 'f' }), FAR);
    store.leaves = (keys) => Math.floor(keys / 2);
    expect(await collect(ledger.unfinishedOfCaller(caller, FAR))).toHaveLength(100);
    await stand.close();
  });
});

describeHere('a row that DynamoDB has deleted', () => {
  test('is not found, though an index shows it still', async () => {
    const clock = new TestClock();
    const store: Unsteadiness = { now: clock.now };
    const stand = await startLedgerStand(clock, {}, beforeDynamoDb(store));
    const { ledger } = stand.sandbox();
    const [gone, there] = [reservation({ mintDeadlineAt: 5 }), reservation({ mintDeadlineAt: 5 })];
    for (const row of [gone, there]) await ledger.reserve(row, FAR);
    clock.advance(1_000);
    store.ageOf = () => 1_000;
    await stand.dynamodb.send(new DeleteItemCommand({ TableName: stand.table, Key: marshall(leaseItemKey(gone)) }));
    expect((await collect(ledger.unfinishedOfCaller(gone.caller, FAR))).map(keyOf)).toEqual([keyOf(there)]);
    const shards = Array.from({ length: ledger.shards }, (_, shard) => ledger.due(shard, EVER, 9, undefined, FAR));
    expect((await Promise.all(shards)).flatMap(({ leases }) => leases.map(keyOf))).toEqual([keyOf(there)]);
    await stand.close();
  });
});

const STORES: readonly (readonly [string, () => Promise<Stand>])[] = [
  ['in memory', inMemory],
  ...(process.env['LEDGER_ENDPOINT'] === undefined ? [['on DynamoDB', () => onDynamoDb()] as const] : []),
];

describe.each(STORES)('while an index lags, the ledger %s', (_name, start) => {
  let stand: Stand;
  let ledger: TokenLedger;
  beforeAll(async () => {
    stand = await start();
    ({ ledger } = stand);
  });
  afterEach(() => {
    Object.assign(stand.store, { ageOf: undefined, inTwoPlaces: undefined, leaves: undefined });
  });
  afterAll(() => stand.close());

  const lag = (ms: number, inTwoPlaces = false) =>
    Object.assign(stand.store, { ageOf: () => ms, inTwoPlaces: () => inTwoPlaces });
  const dueOf = async (user: string, until = EVER, limit = 100) => {
    const rows: string[] = [];
    for (let shard = 0; shard < ledger.shards; shard += 1) {
      let cursor: string | undefined;
      do {
        const page = await ledger.due(shard, until, limit, cursor, FAR);
        const own = page.leases.filter((lease) => lease.user === user);
        rows.push(...own.map(({ fingerprint, state, dueAt }) => `${fingerprint} ${state} ${dueAt}`));
        cursor = page.next;
      } while (cursor !== undefined);
    }
    return rows.sort();
  };
  async function reserved(over: Partial<Reservation>): Promise<Reservation> {
    const row = reservation({ fingerprint: 'f', ...over });
    await ledger.reserve(row, FAR);
    return row;
  }

  it('finds a new row later, by every index, and by its user at once', async () => {
    lag(1_000);
    const caller = { issuer: 'i', subject: 'new' };
    const row = await reserved({ user: 'new', caller, session: 's', mintDeadlineAt: 7 });
    await ledger.transition(row, { to: 'live', dueAt: 8, token: 'token of new' }, FAR);
    const digest = await ledger.digest('token of new');
    const found = async () => [
      (await dueOf('new')).length,
      (await collect(ledger.unfinishedOfCaller(caller, FAR))).length,
      (await collect(ledger.unfinishedOfSession('i', 's', FAR))).length,
      (await collect(ledger.withDigest(digest, FAR))).length,
      (await collect(ledger.unfinishedOfUser('new', FAR))).length,
      (await ledger.newest('new', 'f', 1, FAR)).length,
    ];
    expect(await found()).toEqual([0, 0, 0, 0, 1, 1]);
    stand.clock.advance(1_000);
    expect(await found()).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('shows no row as it was, and none that has ended since', async () => {
    const caller = { issuer: 'i', subject: 'old' };
    const [ended, changed] = [
      await reserved({ user: 'old', caller, fingerprint: 'ended', mintDeadlineAt: 5 }),
      await reserved({ user: 'old', caller, fingerprint: 'changed', mintDeadlineAt: 6 }),
    ];
    stand.clock.advance(1_000);
    lag(1_000);
    await ledger.transition(ended, { to: 'failed', dueAt: null }, FAR);
    await ledger.transition(changed, { to: 'revoking', dueAt: 9 }, FAR);
    expect([await dueOf('old'), await dueOf('old', 8)]).toEqual([['changed revoking 9'], []]);
    const found = await collect(ledger.unfinishedOfCaller(caller, FAR));
    expect(found.map(keyOf)).toEqual([keyOf(changed)]);
  });

  it('gives a row once that the index shows at two places, as it is while the row moves', async () => {
    const row = await reserved({ user: 'moving', mintDeadlineAt: 5 });
    stand.clock.advance(1_000);
    lag(1_000, true);
    await ledger.transition(row, { to: 'live', dueAt: 9, token: 'token of moving' }, FAR);
    expect(await dueOf('moving')).toEqual(['f live 9']);
    stand.clock.advance(1_000);
    expect(await dueOf('moving')).toEqual(['f live 9']);
  });

  it('gives a block once that the index shows at two places', async () => {
    const scope = { kind: 'subject', issuer: 'i', subject: 'moving' } as const;
    const { block } = await ledger.raiseBlock(scope, { before: 5, dueAt: 5 }, FAR);
    stand.clock.advance(1_000);
    lag(1_000, true);
    await ledger.advanceBlock(block, 'half', 9, FAR);
    const found = [];
    for (let shard = 0; shard < BLOCK_SHARDS; shard += 1)
      found.push(...(await ledger.dueBlocks(shard, 10, 100, undefined, FAR)).blocks);
    expect(found).toEqual([{ ...block, cursor: 'half' }]);
  });
});

const ANN = caller('ann');
const SESSION = 'sid-ann';
const SUBJECT: WhoSelection = { kind: 'user', userNames: [], subjects: [{ issuer: ANN.issuer, subject: ANN.subject }] };
type Asks = (process: Process, token: string) => Promise<RevokeTally>;
const byOperator =
  (selection: RevokeSelection): Asks =>
  (process) =>
    process.revoke(asOperator(), selection);
const signOut =
  (selection: WhoSelection): Asks =>
  (process) =>
    process.shutOut(selection, { kind: 'sign-out' });

/** Each covers the tokens of ann, and none of bob's. */
const REVOCATIONS: readonly (readonly [string, Asks])[] = [
  ['all of their own', (process) => process.revoke('ann')],
  ['their own by its token', (process, token) => process.revoke('ann', { kind: 'token', token })],
  ['one by its token, by an operator', (process, token) => process.revoke(asOperator(), { kind: 'token', token })],
  ['a user', byOperator({ kind: 'user', userNames: ['ann'] })],
  ['an org', byOperator({ kind: 'org', orgId: 1 })],
  ['a version of the policy', byOperator({ kind: 'policy', policyVersion: 'v1' })],
  ['a rule', byOperator({ kind: 'rule', rule: 'members' })],
  ['a subject', byOperator(SUBJECT)],
  ['a subject who is signed out', signOut(SUBJECT)],
  ['a session that is signed out', signOut({ kind: 'session', issuer: ANN.issuer, session: SESSION })],
];

describe('while indexes lag, the revocation of', () => {
  test.each(REVOCATIONS)('%s is called done only when it is, and ends all that it covers', async (_name, ask) => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const world = makeWorld({
        unsteady: (now) => unsteadyBy(seed, now),
        grant: ({ subject }) =>
          subject === ANN.subject
            ? { orgId: 1, rule: 'members' }
            : { orgId: 2, rule: 'guests', policyVersion: 'v2', fingerprint: 'of bob' },
      });
      const { clock, issuer, process } = world;
      const long = { validitySeconds: 3_000 };
      const bobs = await process().getToken('bob', long);
      const { token } = await process().getToken({ ...ANN, session: SESSION }, long);
      await clock.advance(5_000 * seed);
      const { pending } = await clock.drive(ask(process(), token));
      if (pending === 0) expect({ seed, lives: issuer.isLive(token) }).toEqual({ seed, lives: false });
      for (let minute = 0; minute < 5; minute += 1) {
        await clock.advance(60_000);
        await clock.drive(process().sweep());
      }
      expect({ seed, live: issuer.live().map((one) => one.token) }).toEqual({ seed, live: [bobs.token] });
    }
  });
});

test('while the due index lags, sweeps that overlap present each token once, and all of them in the end', async () => {
  const users = Array.from({ length: 12 }, (_, n) => `user${n}`);
  for (let seed = 1; seed <= 8; seed += 1) {
    const world = makeWorld({ shards: 2, sweep: { pageSize: 3 }, unsteady: (now) => unsteadyBy(seed, now) });
    const { clock, issuer, process } = world;
    for (const user of users) await process().getToken(user, { validitySeconds: 3_000 });
    issuer.revokeFault = () => 'down';
    for (const user of users) await clock.drive(process().revoke(user));
    issuer.revokeFault = undefined;
    issuer.calls.revoke.length = 0;
    for (let minute = 0; minute < 4; minute += 1) {
      await clock.drive(Promise.all([process().sweep(), process().sweep()]));
      await clock.advance(60_000);
    }
    expect({ seed, live: issuer.live(), presented: issuer.calls.revoke.length }).toEqual({
      seed,
      live: [],
      presented: users.length,
    });
  }
});

/** DynamoDB has done the write, and refuses it as the SDK sends it again: what it was conditional on is over. */
test.each(['holdUser', 'replaceUserHold', 'addMark', 'replaceMarks'] as const)(
  '%s that says no, though it was done, keeps no mint from going on, and counts it once',
  async (name) => {
    let digest = 'emea';
    const limits = { caller: { mintsPerMinute: 50, liveLeases: 50 }, org: { mintsPerMinute: 50 } };
    const world = makeWorld({ limits, grant: () => ({ entitlements: digest, fingerprint: digest }) });
    const { clock, issuer } = world;
    let done = 0;
    const ledger = new Proxy<TokenLedger>(world.ledger, {
      get(target, property, receiver): unknown {
        const member: unknown = Reflect.get(target, property, receiver);
        if (property !== name || typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          const written: unknown = await Reflect.apply(member, target, args);
          if (written === true) done += 1;
          return done > 1 && written;
        };
      },
    });
    for (let mints = 1; mints <= 25; mints += 1) {
      // One caller's tokens of two digests meet in the user, and marks of what is over pile up until the ring is replaced.
      if (mints % 10 !== 5) await clock.advance(200_000);
      else digest = digest === 'emea' ? 'apac' : 'emea';
      const { reused } = await world.process({ ledger }).getToken('ann', { validitySeconds: 60, fresh: true });
      expect([reused, issuer.calls.mint]).toEqual([false, mints]);
      const { ring } = await ledger.standing({ caller: ANN, orgId: 1 }, Infinity);
      expect(new Set(ring.marks.map(({ id }) => id)).size).toBe(ring.marks.length);
      expect(ring.marks.filter(({ at }) => at === clock.now()).length).toBeGreaterThan(0);
    }
    expect(done).toBeGreaterThan(0);
    expect(await ledger.userHold({ userName: 'ann', orgId: 1 }, Infinity)).toMatchObject({ digest });
  },
);
