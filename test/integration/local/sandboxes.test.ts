import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Invocation, LocalFunction } from '../../../local/lambda/local-function.ts';
import { makeFunctionBench, untilGone, type FunctionBench } from '../../support/local-function.ts';

const ECHO = `let count = 0;
exports.handler = async (event, context) => ({ event, context, pid: process.pid, count: (count += 1) });`;
/** Answers only when told: waits for a file to appear. */
const HOLD = `const fs = require('node:fs');
exports.handler = async (event) => {
  console.log('started ' + event.name + ' ' + process.pid);
  while (event.until && !fs.existsSync(event.until)) await new Promise((r) => setTimeout(r, 5));
  return { pid: process.pid };
};`;

let bench: FunctionBench;
beforeAll(async () => {
  bench = await makeFunctionBench();
});
afterAll(() => bench.close());

function answerOf(invocation: Invocation): Record<string, unknown> {
  if (invocation.status !== 'answered') throw new Error(`not answered: ${JSON.stringify(invocation)}`);
  return JSON.parse(invocation.payload) as Record<string, unknown>;
}

function errorOf(invocation: Invocation): { errorType: string; errorMessage: string } {
  if (invocation.status !== 'failed') throw new Error(`not failed: ${JSON.stringify(invocation)}`);
  return invocation.error;
}

/** Starts a call that holds its sandbox, and tells the sandbox's pid once the handler runs. */
async function hold(local: LocalFunction, name: string, until = '/nonexistent-so-never') {
  const call = local.invoke({ name, until });
  const line = await bench.output.waitFor(({ text }) => text.startsWith(`started ${name} `));
  return { call, pid: Number(line.text.split(' ')[2]) };
}

it('starts cold once and keeps the sandbox, and its memory, for the next request', async () => {
  const local = await bench.make(ECHO);
  const first = await local.invoke({ a: 1 });
  const second = await local.invoke({ a: 2 });
  expect(first).toMatchObject({ coldStart: true, initMs: expect.any(Number) as number });
  expect(second).toMatchObject({ coldStart: false });
  expect(answerOf(first)).toMatchObject({ event: { a: 1 }, count: 1 });
  expect(answerOf(second)).toMatchObject({ event: { a: 2 }, count: 2, pid: answerOf(first)['pid'] });
});

it('gives the handler the context of Lambda', async () => {
  const local = await bench.make(`exports.handler = async (_e, c) => ({ ...c, left: c.getRemainingTimeInMillis() });`);
  const invocation = await local.invoke({});
  const context = answerOf(invocation);
  expect(context).toMatchObject({
    awsRequestId: invocation.requestId,
    functionName: 'sample',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:eu-west-1:000000000000:function:sample',
    memoryLimitInMB: '256',
    logGroupName: '/aws/lambda/sample',
  });
  expect(context['left']).toBeGreaterThan(0);
  expect(context['left']).toBeLessThanOrEqual(20_000);
});

it('gives the sandbox the variables of Lambda and of the function, and nothing of this process', async () => {
  process.env['PLANTED_IN_THE_PARENT'] = 'x';
  const local = await bench.make(`exports.handler = async () => process.env;`, { variables: { MINE: '1' } });
  const environment = answerOf(await local.invoke({}));
  delete process.env['PLANTED_IN_THE_PARENT'];
  expect(environment).toMatchObject({
    MINE: '1',
    AWS_LAMBDA_FUNCTION_NAME: 'sample',
    TZ: ':UTC',
    _HANDLER: 'index.handler',
  });
  const allowed = /^(AWS_|LAMBDA_|_HANDLER$|_X_AMZN_TRACE_ID$|PATH$|LANG$|TZ$|MINE$)/;
  expect(Object.keys(environment).filter((name) => !allowed.test(name))).toEqual([]);
});

it('runs one request at a time in a sandbox: a second one gets a sandbox of its own', async () => {
  const local = await bench.make(HOLD);
  const held = await hold(local, 'alone');
  const other = await local.invoke({ name: 'beside' });
  expect(other).toMatchObject({ coldStart: true });
  expect(answerOf(other)['pid']).not.toBe(held.pid);
  expect(local.statistics()).toMatchObject({ coldStarts: 2, sandboxes: 2 });
});

it('refuses what exceeds the reserved concurrency, also if all come at once', async () => {
  const local = await bench.make(HOLD, { reservedConcurrency: 2 });
  const held = await Promise.all([hold(local, 'first-of-two'), hold(local, 'second-of-two')]);
  expect(await local.invoke({ name: 'third' })).toMatchObject({ status: 'throttled' });
  for (const { pid } of held) process.kill(pid, 'SIGKILL');
  await Promise.all(held.map(({ call }) => call));

  const burst = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => local.invoke({ name })));
  expect(burst.filter(({ status }) => status === 'throttled')).toHaveLength(3);
  expect(burst.filter(({ status }) => status === 'answered')).toHaveLength(2);
});

it('freezes the sandbox between requests', async () => {
  if (process.platform !== 'linux') return;
  const local = await bench.make(ECHO);
  await local.invoke({});
  const [pid] = local.pids();
  const state = () => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  // The signal is sent when the sandbox is given back; the kernel acts on it in its own time.
  while (state() !== 'T') await new Promise((resolve) => setImmediate(resolve));
  expect(answerOf(await local.invoke({}))).toMatchObject({ count: 2 });
});

it('ends a request at its time limit and replaces the sandbox', async () => {
  const local = await bench.make(HOLD, { timeoutMs: 400 });
  const call = local.invoke({ name: 'late', until: '/nonexistent-so-never' });
  expect(errorOf(await call)).toMatchObject({
    errorType: 'Sandbox.Timedout',
    errorMessage: expect.stringContaining('Task timed out after 0.40 seconds') as string,
  });
  expect(local.pids()).toEqual([]);
  local.replace({ timeoutMs: 20_000 });
  expect(await local.invoke({ name: 'after the limit' })).toMatchObject({ status: 'answered', coldStart: true });
});

it.each([
  ['throws', `exports.handler = async () => { throw new RangeError('too far'); };`, 'RangeError', 'too far'],
  ['leaves the process', `exports.handler = async () => process.exit(3);`, 'Runtime.ExitError', 'exit status 3'],
  [
    'rejects where nobody listens',
    `exports.handler = () => new Promise(() => { Promise.reject(new TypeError('stray')); });`,
    'TypeError',
    'stray',
  ],
])('reports a handler that %s', async (_what, source, errorType, message) => {
  const local = await bench.make(source);
  expect(errorOf(await local.invoke({}))).toMatchObject({
    errorType,
    errorMessage: expect.stringContaining(message) as string,
  });
});

it.each([
  ['throws at load', `throw new SyntaxError('bad bundle');`, 'SyntaxError'],
  ['exports no handler', `exports.other = 1;`, 'Runtime.HandlerNotFound'],
  ['leaves the process at load', `process.exit(7);`, 'Runtime.ExitError'],
  ['never finishes loading', `while (true);`, 'Sandbox.Timedout'],
])('reports code that %s, and tries again at the next request', async (_what, source, errorType) => {
  const local = await bench.make(source, { initTimeoutMs: 2_000 });
  expect(errorOf(await local.invoke({}))).toMatchObject({ errorType });
  expect(local.statistics().sandboxes).toBe(0);
  local.replace({ taskRoot: await bench.folder(ECHO), initTimeoutMs: 20_000 });
  expect(await local.invoke({})).toMatchObject({ status: 'answered', coldStart: true });
});

it('answers a request whose sandbox is killed under it, and serves the next one', async () => {
  const local = await bench.make(HOLD);
  const { call, pid } = await hold(local, 'victim');
  process.kill(pid, 'SIGKILL');
  expect(errorOf(await call)).toMatchObject({
    errorType: 'Runtime.ExitError',
    errorMessage: expect.stringContaining('signal: killed') as string,
  });
  expect(await local.invoke({ name: 'next' })).toMatchObject({ status: 'answered', coldStart: true });
});

it('forgets a sandbox that died in its sleep', async () => {
  const local = await bench.make(ECHO, { reservedConcurrency: 1 });
  await local.invoke({});
  const [pid = 0] = local.pids();
  process.kill(pid, 'SIGKILL');
  await untilGone(pid);
  // Its death may become known only while the next request is on its way; the one after that must work.
  await local.invoke({});
  expect(await local.invoke({})).toMatchObject({ status: 'answered' });
});

it('fails an answer that is larger than Lambda allows', async () => {
  const local = await bench.make(`exports.handler = async () => 'x'.repeat(6.5 * 1024 * 1024);`);
  expect(errorOf(await local.invoke({}))).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
});

it('lets a busy sandbox finish with the old code when the code is replaced', async () => {
  const local = await bench.make(HOLD);
  const gate = join(await bench.folder(''), 'open');
  const { call, pid } = await hold(local, 'old', gate);
  local.replace({ taskRoot: await bench.folder(ECHO) });
  await writeFile(gate, '');
  expect(answerOf(await call)).toEqual({ pid });
  await untilGone(pid);
  expect(answerOf(await local.invoke({ b: 2 }))).toMatchObject({ event: { b: 2 } });
});

it('takes an idle sandbox away after a while', async () => {
  const local = await bench.make(ECHO, { idleMs: 1 });
  await local.invoke({});
  const [pid] = local.pids();
  if (pid !== undefined) await untilGone(pid);
  expect(local.statistics().sandboxes).toBe(0);
});

it('captures what a sandbox prints, and reports each request as Lambda does', async () => {
  const local = await bench.make(
    `exports.handler = async () => { console.log('to stdout'); console.error('to stderr'); process.stdout.write('no newline'); process.exit(0); };`,
    { functionName: 'printer' },
  );
  const { requestId } = await local.invoke({});
  await bench.output.waitFor(({ text }) => text === 'no newline');
  const lines = bench.output.lines().filter(({ source }) => source === 'printer');
  expect(lines).toContainEqual(expect.objectContaining({ stream: 'stdout', text: 'to stdout' }));
  expect(lines).toContainEqual(expect.objectContaining({ stream: 'stderr', text: 'to stderr' }));
  const platform = lines.filter(({ stream }) => stream === 'platform').map(({ text }) => text);
  expect(platform[0]).toBe(`START RequestId: ${requestId} Version: $LATEST`);
  expect(platform[2]).toMatch(
    /^REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB/,
  );
});

it('ends every sandbox on close, busy or frozen, and takes no more requests', async () => {
  const local = await bench.make(HOLD);
  await local.invoke({ name: 'idle at the end' });
  const frozen = local.pids();
  const busy = await hold(local, 'busy-at-the-end');
  const another = await hold(local, 'second-at-the-end');
  await local.close();
  for (const pid of [...frozen, busy.pid, another.pid]) await untilGone(pid);
  expect(await busy.call).toMatchObject({ status: 'failed' });
  expect(await local.invoke({})).toMatchObject({ status: 'throttled' });
});
