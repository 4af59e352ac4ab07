/**
 * What `npm run accept` says where nothing can be accepted; that it waits for limits; and that throttling is tried only
 * where it is asked for, since callers feel it. Against an emulator of AWS: test/deploy.
 */
import { spawnSync } from 'node:child_process';
import { examineAcceptance } from '../../infra/accept/acceptance.ts';
import { patiently } from '../../infra/doctor/attention.ts';
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
  await examineAcceptance(examiner('broker', checks), { environment, url: broker.url, callers: [], throttling });
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

describe('the command', () => {
  const accept = (args: readonly string[], variables: Record<string, string> = {}) => {
    const nowhere = { AWS_CONFIG_FILE: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '/nowhere' };
    const env = { PATH: process.env['PATH'], AWS_EC2_METADATA_DISABLED: 'true', ...nowhere, ...variables };
    return spawnSync(process.execPath, ['infra/accept.ts', ...args], { encoding: 'utf8', env });
  };

  test('accepts nothing without a caller, and nothing that it does not find', () => {
    const { status, stderr } = accept(['--env', 'dev', '--region', 'eu-central-1']);
    expect([status, stderr]).toEqual([2, expect.stringContaining('set BROKER_JWT, or give --jwt')]);
    const lost = accept(['--env', 'dev', '--region', 'eu-central-1', '--json'], { BROKER_JWT: 'a.b.c' });
    expect([lost.status, lost.stderr]).toEqual([1, '']);
    const { healthy, checks } = JSON.parse(lost.stdout) as { healthy: boolean; checks: Check[] };
    expect(healthy).toBe(false);
    expect(checks.find(({ name }) => name === 'acceptance')).toMatchObject({
      status: 'failed',
      detail: 'the broker was not found, so nothing of it was tried',
    });
  });

  test('explains itself, also by -h', () => {
    expect(accept(['-h'])).toMatchObject({ status: 0, stdout: expect.stringContaining('npm run accept') as string });
  });
});

describe('a request that is one too many', () => {
  const answers = (...all: readonly (readonly [status: number, retryAfter?: string])[]) => {
    const left = [...all];
    return () => {
      const [status = 500, retryAfter] = left.shift() ?? [];
      const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
      return Promise.resolve(new Response('', { status, headers }));
    };
  };
  const waits: number[] = [];
  const wait = (ms: number) => Promise.resolve(waits.push(ms));
  beforeEach(() => (waits.length = 0));

  test('is sent again once it may be', async () => {
    expect((await patiently(answers([429, '41'], [200]), wait)).status).toBe(200);
    expect(waits).toEqual([41_000]);
  });

  test.each<[string, readonly [status: number, retryAfter?: string]]>([
    ['is not for a limit that lasts', [429, '3600']],
    ['is not where nobody says when', [429]],
    ['is not for another refusal', [503, '1']],
  ])('%s', async (_what, refusal) => {
    expect((await patiently(answers(refusal, [200]), wait)).status).toBe(refusal[0]);
    expect(waits).toEqual([]);
  });
});
