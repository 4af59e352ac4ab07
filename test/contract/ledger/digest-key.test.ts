/** The ledger's digest key: one for its life, wrapped in the table, the same for every sandbox. */
import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { SignalName } from '../../../functions/contract/signals.ts';
import { type LedgerStand, startLedgerStand } from '../../support/dynalite.ts';
import { START, TestClock, reservation } from './fixtures.ts';

const HOUR = 3_600_000;
const YEARS = 5 * 365 * 24 * HOUR;
const KEY = marshall({ pk: 'key#test', sk: 'digest' });

describe('the digest key', () => {
  const far = START + 2 * YEARS;
  const clock = new TestClock();
  let stand: LedgerStand;
  beforeEach(async () => {
    stand = await startLedgerStand(clock);
  });
  afterEach(() => stand.close());

  /** As wired: the ledger asks its data keys for it. */
  function sandbox(overrides: Parameters<LedgerStand['sandbox']>[0] = {}) {
    const { dataKeys } = stand.sandbox(overrides);
    return { dataKeys, ledger: stand.sandbox({ digestKey: dataKeys.digest, ...overrides }).ledger };
  }
  const kmsCalls = () => stand.kms.calls.map(({ operation }) => operation);
  const rowOfKey = async () => (await stand.scan()).find((item) => item['sk']?.S === 'digest');

  async function putToken({ ledger }: ReturnType<typeof sandbox>, token: string) {
    const row = reservation();
    await ledger.reserve(row, far);
    const lease = await ledger.transition(row, { to: 'live', dueAt: START, token }, far);
    if (lease === undefined) throw new Error('the row is not live');
    return lease;
  }

  it('is one for all sandboxes that begin at once, and it is the one in the table', async () => {
    const sandboxes = Array.from({ length: 8 }, () => sandbox());
    const digests = await Promise.all(sandboxes.map(({ ledger }) => ledger.digest('one token')));
    expect(new Set(digests).size).toBe(1);
    expect(await sandbox({ makes: false }).ledger.digest('one token')).toBe(digests[0]);
    expect((await stand.scan()).filter((item) => item['pk']?.S === 'key#test')).toHaveLength(1);
  });

  it('is wrapped in a context of its own, and only there', async () => {
    const key = (await sandbox().dataKeys.digest(far)).export();
    const context = { purpose: 'ledger-digest-key', environment: 'test', table: stand.table };
    expect(stand.kms.calls.map(({ operation, input }) => [operation, input['EncryptionContext']])).toEqual([
      ['GenerateDataKey', context],
    ]);
    const wrapped = (await rowOfKey())?.['wrapped']?.B ?? new Uint8Array();
    expect(stand.kms.unwrapped(wrapped, context)).toEqual(key);
    expect(() => stand.kms.unwrapped(wrapped, { ...context, purpose: 'ledger-data-key' })).toThrow();
  });

  it('never leaves the table by itself, and is the same years later', async () => {
    const before = await sandbox().ledger.digest('tok');
    expect(Object.keys((await rowOfKey()) ?? {}).sort()).toEqual(['madeAt', 'pk', 'sk', 'table', 'wrapped']);
    clock.advance(YEARS);
    expect(await sandbox().ledger.digest('tok')).toBe(before);
  });

  it('opens in its own table though its row does not say where it was made, as rows of before do, and then says so', async () => {
    const before = await sandbox().ledger.digest('tok');
    const forget = async () => {
      const { table: _, ...Item } = (await rowOfKey()) ?? {};
      await stand.dynamodb.send(new PutItemCommand({ TableName: stand.table, Item }));
    };
    await forget();
    // Who may not write leaves it as it is.
    expect(await sandbox({ makes: false }).ledger.digest('tok')).toBe(before);
    expect(await rowOfKey()).not.toHaveProperty('table');
    expect(await sandbox().ledger.digest('tok')).toBe(before);
    expect(await rowOfKey()).toHaveProperty('table', { S: stand.table });

    await forget();
    stand.endpoint?.faults.inject(({ operation }) =>
      operation === 'UpdateItem' ? { kind: 'error', type: 'AccessDeniedException' } : undefined,
    );
    expect(await sandbox().ledger.digest('tok')).toBe(before);
    stand.endpoint?.faults.clear();
  });

  it('costs a warm sandbox no call of KMS, in whatever hour', async () => {
    const warm = sandbox();
    await warm.dataKeys.digest(far);
    for (let hour = 0; hour < 3; hour += 1) {
      await warm.ledger.digest('tok');
      clock.advance(HOUR);
    }
    expect(kmsCalls()).toEqual(['GenerateDataKey']);
  });

  it('is there before the first row, so that who may not make it never needs to', async () => {
    const reader = sandbox({ makes: false });
    expect(await reader.ledger.newest('alice', 'f', 1, far)).toEqual([]);
    expect(await reader.ledger.due(0, far, 10, undefined, far)).toEqual({ leases: [] });
    expect(kmsCalls()).toEqual([]);
    const writer = sandbox();
    const row = reservation();
    await writer.ledger.reserve(row, far);
    expect(await rowOfKey()).toBeDefined();
    const { leaseId } = (await reader.ledger.get(row, far)) ?? {};
    expect(leaseId).toMatch(/^[\w-]+$/);
    expect((await writer.ledger.byLeaseId(leaseId ?? '', far))?.user).toBe(row.user);
  });

  it('is asked for and not made by who may not: that would be refused, and alert people', async () => {
    const signals: SignalName[] = [];
    const reader = sandbox({ makes: false, signals: { emit: (signal) => signals.push(signal) } });
    const noKey = { code: 'key-unavailable', reason: 'the digest key is not in the table' };
    await expect(reader.ledger.digest('tok')).rejects.toMatchObject(noKey);
    await expect(reader.dataKeys.warm(far)).rejects.toMatchObject({ code: 'key-unavailable' });
    expect([kmsCalls(), signals]).toEqual([[], []]);
  });

  describe('that KMS does not unwrap', () => {
    it('is key-unavailable to who needs it, and everything else goes on', async () => {
      const row = await putToken(sandbox(), 'tok');
      stand.kms.setEnabled(stand.keyId, false);
      const refused = { code: 'key-unavailable', reason: 'KMS Decrypt: DisabledException' };
      const { ledger } = sandbox();
      await expect(ledger.digest('tok')).rejects.toMatchObject(refused);
      await expect(ledger.byLeaseId(row.leaseId, far)).rejects.toMatchObject(refused);
      await expect(ledger.reserve(reservation(), far)).rejects.toMatchObject(refused);
      // What would be served without its handle is not served.
      await expect(ledger.newest(row.user, row.fingerprint, 1, far)).rejects.toMatchObject(refused);
      // A row is found, taken back and ended without its handle.
      const found = [];
      for await (const lease of ledger.unfinishedOfUser(row.user, far)) found.push(lease);
      expect(found).toMatchObject([{ state: 'live', leaseId: '' }]);
      expect(await ledger.transition(row, { to: 'revoking', dueAt: START }, far)).toMatchObject({ state: 'revoking' });
      expect(await ledger.transition(row, { to: 'expired', dueAt: null }, far)).toMatchObject({ state: 'expired' });
      stand.kms.setEnabled(stand.keyId, true);
      expect(await ledger.get(row, far)).toMatchObject({ leaseId: row.leaseId });
    });

    it('holds up no token that opens: its own row may be damaged', async () => {
      const row = await putToken(sandbox(), 'tok');
      const Item = { ...KEY, wrapped: { B: Buffer.of(1) } };
      await stand.dynamodb.send(new PutItemCommand({ TableName: stand.table, Item }));
      const { ledger } = sandbox();
      expect(await ledger.token(row, far)).toBe('tok');
      expect(await ledger.transition(row, { to: 'revoking', dueAt: START }, far)).toMatchObject({ leaseId: '' });
    });
  });

  it('that is lost is made anew: rows of before are not found by token or lease id, and nothing else changes', async () => {
    const row = await putToken(sandbox(), 'tok');
    await stand.dynamodb.send(new DeleteItemCommand({ TableName: stand.table, Key: KEY }));
    const after = sandbox();
    const withDigest = after.ledger.withDigest(await after.ledger.digest('tok'), far);
    for await (const lease of withDigest) throw new Error(`found ${lease.leaseId}`);
    expect(await after.ledger.byLeaseId(row.leaseId, far)).toBeUndefined();
    expect(await after.ledger.token(row, far)).toBe('tok');
    expect(await after.ledger.transition(row, { to: 'revoking', dueAt: START }, far)).toMatchObject({ sealed: true });
    const next = await putToken(after, 'next');
    expect((await after.ledger.byLeaseId(next.leaseId, far))?.user).toBe(next.user);
  });
});
