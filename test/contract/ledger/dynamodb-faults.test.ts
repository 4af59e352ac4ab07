/** What DynamoDB does wrong, and what the ledger makes of it. Needs the fault switch of the local endpoint. */
import { once } from 'node:events';
import {
  DynamoDBClient,
  type BatchGetItemCommandOutput,
  BatchGetItemCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { LEDGER_INDEXES } from '../../../functions/contract/table.ts';
import { leaseItemKey } from '../../../functions/ledger/item.ts';
import type { AwsEndpoint } from '../../../local/aws/json-endpoint.ts';
import type { Fault } from '../../../local/aws/faults.ts';
import type { SignalName } from '../../../functions/contract/signals.ts';
import type { Failure } from '../../../functions/broker/failure.ts';
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { type LedgerStand, startLedgerStand } from '../../support/dynalite.ts';
import { START, TestClock, collect, reservation } from './fixtures.ts';

const HOUR = 3_600_000;

const describeHere = process.env['LEDGER_ENDPOINT'] === undefined ? describe : describe.skip;

describeHere('the DynamoDB ledger when DynamoDB fails', () => {
  const clock = new TestClock();
  const far = START + 1_000_000_000;
  const signals: SignalName[] = [];
  let stand: LedgerStand;
  let endpoint: AwsEndpoint;
  let ledger: TokenLedger;

  beforeAll(async () => {
    // A machine that stalls must not look like a fault: only the test of a missing answer waits no longer than this.
    stand = await startLedgerStand(clock, { requestHandler: { requestTimeout: 60_000, throwOnRequestTimeout: true } });
    if (!stand.endpoint) throw new Error('needs the local endpoint');
    endpoint = stand.endpoint;
    const { ledger: subject, dataKeys } = stand.sandbox({ signals: { emit: (signal) => signals.push(signal) } });
    ledger = subject;
    await dataKeys.warm(far);
  });
  afterEach(() => {
    endpoint.faults.clear();
    signals.length = 0;
  });
  afterAll(() => stand.close());

  /** Runs `work` while each call of `operation` meets the next of `faults`; the last one stays, undefined lets through. */
  async function during<T>(operation: string, faults: readonly (Fault | undefined)[], work: () => Promise<T>) {
    let met = 0;
    endpoint.faults.inject((call) => {
      if (call.operation !== operation) return undefined;
      met += 1;
      return faults[Math.min(met, faults.length) - 1];
    });
    const result = await work().catch((error: unknown) => error);
    endpoint.faults.clear();
    return { result, calls: met };
  }

  const throttled = { kind: 'error', type: 'ProvisionedThroughputExceededException' } as const;

  it.each<[string, Fault]>([
    ['throttling', throttled],
    ['throttling of the account', { kind: 'error', type: 'ThrottlingException' }],
    ['a failing service', { kind: 'error', type: 'InternalServerError', status: 500 }],
    ['a broken connection', { kind: 'reset', when: 'before' }],
    ['no answer', { kind: 'hang' }],
  ])('tries %s three times and then says that the ledger is unavailable', async (_name, fault) => {
    const row = reservation();
    const client = new DynamoDBClient({
      endpoint: endpoint.url,
      region: 'eu-west-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 3,
      requestHandler: { requestTimeout: 100, throwOnRequestTimeout: true },
    });
    const { ledger: impatient } = stand.sandbox({ client, signals: { emit: (signal) => signals.push(signal) } });
    const { result, calls } = await during('PutItem', [fault], () =>
      (fault.kind === 'hang' ? impatient : ledger).reserve(row, far),
    );
    client.destroy();
    expect(result).toMatchObject({ code: 'ledger-unavailable', retryAfterMs: 1_000 });
    expect((result as Failure).reason).toMatch(/^DynamoDB PutItem: \w+$/);
    expect(calls).toBe(3);
    expect(endpoint.calls.slice(-3).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(signals).toEqual([]);
    expect(await ledger.get(row, far)).toBeUndefined();
  });

  it('gets over a fault that passes', async () => {
    const { result } = await during('PutItem', [throttled, undefined], () => ledger.reserve(reservation(), far));
    expect(result).toBe(true);
  });

  it.each(['AccessDeniedException', 'ResourceNotFoundException', 'UnrecognizedClientException'])(
    'says at once, and to people, that it is denied: %s',
    async (type) => {
      const fault: Fault = { kind: 'error', type };
      const { result, calls } = await during('Query', [fault], () => ledger.newest('alice', 'f', 1, far));
      expect(result).toMatchObject({ code: 'ledger-denied', reason: `DynamoDB Query: ${type}` });
      expect(calls).toBe(1);
      expect(signals).toEqual(['access-denied']);
      const { ledger: unheard } = stand.sandbox();
      const { result: told } = await during('Query', [fault], () => unheard.newest('alice', 'f', 1, far));
      expect(told).toMatchObject({ code: 'ledger-denied' });
    },
  );

  it('calls a request that DynamoDB does not understand its own fault, without the message of the SDK', async () => {
    const fault: Fault = { kind: 'error', type: 'ValidationException', message: 'value canary-4711 is bad' };
    const { result } = await during('GetItem', [fault], () => ledger.get(reservation(), far));
    expect(result).toMatchObject({ code: 'internal-error', reason: 'DynamoDB GetItem: ValidationException' });
    expect(String((result as Error).stack)).not.toContain('canary-4711');
  });

  it('lets go of a stalled endpoint at the deadline', async () => {
    const slow = await startLedgerStand(clock, { requestHandler: { requestTimeout: 60_000 } });
    slow.endpoint?.faults.inject(() => ({ kind: 'hang' }));
    const { ledger: stalled } = slow.sandbox();
    const late = stalled.get(reservation(), clock.now() + 50);
    await expect(late).rejects.toMatchObject({
      code: 'ledger-unavailable',
      reason: 'DynamoDB GetItem: DeadlineError',
    });
    await slow.close();
  });

  it.each<[string, (ledger: TokenLedger, deadline: number) => Promise<unknown>]>([
    ['GetItem', (stuck, deadline) => stuck.get(reservation(), deadline)],
    ['BatchGetItem', (stuck, deadline) => stuck.blocksOn({ orgId: 1 }, deadline)],
    ['Query', (stuck, deadline) => stuck.newest('alice', 'f', 1, deadline)],
    ['PutItem', (stuck, deadline) => stuck.reserve(reservation(), deadline)],
    ['UpdateItem', (stuck, deadline) => stuck.transition(reservation(), { to: 'failed', dueAt: null }, deadline)],
  ])('ends %s itself at the deadline, and leaves no timer behind where there was an answer', async (name, work) => {
    const aborted: boolean[] = [];
    const send = async (_command: unknown, options: object) => {
      const { abortSignal } = options as { abortSignal: AbortSignal };
      await once(abortSignal, 'abort');
      aborted.push(abortSignal.aborted);
      throw abortSignal.reason;
    };
    const { dataKeys } = stand.sandbox();
    await dataKeys.warm(far);
    const { ledger: stuck } = stand.sandbox({ client: { send: send as DynamoDBClient['send'] }, dataKeys });
    await expect(work(stuck, clock.now() + 20)).rejects.toMatchObject({
      code: 'ledger-unavailable',
      reason: `DynamoDB ${name}: DeadlineError`,
    });
    expect(aborted).toEqual([true]);

    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    const before = timers();
    const { ledger: quick } = stand.sandbox({ client: { send: async () => ({ $metadata: {} }) }, dataKeys });
    await work(quick, far);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it.each([
    ['GetItem', throttled],
    ['PutItem', throttled],
  ])('says that it is unavailable, not that a data key is lost, when %s of one fails', async (operation, fault) => {
    clock.advance(HOUR);
    const { dataKeys } = stand.sandbox();
    const { result } = await during(operation, [fault], () => dataKeys.warm(far));
    expect(result).toMatchObject({
      code: 'ledger-unavailable',
      reason: `DynamoDB ${operation}: ProvisionedThroughputExceededException`,
    });
  });

  it('says no more of what is thrown than its name', async () => {
    const { ledger: broken } = stand.sandbox({ client: { send: () => Promise.reject(new TypeError('canary-4711')) } });
    await expect(broken.get(reservation(), far)).rejects.toMatchObject({
      code: 'ledger-unavailable',
      reason: 'DynamoDB GetItem: TypeError',
    });
  });

  it('looks no second time where the first answer is certain', async () => {
    await ledger.reserve(reservation(), far);
    const row = reservation();
    const callsOf = async (work: () => Promise<unknown>) => {
      const before = endpoint.calls.length;
      await work();
      return endpoint.calls.slice(before).map(({ operation }) => operation);
    };
    expect(await callsOf(() => ledger.reserve(row, far))).toEqual(['PutItem']);
    expect(await callsOf(() => ledger.reserve(row, far))).toEqual(['PutItem']);
    const change = { to: 'failed', dueAt: null } as const;
    expect(await callsOf(() => ledger.transition(row, change, far))).toEqual(['UpdateItem']);
    expect(await callsOf(() => ledger.transition(row, change, far))).toEqual(['UpdateItem']);
    const again = () => during('PutItem', [throttled, undefined], () => ledger.reserve(reservation(), far));
    expect(await callsOf(again)).toEqual(['PutItem', 'PutItem']);
  });

  describe('knows its own work where the answer was lost', () => {
    const lost: Fault = { kind: 'reset', when: 'after' };

    it('in a reservation', async () => {
      const row = reservation();
      const { result, calls } = await during('PutItem', [lost, undefined], () => ledger.reserve(row, far));
      expect(calls).toBe(2);
      expect(result).toBe(true);
      expect(await ledger.reserve(row, far)).toBe(false);
    });

    it('in a transition', async () => {
      const row = reservation();
      await ledger.reserve(row, far);
      const change = { to: 'live', dueAt: START, token: 'tok' } as const;
      const { result, calls } = await during('UpdateItem', [lost, undefined], () =>
        ledger.transition(row, change, far),
      );
      expect(calls).toBe(2);
      expect(result).toMatchObject({ state: 'live', sealed: true });
      expect(await ledger.transition(row, change, far)).toBeUndefined();
    });

    it("and does not take another's for it", async () => {
      const row = reservation();
      await ledger.reserve(row, far);
      const again = await during('PutItem', [throttled, undefined], () => ledger.reserve(row, far));
      expect(again.result).toBe(false);
      await ledger.transition(row, { to: 'failed', dueAt: null }, far);
      const change = { to: 'revoking', dueAt: START } as const;
      const late = await during('UpdateItem', [throttled, undefined], () => ledger.transition(row, change, far));
      expect(late.result).toBeUndefined();
    });
  });

  describe('reading many rows', () => {
    /** DynamoDB leaves keys unprocessed when it throttles; dynalite never does. */
    function leavingKeys(rounds: number, all = false): Pick<DynamoDBClient, 'send'> {
      let left = rounds;
      const send = async (command: unknown, options: object) => {
        if (!(command instanceof BatchGetItemCommand) || left === 0) {
          return stand.dynamodb.send(command as never, options);
        }
        left -= 1;
        if (all) return { UnprocessedKeys: command.input.RequestItems };
        const [first, ...rest] = command.input.RequestItems?.[stand.table]?.Keys ?? [];
        const input = { RequestItems: { [stand.table]: { Keys: first ? [first] : [], ConsistentRead: true } } };
        const output: BatchGetItemCommandOutput = await stand.dynamodb.send(new BatchGetItemCommand(input), options);
        return { ...output, UnprocessedKeys: rest.length > 0 ? { [stand.table]: { Keys: rest } } : {} };
      };
      return { send: send as DynamoDBClient['send'] };
    }

    it('asks again for those that were left out', async () => {
      const caller = { issuer: 'i', subject: 'left-out' };
      for (let i = 1; i <= 3; i += 1) await ledger.reserve(reservation({ caller, generation: i }), far);
      await ledger.raiseBlock({ kind: 'org', orgId: 5 }, { before: 77 }, far);
      const { ledger: patient } = stand.sandbox({ client: leavingKeys(2) });
      expect(await collect(patient.unfinishedOfCaller(caller, far))).toHaveLength(3);
      const { ledger: other } = stand.sandbox({ client: leavingKeys(1) });
      expect(await other.blocksOn({ orgId: 5 }, far)).toMatchObject([{ before: 77 }]);
    });

    it('waits twice as long before each round', async () => {
      const slept: number[] = [];
      const patience = { now: clock.now, sleep: async (ms: number) => void slept.push(ms) };
      const caller = { issuer: 'i', subject: 'backed-off' };
      for (let i = 1; i <= 4; i += 1) await ledger.reserve(reservation({ caller, generation: i }), far);
      const options = { clock: patience, randomness: () => 0.5, client: leavingKeys(3) };
      expect(await collect(stand.sandbox(options).ledger.unfinishedOfCaller(caller, far))).toHaveLength(4);
      expect(slept).toEqual([50, 100, 200]);
    });

    it('takes an answer without a single row for what it is', async () => {
      const row = reservation();
      await ledger.reserve(row, far);
      const { ledger: patient } = stand.sandbox({ client: leavingKeys(1, true) });
      const found = await collect(patient.unfinishedOfUser(row.user, far));
      expect(found.map(({ fingerprint }) => fingerprint)).toContain(row.fingerprint);
    });

    it('fails rather than leave any out, once five rounds have come to nothing', async () => {
      const caller = { issuer: 'i', subject: 'never' };
      for (let i = 1; i <= 9; i += 1) await ledger.reserve(reservation({ caller, generation: i }), far);
      for (const client of [leavingKeys(99), leavingKeys(4, true)])
        expect(await collect(stand.sandbox({ client }).ledger.unfinishedOfCaller(caller, far))).toHaveLength(9);
      const { ledger: throttledLedger } = stand.sandbox({ client: leavingKeys(5, true) });
      await expect(collect(throttledLedger.unfinishedOfCaller(caller, far))).rejects.toMatchObject({
        code: 'ledger-unavailable',
        reason: 'DynamoDB BatchGetItem: throttled',
      });
    });

    it('gives what is due as it is by now, though the index lags behind', async () => {
      const shard = 0;
      const inShard = async () => (await ledger.due(shard, 70, 1_000, undefined, far)).leases;
      for (let i = 1; (await inShard()).length < 4; i += 1)
        await ledger.reserve(reservation({ user: 'lagging', generation: i, mintDeadlineAt: 40 + i }), far);
      const [ended, later, sooner, same] = await inShard();
      if (!ended || !later || !sooner || !same) throw new Error('rows are missing');
      const send = async (command: unknown, options: object) => {
        const output = await stand.dynamodb.send(command as never, options);
        if (command instanceof QueryCommand) {
          await ledger.transition(ended, { to: 'failed', dueAt: null }, far);
          await ledger.transition(later, { to: 'live', dueAt: 71, token: 'tok' }, far);
          await ledger.transition(sooner, { to: 'live', dueAt: 70, token: 'tok' }, far);
        }
        return output;
      };
      const { ledger: late } = stand.sandbox({ client: { send: send as DynamoDBClient['send'] } });
      const { leases } = await late.due(shard, 70, 1_000, undefined, far);
      expect(leases.map(({ generation, state, dueAt }) => [generation, state, dueAt])).toEqual([
        [same.generation, 'reserved', same.dueAt],
        [sooner.generation, 'live', 70],
      ]);
    });

    it('has nothing in an index but keys, so that no token is written twice', async () => {
      const row = reservation({ user: 'keys-only', mintDeadlineAt: 30 });
      await ledger.reserve(row, far);
      await ledger.transition(row, { to: 'live', dueAt: 30, token: 'tok' }, far);
      const found = LEDGER_INDEXES.map(async ({ name, partitionKey, sortKey }) => {
        const { Items = [] } = await stand.dynamodb.send(new ScanCommand({ TableName: stand.table, IndexName: name }));
        const keys = new Set(['pk', 'sk', partitionKey.name, sortKey?.name]);
        if (name === 'due') expect(Items.length).toBeGreaterThan(0);
        return Items.flatMap(Object.keys).filter((attribute) => !keys.has(attribute));
      });
      expect((await Promise.all(found)).flat()).toEqual([]);
    });

    it('reads on until the last page', async () => {
      const rows = [1, 2, 3].map((generation) => reservation({ user: 'of-many-pages', generation }));
      for (const row of rows) {
        await ledger.reserve(row, far);
        await ledger.transition(row, { to: 'live', dueAt: START, token: 'one token' }, far);
      }
      const send = async (command: unknown, options: object) =>
        stand.dynamodb.send(
          (command instanceof QueryCommand ? new QueryCommand({ ...command.input, Limit: 1 }) : command) as never,
          options,
        );
      const { ledger: paged } = stand.sandbox({ client: { send: send as DynamoDBClient['send'] } });
      const found = await collect(paged.withDigest(await ledger.digest('one token'), far));
      expect(found.map(({ fingerprint }) => fingerprint).sort()).toEqual(
        rows.map(({ fingerprint }) => fingerprint).sort(),
      );
    });
  });

  it('believes the row and not the index, which lags', async () => {
    const caller = { issuer: 'i', subject: 'lag' };
    const [live, finished] = [reservation({ caller }), reservation({ caller })];
    const foreign = [{ issuer: 'i' }, { subject: 'lag' }].map((half) =>
      reservation({ caller: { issuer: 'other', subject: 'other', ...half } }),
    );
    for (const row of [live, finished, ...foreign]) await ledger.reserve(row, far);
    await ledger.transition(finished, { to: 'failed', dueAt: null }, far);
    const Items = [live, finished, ...foreign].map((row) => marshall(leaseItemKey(row)));
    const send = async (command: unknown, options: object) =>
      command instanceof QueryCommand ? { Items } : stand.dynamodb.send(command as never, options);
    const { ledger: lagging } = stand.sandbox({ client: { send: send as DynamoDBClient['send'] } });
    const found = await collect(lagging.unfinishedOfCaller(caller, far));
    expect(found.map((lease) => lease.fingerprint)).toEqual([live.fingerprint]);
  });

  it('looks up a token by one query that reads no row, whatever its user has had', async () => {
    for (let generation = 1; generation <= 20; generation += 1) {
      const row = reservation({ user: 'of-a-long-history', generation });
      await ledger.reserve(row, far);
      await ledger.transition(row, { to: 'live', dueAt: START, token: `token ${generation}` }, far);
      await ledger.transition(row, { to: 'revoked', dueAt: null }, far);
    }
    const before = endpoint.calls.length;
    expect(await collect(ledger.withDigest(await ledger.digest('garbage'), far))).toEqual([]);
    const calls = endpoint.calls.slice(before);
    expect(calls.map(({ input }) => (input as { IndexName?: string }).IndexName)).toEqual(['token']);
  });

  it('reads strongly wherever a decision hangs on it, and by one call on the way of every token', async () => {
    const row = reservation();
    await ledger.reserve(row, far);
    const { leaseId = '' } = (await ledger.get(row, far)) ?? {};
    const reads: Record<string, () => Promise<unknown>> = {
      newest: () => ledger.newest(row.user, row.fingerprint, 5, far),
      get: () => ledger.get(row, far),
      byLeaseId: () => ledger.byLeaseId(leaseId, far),
      token: () => ledger.token(row, far),
      blocksOn: () => ledger.blocksOn({ orgId: 1 }, far),
      recheck: () => ledger.recheck(row, { ...row.caller, issuedAt: 0 }, far),
      standing: () => ledger.standing({ caller: row.caller, orgId: 1 }, far),
      widestBlocks: () => ledger.widestBlocks(far),
      'data key': () => stand.sandbox().dataKeys.warm(far),
    };
    for (const [name, read] of Object.entries(reads)) {
      const before = endpoint.calls.length;
      await read();
      const calls = endpoint.calls.slice(before);
      expect({ name, calls: calls.length }).toEqual({ name, calls: 1 });
      expect(JSON.stringify(calls[0]?.input)).toContain('"ConsistentRead":true');
    }
    const [lease] = await ledger.newest(row.user, row.fingerprint, 1, far);
    await ledger.transition(row, { to: 'live', dueAt: 1, token: 'once read' }, far);
    const [live] = await ledger.newest(row.user, row.fingerprint, 1, far);
    const noMore = endpoint.calls.length;
    expect(await ledger.token(live ?? row, far)).toBe('once read');
    expect(endpoint.calls.slice(noMore)).toEqual([]);
    expect(await ledger.token(lease ?? row, far)).toBe('once read');

    const before = endpoint.calls.length;
    await collect(ledger.unfinishedOfCaller(row.caller, far));
    const [found, read] = endpoint.calls.slice(before);
    expect(found?.input).toMatchObject({ IndexName: 'caller' });
    expect(JSON.stringify(read?.input)).toContain('"ConsistentRead":true');
  });

  it("finds a user's unfinished rows strongly, and reads none of those that are finished", async () => {
    const user = 'somebody-with-history';
    const caller = { issuer: 'i', subject: user };
    for (let generation = 1; generation <= 20; generation += 1) {
      const row = reservation({ user, generation, caller });
      await ledger.reserve(row, far);
      if (generation > 2) await ledger.transition(row, { to: 'failed', dueAt: null }, far);
    }
    let before = endpoint.calls.length;
    const known = await collect(ledger.unfinishedOfUser(user, far));
    expect(known).toHaveLength(2);
    const [found, read, ...more] = endpoint.calls.slice(before);
    expect(more).toEqual([]);
    expect(found?.input).toMatchObject({ IndexName: 'unfinished', ConsistentRead: true });
    expect(JSON.stringify(read?.input).match(/"pk"/g)).toHaveLength(2);
    expect(JSON.stringify(read?.input)).toContain('"ConsistentRead":true');

    // What was read so is not read again by whoever looks for the caller's rows too.
    before = endpoint.calls.length;
    expect(await collect(ledger.unfinishedOfCaller(caller, far, known))).toEqual([]);
    expect(endpoint.calls.slice(before).map(({ operation }) => operation)).toEqual(['Query']);
  });
});
