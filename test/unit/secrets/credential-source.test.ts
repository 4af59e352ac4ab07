import * as fc from 'fast-check';
import { Failure } from '../../../functions/broker/failure.ts';
import type { Credential } from '../../../functions/broker/ports.ts';
import { makeCredentialSource } from '../../../functions/secrets/credential-source.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { awsError, secretStore, secretText, type Stage } from '../../support/secrets-manager.ts';
import { recordTelemetry } from '../../support/telemetry-record.ts';

const FAR = START + 1e12;
const version = (name: string, more: object = {}) => ({ version: name, text: secretText(`key-${name}`, more) });
const keyOf = (credential: Credential | undefined) =>
  credential?.kind === 'secret-key' ? credential.secretKeyFor(0) : credential;

function world(initial: Parameters<typeof secretStore>[0]) {
  const clock = makeFakeClock();
  const store = secretStore(initial);
  const record = recordTelemetry();
  const { log, signals, conceal } = record.telemetry;
  const source = makeCredentialSource({ client: store.client, secretId: 's', clock, log, signals, conceal });
  return { clock, store, source, ...record };
}

const unreachable = () => awsError('TimeoutError');

describe('the credential', () => {
  test('is read once and kept for its maximum age', async () => {
    const { source, store, clock } = world({ AWSCURRENT: version('a') });
    await source.current(FAR);
    await clock.advance(299_999);
    await source.current(FAR);
    expect(store.reads).toHaveLength(1);
    store.put('AWSCURRENT', version('b'));
    await clock.advance(1);
    expect(keyOf(await source.current(FAR))).toBe('key-b');
    expect(store.reads).toHaveLength(2);
  });

  test('is read once for all who ask at the same time', async () => {
    const { source, store } = world({ AWSCURRENT: version('a') });
    await Promise.all([source.current(FAR), source.current(FAR), source.current(FAR)]);
    expect(store.reads).toHaveLength(1);
  });

  test('is kept out of every line as soon as it is read', async () => {
    const { source, concealed } = world({ AWSCURRENT: version('a', { orgs: { 1: { secretKey: 'org-key' } } }) });
    await source.current(FAR);
    expect(concealed).toEqual(expect.arrayContaining(['key-a', 'org-key']));
  });

  test.each([
    ['ResourceNotFoundException', 'misconfigured', 0],
    ['InvalidRequestException', 'misconfigured', 0],
    ['AccessDeniedException', 'secret-unavailable', 1],
    ['DecryptionFailure', 'secret-unavailable', 1],
    ['TimeoutError', 'secret-unavailable', 0],
    ['InternalServiceError', 'secret-unavailable', 0],
    ['ThrottlingException', 'secret-unavailable', 0],
  ])('that cannot be read for %s fails as %s, and a later read is not poisoned', async (name, code, denied) => {
    const { source, store, counted } = world({ AWSCURRENT: awsError(name) });
    await expect(source.current(FAR)).rejects.toMatchObject({ code });
    expect(counted('access-denied')).toBe(denied);
    store.put('AWSCURRENT', version('a'));
    expect(keyOf(await source.current(FAR))).toBe('key-a');
  });

  test('that has never had a value is the first run, which ends with the first value', async () => {
    const { source, store, counted } = world({});
    await expect(source.current(FAR)).rejects.toMatchObject({ code: 'not-set-up', retryAfterMs: 60_000 });
    expect(counted('access-denied')).toBe(0);
    store.put('AWSCURRENT', version('a'));
    expect(keyOf(await source.current(FAR))).toBe('key-a');
  });

  test('that is malformed is a misconfiguration, also where an older one is cached', async () => {
    const { source, store, clock } = world({ AWSCURRENT: version('a') });
    await source.current(FAR);
    store.put('AWSCURRENT', { version: 'b', text: '{}' });
    await clock.advance(300_000);
    await expect(source.current(FAR)).rejects.toMatchObject({ code: 'misconfigured' });
  });

  test('is used beyond its age while the store is out of reach, for an hour at most, asking every 10 s', async () => {
    const { source, store, clock, counted } = world({ AWSCURRENT: version('a') });
    await source.current(FAR);
    store.put('AWSCURRENT', unreachable());
    await clock.advance(300_000);
    expect(keyOf(await source.current(FAR))).toBe('key-a');
    await source.current(FAR);
    expect({ reads: store.reads.length, stale: counted('secret-stale') }).toEqual({ reads: 2, stale: 1 });
    await clock.advance(10_000);
    await source.current(FAR);
    expect(store.reads).toHaveLength(3);
    await clock.advance(3_600_000 - 310_000);
    await expect(source.current(FAR)).rejects.toMatchObject({ code: 'secret-unavailable' });
  });

  test('is not used beyond its age where access is denied: somebody may mean it', async () => {
    const { source, store, clock } = world({ AWSCURRENT: version('a') });
    await source.current(FAR);
    store.put('AWSCURRENT', awsError('AccessDeniedException'));
    await clock.advance(300_000);
    await expect(source.current(FAR)).rejects.toMatchObject({ code: 'secret-unavailable' });
  });

  test('that is not read by the deadline fails then, and still serves whoever comes next', async () => {
    const { source, store, clock } = world({ AWSCURRENT: version('a') });
    let open = () => {};
    store.holdReads(() => new Promise((resolve) => (open = resolve)));
    const late = source.current(clock.now() + 500);
    await expect(clock.drive(late)).rejects.toMatchObject({ code: 'secret-unavailable' });
    const next = source.current(FAR);
    open();
    expect(keyOf(await next)).toBe('key-a');
    expect(store.reads).toHaveLength(1);
  });

  test('is read anew once a read has stood still with its sandbox for longer than a read may take', async () => {
    const { source, store, clock } = world({ AWSCURRENT: version('a') });
    store.holdReads(() => new Promise(() => {}));
    void source.current(FAR);
    await clock.advance(3_000);
    store.holdReads(undefined);
    expect(keyOf(await source.current(FAR))).toBe('key-a');
    expect(store.reads).toHaveLength(2);
  });
});

describe('after ThoughtSpot refused the credential', () => {
  test('the current stage is read again', async () => {
    const { source, store, counted } = world({ AWSCURRENT: version('a') });
    const refused = await source.current(FAR);
    store.put('AWSCURRENT', version('b'));
    expect(keyOf(await source.replacementFor(refused, FAR))).toBe('key-b');
    expect(keyOf(await source.current(FAR))).toBe('key-b');
    expect({ reads: store.reads.length, reloaded: counted('credential-reloaded') }).toEqual({ reads: 2, reloaded: 1 });
  });

  test('then the pending one, which stays in use though the refused one is still current', async () => {
    const { source, store, clock } = world({ AWSCURRENT: version('a'), AWSPENDING: version('b') });
    const refused = await source.current(FAR);
    expect(keyOf(await source.replacementFor(refused, FAR))).toBe('key-b');
    expect(store.reads).toEqual(['AWSCURRENT', 'AWSCURRENT', 'AWSPENDING']);
    await clock.advance(300_000);
    expect(keyOf(await source.current(FAR))).toBe('key-b');
    store.put('AWSCURRENT', version('c'));
    await clock.advance(300_000);
    expect(keyOf(await source.current(FAR))).toBe('key-c');
  });

  test('there is none where both stages hold the refused one, under whatever version', async () => {
    const same = { version: 'a-again', text: version('a').text };
    const { source } = world({ AWSCURRENT: version('a'), AWSPENDING: same });
    const refused = await source.current(FAR);
    expect(await source.replacementFor(refused, FAR)).toBeUndefined();
  });

  test('a stampede reads once, and the next only after a cool-down of 1 s, then of 2 s', async () => {
    const { source, store, clock } = world({ AWSCURRENT: version('a') });
    const refused = await source.current(FAR);
    const all = await Promise.all(Array.from({ length: 20 }, () => source.replacementFor(refused, FAR)));
    expect(all.every((found) => found === undefined)).toBe(true);
    expect(store.reads).toEqual(['AWSCURRENT', 'AWSCURRENT', 'AWSPENDING']);
    for (const pauseMs of [1_000, 2_000, 2_000]) {
      store.reads.length = 0;
      await clock.advance(pauseMs - 1);
      expect(await source.replacementFor(refused, FAR)).toBeUndefined();
      expect(store.reads).toEqual([]);
      await clock.advance(1);
      expect(await source.replacementFor(refused, FAR)).toBeUndefined();
      expect(store.reads).toEqual(['AWSCURRENT', 'AWSPENDING']);
    }
    store.put('AWSCURRENT', version('b'));
    await clock.advance(2_000);
    expect(keyOf(await source.replacementFor(refused, FAR))).toBe('key-b');
    const next = await source.current(FAR);
    await clock.advance(1_000);
    store.reads.length = 0;
    expect(await source.replacementFor(next, FAR)).toBeUndefined();
    expect(store.reads).toEqual(['AWSCURRENT', 'AWSPENDING']);
  });

  test('who was refused with an older one gets the current one without a read', async () => {
    const { source, store } = world({ AWSCURRENT: version('a') });
    const refused = await source.current(FAR);
    store.put('AWSCURRENT', version('b'));
    await source.replacementFor(refused, FAR);
    const reads = store.reads.length;
    expect(keyOf(await source.replacementFor(refused, FAR))).toBe('key-b');
    expect(store.reads).toHaveLength(reads);
  });

  test('an unreadable store means no replacement, not a crash, and is told', async () => {
    const { source, store, lines } = world({ AWSCURRENT: version('a') });
    const refused = await source.current(FAR);
    store.put('AWSCURRENT', unreachable());
    expect(await source.replacementFor(refused, FAR)).toBeUndefined();
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error' }));
  });

  test.each([
    ['the refused one', 'a'],
    ['one between the refused and the newest', 'b'],
  ])('a read that began before the reload and found %s does not overwrite the newest', async (_name, found) => {
    const { source, store, clock } = world({ AWSCURRENT: version('a') });
    const refused = await source.current(FAR);
    await clock.advance(300_000);
    store.put('AWSCURRENT', version(found));
    let openFirst = () => {};
    store.holdReads(() => new Promise((resolve) => (openFirst = resolve)));
    const early = source.current(FAR);
    store.holdReads(undefined);
    store.put('AWSCURRENT', version('c'));
    expect(keyOf(await source.replacementFor(refused, FAR))).toBe('key-c');
    openFirst();
    expect(keyOf(await early)).toBe('key-c');
    expect(keyOf(await source.current(FAR))).toBe('key-c');
  });
});

test('whatever rotations, outages and refusals come, no reader sees a version older than one seen before', async () => {
  const step = fc.oneof(
    fc.constant({ kind: 'rotate' } as const),
    fc.constant({ kind: 'ask' } as const),
    fc.constant({ kind: 'refused' } as const),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 30_000, 300_000) }),
    fc.record({ kind: fc.constant('outage' as const), on: fc.boolean() }),
    fc.record({ kind: fc.constant('latency' as const), ms: fc.constantFrom(0, 0, 400, 2_500) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      let newest = 1;
      const rotated = (): readonly [Stage, ReturnType<typeof version>] => ['AWSCURRENT', version(String(newest))];
      const { source, store, clock } = world({ AWSCURRENT: version('1') });
      const seen: number[] = [];
      let last: Credential | undefined;
      const asked: Promise<void>[] = [];
      const ask = async (ask: Promise<Credential | undefined>) => {
        try {
          const credential = await ask;
          if (credential === undefined) return;
          last = credential;
          seen.push(Number(credential.version));
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
        }
      };
      for (const each of steps) {
        if (each.kind === 'rotate') {
          newest += 1;
          store.put(...rotated());
        } else if (each.kind === 'outage') store.put('AWSCURRENT', each.on ? unreachable() : version(String(newest)));
        else if (each.kind === 'latency') store.holdReads(each.ms === 0 ? undefined : () => clock.sleep(each.ms));
        else if (each.kind === 'wait') await clock.advance(each.ms);
        else if (each.kind === 'ask') asked.push(ask(source.current(FAR)));
        else if (last !== undefined) asked.push(ask(source.replacementFor(last, FAR)));
      }
      await clock.advance(60_000);
      await Promise.all(asked);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    }),
    {
      numRuns: 300,
      // Found once by chance: a read that was over before the reload was handed out after it.
      examples: [
        [[{ kind: 'ask' }, { kind: 'wait', ms: 300_000 }, { kind: 'ask' }, { kind: 'rotate' }, { kind: 'refused' }]],
      ],
    },
  );
});
