import { ENVIRONMENT } from '../../../functions/contract/environment.ts';
import { start } from '../../../functions/wiring/start.ts';

const saved = { ...process.env };
beforeEach(() => {
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  for (const variable of ENVIRONMENT.sweep) delete process.env[variable];
});
afterEach(() => {
  process.env = { ...saved };
  jest.restoreAllMocks();
});

const SWEEP = {
  BROKER_ENVIRONMENT: 'test',
  BROKER_LOG_LEVEL: 'ERROR',
  THOUGHTSPOT_HOST: 'https://acme.thoughtspot.cloud',
  THOUGHTSPOT_DIALECT: 'auth-2.0',
  THOUGHTSPOT_SECRET_ID: 'secret',
  LEDGER_TABLE: 'table',
  LEDGER_KEY_ID: 'alias/key',
  LEDGER_DUE_SHARDS: '16',
  SWEEP_RATE: '50',
};

describe('the start of a sandbox', () => {
  test('begins the work at once, and once', async () => {
    Object.assign(process.env, SWEEP);
    let wired = 0;
    const { ready } = start('sweep', async () => (wired += 1));
    expect(wired).toBe(1);
    expect(await Promise.all([ready(), ready()])).toEqual([1, 1]);
  });

  test('without its environment does not crash: each invocation meets the reason', async () => {
    const { ready, edge } = start('sweep', async () => 'never');
    await expect(ready()).rejects.toMatchObject({ code: 'misconfigured' });
    await expect(ready()).rejects.toMatchObject({ code: 'misconfigured' });
    expect(edge.name).toBe('sweep');
  });

  test('that failed is tried again', async () => {
    Object.assign(process.env, SWEEP);
    let attempts = 0;
    const { ready } = start('sweep', async () => {
      attempts += 1;
      if (attempts === 1) throw new Error('outage');
      return attempts;
    });
    await expect(ready()).rejects.toThrow('outage');
    expect(await ready()).toBe(2);
  });
});

describe('the init phase', () => {
  const never = new Promise<never>(() => {});
  beforeEach(() => {
    Object.assign(process.env, SWEEP);
    jest.useFakeTimers();
  });
  afterEach(() => jest.useRealTimers());

  /** Whether the init phase has ended, by now and after so much time, ms. */
  async function endsAfter(wire: Parameters<typeof start<'sweep', unknown>>[1]): Promise<number | undefined> {
    let ended = false;
    const { initialised } = start('sweep', wire);
    void initialised.then(() => (ended = true));
    for (let ms = 0; ms <= 1_000; ms += 1) {
      await jest.advanceTimersByTimeAsync(ms === 0 ? 0 : 1);
      if (ended) return ms;
    }
    return undefined;
  }
  const after = (ms: number) => ({ warm: () => new Promise((resolve) => setTimeout(resolve, ms)) });

  test('lasts until all that was begun to warm up has ended', async () => {
    expect(await endsAfter((_config, _telemetry, warmUp) => warmUp(after(300), after(700)))).toBe(700);
    expect(await endsAfter(() => 'nothing to warm up')).toBe(0);
  });

  test.each<[string, Parameters<typeof start<'sweep', unknown>>[1]]>([
    ['a warm-up', (_config, _telemetry, warmUp) => warmUp({ warm: () => never }, after(10))],
    ['the wiring', () => never],
  ])('ends after a second where %s hangs', async (_what, wire) => {
    expect(await endsAfter(wire)).toBe(1_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('does not end the sandbox where something fails', async () => {
    const fails = { warm: () => Promise.reject(new Error('outage')) };
    expect(await endsAfter((_config, _telemetry, warmUp) => warmUp(fails, after(300)))).toBe(300);
    expect(await endsAfter(() => Promise.reject(new Error('outage')))).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
  });
});
