/** Tokens in the table: sealed, bound to their rows, and KMS out of the way of a warm sandbox. */
import { DeleteItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { GenerateDataKeyCommandOutput, KMSClient } from '@aws-sdk/client-kms';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { SignalName } from '../../../functions/contract/signals.ts';
import type { Reservation, TokenLedger } from '../../../functions/broker/ports.ts';
import type { DataKeys } from '../../../functions/ledger/data-keys.ts';
import { leaseItemKey } from '../../../functions/ledger/item.ts';
import { type LedgerStand, TEST_DIGEST_KEY, startLedgerStand } from '../../support/dynalite.ts';
import { START, TestClock, reservation } from './fixtures.ts';

type DataKeyOutput = Partial<Pick<GenerateDataKeyCommandOutput, 'CiphertextBlob' | 'Plaintext'>>;

const HOUR = 3_600_000;
const DAY_SECONDS = 86_400;

describe('sealed tokens', () => {
  const far = START + 1_000_000_000;
  const clock = new TestClock();
  let stand: LedgerStand;

  beforeAll(async () => {
    stand = await startLedgerStand(clock);
  });
  // Each test has an hour, and so a data key, of its own.
  beforeEach(() => clock.advance(HOUR));
  afterEach(() => {
    stand.kms.faults.clear();
    stand.kms.setEnabled(stand.keyId, true);
  });
  afterAll(() => stand.close());

  async function putToken(ledger: TokenLedger, token: string): Promise<Reservation> {
    const row = reservation();
    await ledger.reserve(row, far);
    await ledger.transition(row, { to: 'live', dueAt: START, token }, far);
    return row;
  }

  async function kmsCallsDuring(work: () => Promise<unknown>): Promise<string[]> {
    const before = stand.kms.calls.length;
    await work();
    return stand.kms.calls.slice(before).map((call) => call.operation);
  }

  const itemKeyOf = (row: Reservation) => marshall(leaseItemKey(row));
  const itemOf = async (row: Reservation) => {
    const items = await stand.scan();
    return items.find((item) => item['sk']?.S === leaseItemKey(row).sk);
  };

  it('are nowhere in the table in the clear, nor is any key', async () => {
    const canary = 'canary+token/value=for#search';
    const { ledger } = stand.sandbox();
    await putToken(ledger, canary);
    const spelled = (await stand.scan()).flatMap((item) =>
      Object.values(item).flatMap((value) =>
        value.B
          ? [Buffer.from(value.B).toString('latin1'), Buffer.from(value.B).toString('base64')]
          : JSON.stringify(value),
      ),
    );
    const text = spelled.join('\n');
    expect(text).toContain('"live"');
    for (const secret of [canary, TEST_DIGEST_KEY.toString('latin1'), TEST_DIGEST_KEY.toString('base64')]) {
      for (const form of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]) {
        expect(text).not.toContain(form.replace(/=+$/, ''));
      }
    }
  });

  it('do not open in another row', async () => {
    const { ledger } = stand.sandbox();
    const victim = await putToken(ledger, "the victim's");
    const thief = await putToken(ledger, "the thief's");
    const moved = (await itemOf(victim))?.['token'];
    if (!moved) throw new Error('no token in the row');
    await stand.dynamodb.send(
      new UpdateItemCommand({
        TableName: stand.table,
        Key: itemKeyOf(thief),
        UpdateExpression: 'SET #token = :moved',
        ExpressionAttributeNames: { '#token': 'token' },
        ExpressionAttributeValues: { ':moved': moved },
      }),
    );
    await expect(ledger.token(thief, far)).rejects.toMatchObject({ code: 'key-unavailable' });
    expect(await ledger.token(victim, far)).toBe("the victim's");
  });

  it('do not open in another environment, even under its data keys', async () => {
    const { ledger, dataKeys } = stand.sandbox();
    const row = await putToken(ledger, 'of test');
    const { ledger: prod } = stand.sandbox({ environment: 'prod', dataKeys });
    await expect(prod.token(row, far)).rejects.toMatchObject({ code: 'key-unavailable' });
  });

  it('leave the row when it is finished, which then waits for housekeeping off both indexes', async () => {
    const { ledger } = stand.sandbox();
    const row = await putToken(ledger, 'to be revoked');
    await ledger.transition(row, { to: 'revoked', dueAt: null }, far);
    const item = await itemOf(row);
    expect(item).toHaveProperty('state');
    for (const name of ['token', 'dueAt', 'dueShard', 'callerDigest']) expect(item).not.toHaveProperty(name);
    expect(Number(item?.['retention']?.N)).toBe(Math.floor(clock.now() / 1_000) + 30 * DAY_SECONDS);
  });

  it('cost a warm sandbox no call of KMS within the hour, and one in the next', async () => {
    const { ledger, dataKeys } = stand.sandbox();
    expect(await kmsCallsDuring(() => dataKeys.warm(far))).toEqual(['GenerateDataKey']);
    let row: Reservation | undefined;
    const inTheHour = await kmsCallsDuring(async () => {
      row = await putToken(ledger, 'first');
      await ledger.token(row, far);
      await putToken(ledger, 'second');
    });
    expect(inTheHour).toEqual([]);
    clock.advance(HOUR);
    expect(await kmsCallsDuring(() => putToken(ledger, 'third'))).toEqual(['GenerateDataKey']);
    expect(await kmsCallsDuring(() => ledger.token(row ?? reservation(), far))).toEqual([]);
  });

  it('of one sandbox open in another, after one Decrypt in the same context', async () => {
    const row = await putToken(stand.sandbox().ledger, 'shared');
    const { ledger: other } = stand.sandbox();
    const calls = await kmsCallsDuring(async () => {
      expect(await Promise.all([other.token(row, far), other.token(row, far)])).toEqual(['shared', 'shared']);
    });
    expect(calls).toEqual(['Decrypt']);
    expect(stand.kms.calls.at(-1)?.input['EncryptionContext']).toEqual({
      purpose: 'ledger-data-key',
      environment: 'test',
      table: stand.table,
      hour: new Date(clock.now()).toISOString().slice(0, 13),
    });
  });

  it('have one data key an hour, however many sandboxes begin at once', async () => {
    const sandboxes = Array.from({ length: 8 }, () => stand.sandbox());
    const rows = await Promise.all(sandboxes.map(({ ledger }, i) => putToken(ledger, `token ${i}`)));
    for (const [i, row] of rows.entries()) {
      expect(await sandboxes[(i + 1) % 8]?.ledger.token(row, far)).toBe(`token ${i}`);
    }
    const hour = new Date(clock.now()).toISOString().slice(0, 13);
    const keys = (await stand.scan()).filter((item) => item['pk']?.S === 'key#test' && item['sk']?.S === hour);
    expect(keys).toHaveLength(1);
  });

  it('are loaded once for many at a time in one sandbox', async () => {
    const { ledger } = stand.sandbox();
    const calls = await kmsCallsDuring(() => Promise.all(Array.from({ length: 20 }, () => putToken(ledger, 'x'))));
    expect(calls).toEqual(['GenerateDataKey']);
  });

  it('of many hours are opened with a bounded number of keys held', async () => {
    const { ledger } = stand.sandbox({ maxHeld: 2 });
    const rows: Reservation[] = [];
    for (let hour = 0; hour < 3; hour += 1) {
      rows.push(await putToken(ledger, `hour ${hour}`));
      clock.advance(HOUR);
    }
    const [first, second, third] = rows as [Reservation, Reservation, Reservation];
    expect(await kmsCallsDuring(() => ledger.token(third, far))).toEqual([]);
    expect(await kmsCallsDuring(() => ledger.token(first, far))).toEqual(['Decrypt']);
    expect(await kmsCallsDuring(() => ledger.token(second, far))).toEqual(['Decrypt']);
    // First is held still, and used last now: it is second that makes room for third.
    expect(await kmsCallsDuring(() => ledger.token(first, far))).toEqual([]);
    expect(await kmsCallsDuring(() => ledger.token(third, far))).toEqual(['Decrypt']);
    expect(await kmsCallsDuring(() => ledger.token(first, far))).toEqual([]);
    expect(await kmsCallsDuring(() => ledger.token(second, far))).toEqual(['Decrypt']);
  });

  it('are sealed in a second sandbox under the key that the first one made', async () => {
    await stand.sandbox().dataKeys.warm(far);
    expect(await kmsCallsDuring(() => stand.sandbox().dataKeys.warm(far))).toEqual(['Decrypt']);
  });

  /** The real KMS client, whose outputs `touch` sees and may change. */
  const kmsWith = (touch: (output: DataKeyOutput) => unknown): Pick<KMSClient, 'send'> => {
    const send = async (command: never, options: never) => {
      const output = (await stand.kmsClient.send(command, options)) as DataKeyOutput;
      await touch(output);
      return output;
    };
    return { send: send as KMSClient['send'] };
  };

  it.each<[string, boolean, (output: DataKeyOutput) => unknown]>([
    ['made without a key in the answer', false, (output) => delete output.Plaintext],
    ['made too short', false, (output) => (output.Plaintext = output.Plaintext?.subarray(16))],
    ['unwrapped without a key in the answer', true, (output) => delete output.Plaintext],
    ['unwrapped too long', true, (output) => (output.Plaintext = new Uint8Array(33))],
  ])('are not sealed under a data key that KMS has %s', async (_case, isThere, touch) => {
    if (isThere) await stand.sandbox().dataKeys.warm(far);
    const { dataKeys } = stand.sandbox({ kms: kmsWith(touch) });
    await expect(dataKeys.current(far)).rejects.toMatchObject({
      code: 'key-unavailable',
      reason: 'KMS returned no 256-bit key',
    });
    // Nothing was stored that would stand in the way of the next sandbox.
    await stand.sandbox().dataKeys.warm(far);
  });

  it('are not sealed under a data key that could not be kept: nobody else would open them', async () => {
    const { dataKeys } = stand.sandbox({ kms: kmsWith((output) => delete output.CiphertextBlob) });
    const hour = new Date(clock.now()).toISOString().slice(0, 13);
    await expect(dataKeys.current(far)).rejects.toMatchObject({
      code: 'key-unavailable',
      reason: `the data key of ${hour} is not in the table`,
    });
  });

  it.each<[string, (dataKeys: DataKeys) => unknown]>([
    ['made', () => undefined],
    ['made when another sandbox was first', (other) => other.warm(far)],
  ])('leave no copy of their key in the buffers of the SDK once it is %s', async (_case, meanwhile) => {
    const returned: Uint8Array[] = [];
    const { dataKeys } = stand.sandbox({
      kms: kmsWith(async ({ Plaintext: plaintext }) => {
        if (plaintext) returned.push(plaintext);
        if (returned.length === 1) await meanwhile(stand.sandbox().dataKeys);
      }),
    });
    const { key } = await dataKeys.current(far);
    expect(key.symmetricKeySize).toBe(32);
    expect(returned.length).toBeGreaterThan(0);
    for (const buffer of returned) expect(buffer).toEqual(new Uint8Array(32));
    expect((await stand.sandbox().dataKeys.current(far)).key.equals(key)).toBe(true);
  });

  it('give every call for their key a signal by which it is let go of', async () => {
    const sent: string[] = [];
    const heard = (client: { send: (command: never, options: object) => Promise<unknown> }) => ({
      send: (command: object, options: object) => {
        expect(options).toEqual({ abortSignal: expect.any(AbortSignal) as AbortSignal });
        sent.push(command.constructor.name);
        return client.send(command as never, options);
      },
    });
    const clients = { dynamodb: heard(stand.dynamodb) as never, kms: heard(stand.kmsClient) as never };
    for (const first of [true, false]) {
      sent.length = 0;
      await stand.sandbox(clients).dataKeys.warm(far);
      const calls = first ? ['GenerateDataKeyCommand', 'PutItemCommand'] : ['DecryptCommand'];
      expect(sent).toEqual(['GetItemCommand', ...calls]);
    }
  });

  describe('without their key', () => {
    it.each(['DisabledException', 'AccessDeniedException', 'KMSInvalidStateException', 'NotFoundException'])(
      'fail closed, tell people, and work again once it is back (%s)',
      async (type) => {
        const signals: SignalName[] = [];
        const { ledger } = stand.sandbox({ signals: { emit: (signal) => signals.push(signal) } });
        const row = reservation();
        await ledger.reserve(row, far);
        const live = { to: 'live', dueAt: START, token: 'unsealable' } as const;
        clock.advance(HOUR);
        stand.kms.faults.inject(() => ({ kind: 'error', type }));
        await expect(ledger.transition({ ...row }, live, far)).rejects.toMatchObject({
          code: 'key-unavailable',
          reason: `KMS GenerateDataKey: ${type}`,
        });
        expect(await ledger.get(row, far)).toMatchObject({ state: 'reserved', sealed: false });
        expect(signals).toEqual(['access-denied']);
        stand.kms.faults.clear();
        expect(await ledger.transition(row, live, far)).toMatchObject({ state: 'live', sealed: true });
      },
    );

    it('are sealed with the key that their reservation was promised, though the hour has turned', async () => {
      const { ledger } = stand.sandbox();
      const row = reservation();
      await ledger.reserve(row, far);
      clock.advance(HOUR);
      stand.kms.faults.inject(() => ({ kind: 'error', type: 'KMSInternalException', status: 500 }));
      const live = await ledger.transition(row, { to: 'live', dueAt: START, token: 'promised' }, far);
      expect(live).toMatchObject({ state: 'live', sealed: true });
      stand.kms.faults.clear();
      expect(await stand.sandbox().ledger.token(row, far)).toBe('promised');
    });

    it('do not ask KMS again for four times as long as its refusal took', async () => {
      const row = await putToken(stand.sandbox().ledger, 'slow to refuse');
      const { ledger } = stand.sandbox();
      stand.kms.faults.inject(() => {
        clock.advance(1_000);
        return { kind: 'error', type: 'DisabledException' };
      });
      const ask = () => expect(ledger.token(row, far)).rejects.toMatchObject({ code: 'key-unavailable' });
      expect(await kmsCallsDuring(ask)).toEqual(['Decrypt']);
      clock.advance(3_999);
      expect(await kmsCallsDuring(ask)).toEqual([]);
      stand.kms.faults.clear();
      clock.advance(1);
      expect(await ledger.token(row, far)).toBe('slow to refuse');
    });

    it('tell nobody to act where waiting helps', async () => {
      const signals: SignalName[] = [];
      const { dataKeys } = stand.sandbox({ signals: { emit: (signal) => signals.push(signal) } });
      stand.kms.faults.inject(() => ({ kind: 'error', type: 'KMSInternalException', status: 500 }));
      await expect(dataKeys.warm(far)).rejects.toMatchObject({
        code: 'key-unavailable',
        reason: 'KMS GenerateDataKey: KMSInternalException',
      });
      expect(signals).toEqual([]);
    });

    it('are not even asked for: nothing is reserved', async () => {
      const { ledger } = stand.sandbox();
      const row = reservation();
      stand.kms.setEnabled(stand.keyId, false);
      await expect(ledger.reserve(row, far)).rejects.toMatchObject({ code: 'key-unavailable' });
      expect(await ledger.get(row, far)).toBeUndefined();
    });

    it('do not make a late caller load it', async () => {
      const { dataKeys } = stand.sandbox();
      const calls = await kmsCallsDuring(() =>
        expect(dataKeys.warm(clock.now())).rejects.toMatchObject({ code: 'key-unavailable' }),
      );
      expect(calls).toEqual([]);
    });

    it('do not open in a sandbox that comes after the key was disabled', async () => {
      const row = await putToken(stand.sandbox().ledger, 'locked in');
      stand.kms.setEnabled(stand.keyId, false);
      const { ledger } = stand.sandbox();
      await expect(ledger.token(row, far)).rejects.toMatchObject({
        code: 'key-unavailable',
        retryAfterMs: 1_000,
        reason: 'KMS Decrypt: DisabledException',
      });
      // Taking it back needs no key but the token does: the row itself can still be worked on.
      expect(await ledger.transition(row, { to: 'revoking', dueAt: START }, far)).toMatchObject({ sealed: true });
    });

    it('do not open when the data key is gone from the table, and nobody makes another in its place', async () => {
      const row = await putToken(stand.sandbox().ledger, 'lost');
      const hour = new Date(clock.now()).toISOString().slice(0, 13);
      const lost = marshall({ pk: 'key#test', sk: hour });
      await stand.dynamodb.send(new DeleteItemCommand({ TableName: stand.table, Key: lost }));
      const { ledger } = stand.sandbox();
      const calls = await kmsCallsDuring(() =>
        expect(ledger.token(row, far)).rejects.toMatchObject({
          code: 'key-unavailable',
          reason: `the data key of ${hour} is not in the table`,
        }),
      );
      expect(calls).toEqual([]);
    });

    it('do not keep a caller past its deadline, and do not end the load of one who may wait', async () => {
      const { ledger } = stand.sandbox();
      const rows = [reservation(), reservation()] as const;
      for (const row of rows) await ledger.reserve({ ...row }, far);
      clock.advance(HOUR);
      stand.kms.faults.inject(() => ({ kind: 'latency', ms: 300 }));
      const live = { to: 'live', dueAt: START, token: 'slow' } as const;
      const patient = ledger.transition(rows[1], live, far);
      await expect(ledger.transition(rows[0], live, clock.now() + 30)).rejects.toMatchObject({
        code: 'key-unavailable',
        reason: 'KMS data key: DeadlineError',
      });
      expect(await patient).toMatchObject({ state: 'live' });
    });
  });

  it('whose envelope is of an unknown version do not open', async () => {
    const { ledger } = stand.sandbox();
    const row = await putToken(ledger, 'of the future');
    await stand.dynamodb.send(
      new UpdateItemCommand({
        TableName: stand.table,
        Key: itemKeyOf(row),
        UpdateExpression: 'SET #token = :token',
        ExpressionAttributeNames: { '#token': 'token' },
        ExpressionAttributeValues: { ':token': { B: Buffer.concat([Buffer.of(2), Buffer.alloc(60)]) } },
      }),
    );
    await expect(ledger.token(row, far)).rejects.toMatchObject({
      code: 'key-unavailable',
      reason: 'a sealed token does not open: altered, moved from another row, or sealed by a newer version',
    });
  });

  it('are not mistaken where a row makes no sense, and its values stay out of the error', async () => {
    const { ledger } = stand.sandbox();
    const row = await putToken(ledger, 'of a broken row');
    await stand.dynamodb.send(
      new UpdateItemCommand({
        TableName: stand.table,
        Key: itemKeyOf(row),
        UpdateExpression: 'SET #state = :state',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':state': { S: 'canary-state' } },
      }),
    );
    const failure = await ledger.get(row, far).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'internal-error', reason: 'a row of the ledger does not parse at state' });
  });
});
