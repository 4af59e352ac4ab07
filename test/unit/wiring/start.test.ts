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
