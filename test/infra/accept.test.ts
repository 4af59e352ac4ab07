/** Throttling is tried only where it is asked for, since callers feel it. */
import { examineAcceptance } from '../../infra/accept/acceptance.ts';
import { examiner } from '../../infra/doctor/checklist.ts';
import type { Check } from '../../infra/doctor/checklist.ts';
import dev from '../../infra/environments/dev.ts';
import { parseEnvironment } from '../../infra/environments/environment.ts';
import { startLocalBroker, type LocalBroker } from '../../local/local-broker.ts';

const environment = parseEnvironment('dev', dev, { account: '111122223333', region: 'eu-central-1' });
const variables = { ...process.env };
let broker: LocalBroker;
beforeAll(async () => {
  // Far slower than the environment says, so that no slow machine lets everything through.
  broker = await startLocalBroker({ sweepEveryMs: null, throttle: { ratePerSecond: 1, burst: 1 } });
  const nowhere = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' };
  Object.assign(process.env, nowhere);
});
afterAll(async () => {
  process.env = variables;
  await broker.close();
});

async function throttled(throttling: boolean): Promise<Check | undefined> {
  const checks: Check[] = [];
  await examineAcceptance(examiner('broker', checks), { environment, url: broker.url, jwt: undefined, throttling });
  return checks.find(({ name }) => name === 'too many requests are refused');
}

test('without --throttling nothing is tried, and the report says how', async () => {
  expect(await throttled(false)).toMatchObject({
    status: 'skipped',
    detail: 'callers would feel it: add --throttling',
  });
});

test('with --throttling, more requests than the environment lets through are refused', async () => {
  const check = await throttled(true);
  expect(check?.status).toBe('passed');
  expect(check?.detail).toMatch(/^\d+ of 70$/);
});
