/** `npm run schedules -- replay`: what failed after all retries is revoked, and what fails again stays in the queue. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { startDeadLetters } from '../support/dead-letters.ts';

const program = path.join(import.meta.dirname, '../../infra/schedules.ts');
const QUEUE = 'thoughtspot-broker-prod-revoketoken-dead-letters';

const missed = {
  source: 'schedule',
  name: 'end-of-day',
  scheduledTime: '2026-11-26T19:00:00Z',
  select: { all: true },
};
const left = {
  'detail-type': 'user.deprovisioned',
  source: 'com.example.identity',
  time: '2026-11-26T20:00:00Z',
  detail: { userNames: ['alice'] },
};
/** As a destination of Lambda gets it: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html */
const wrapped = {
  version: '1.0',
  timestamp: '2026-11-26T20:05:00Z',
  requestContext: { requestId: '1', functionArn: 'arn', condition: 'RetriesExhausted', approximateInvokeCount: 3 },
  requestPayload: { ...missed, name: 'older' },
  responseContext: { statusCode: 200, functionError: 'Unhandled' },
  responsePayload: { errorMessage: 'no' },
};

async function replay(url: string, ...more: string[]) {
  const env = {
    PATH: process.env['PATH'],
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'eu-central-1',
  };
  const child = spawn(process.execPath, [program, 'replay', '--env', 'prod', ...more], { env });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, text };
}

test('every kind of letter is replayed with its own date, and leaves the queue', async () => {
  const seen: object[] = [];
  const letters = [missed, left, wrapped].map((one) => JSON.stringify(one));
  const queue = await startDeadLetters(QUEUE, letters, (event) => {
    seen.push(event);
    return { revoked: seen.length, pending: 0 };
  });
  const { code, text } = await replay(queue.url);
  expect(text.split('\n')).toEqual([
    'replayed  schedule end-of-day of 2026-11-26T19:00:00Z: {"revoked":1,"pending":0}',
    'replayed  user.deprovisioned of 2026-11-26T20:00:00Z: {"revoked":2,"pending":0}',
    'replayed  schedule older of 2026-11-26T19:00:00Z: {"revoked":3,"pending":0}',
    '3 replayed, 0 failed',
    '',
  ]);
  expect(seen).toEqual([missed, left, wrapped.requestPayload]);
  expect([code, queue.bodies()]).toEqual([0, []]);
  queue.close();
});

test('what fails again stays, whatever it is, and does not hold up the rest', async () => {
  const letters = [JSON.stringify(left), 'no JSON', JSON.stringify(missed)];
  const queue = await startDeadLetters(QUEUE, letters, (event) => {
    if ('detail' in event) throw new Error('upstream-unavailable');
    return { revoked: 1, pending: 0 };
  });
  const { code, text } = await replay(queue.url);
  expect(text).toMatch(/^FAILED {4}user\.deprovisioned of 2026-11-26T20:00:00Z: .*upstream-unavailable/m);
  expect(text).toMatch(/^FAILED {4}something else: /m);
  expect(text).toMatch(/^replayed {2}schedule end-of-day/m);
  expect(text).toContain('1 replayed, 2 failed');
  expect(text).not.toMatch(/^ +at /m);
  expect([code, queue.bodies()]).toEqual([1, letters.slice(0, 2)]);
  queue.close();
});

test('an empty queue, and one that is not there, are said in a sentence', async () => {
  const empty = await startDeadLetters(QUEUE, [], () => ({}));
  expect(await replay(empty.url)).toEqual({ code: 0, text: '0 replayed, 0 failed\n' });
  empty.close();
  const other = await startDeadLetters('another', [], () => ({}));
  expect(await replay(other.url)).toEqual({
    code: 1,
    text: `There is no queue ${QUEUE} in eu-central-1. Is prod deployed there?\n`,
  });
  other.close();
});

test('without an answer, or with a name too much, it says so and ends', async () => {
  expect(await replay('http://127.0.0.1:1')).toEqual({
    code: 1,
    text: expect.stringMatching(/^SQS cannot be asked in eu-central-1 \(.+\)\. Sign in to AWS/) as string,
  });
  const { code, text } = await replay('http://127.0.0.1:1', 'nightly');
  expect([code, text]).toEqual([2, expect.stringContaining('Say what to do: next, fire <name>, or replay.')]);
});
