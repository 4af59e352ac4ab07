import { makeCall, mayRepeat, type Repeatable } from '../../../functions/thoughtspot/retry.ts';
import type { Exchange, Lost, Transport } from '../../../functions/thoughtspot/transport.ts';

const lost = (cause: Lost['cause'], sent: boolean): Exchange => ({ kind: 'lost', cause, sent });
const answer = (status: number, headers: Record<string, string> = {}, body = ''): Exchange => ({
  kind: 'reply',
  reply: { status, headers, body },
});
const shaped = '{"error":{"message":{"code":10038,"debug":"x"}}}';

describe('what may be sent again', () => {
  //                                                   mint-writes, mint, idempotent
  test.each<readonly [string, Exchange, boolean, boolean, boolean]>([
    ['nothing was sent', lost('unreachable', false), true, true, true],
    ['no time was left before it was sent', lost('timeout', false), false, false, false],
    ['given up by the caller', lost('aborted', false), false, false, false],
    ['no time was left after it was sent', lost('timeout', true), false, false, false],
    ['the connection was lost', lost('reset', true), false, false, true],
    ['the answer was no HTTP', lost('unreadable', true), false, false, false],
    ['the answer was too large', lost('too-large', true), false, false, false],
    ['429', answer(429), true, true, true],
    ['409, nothing was applied', answer(409, {}, shaped), true, true, true],
    ['503 in an error shape', answer(503, {}, shaped), false, true, true],
    ['503 with Retry-After', answer(503, { 'retry-after': '1' }), false, true, true],
    ['503 of anyone', answer(503), false, false, true],
    ['502', answer(502, {}, shaped), false, false, true],
    ['504', answer(504), false, false, true],
    ['500', answer(500, {}, shaped), false, false, false],
    ['200', answer(200), false, false, false],
    ['400', answer(400), false, false, false],
  ])('%s', (_name, exchange, ...expected) => {
    const kinds: readonly Repeatable[] = ['mint-writes', 'mint', 'idempotent'];
    expect(kinds.map((kind) => mayRepeat(exchange, kind, 'auth-2.0'))).toEqual(expected);
  });

  test('in session-v2 its own error model counts as ThoughtSpot speaking', () => {
    const exchange = answer(503, {}, '{"error":"busy"}');
    expect(mayRepeat(exchange, 'mint', 'session-v2')).toBe(true);
    expect(mayRepeat(exchange, 'mint', 'auth-2.0')).toBe(false);
  });
});

describe('waits between attempts', () => {
  async function run(
    random: number,
    exchange: Exchange,
    deadline: number,
  ): Promise<{ slept: number[]; left: number[] }> {
    let now = 0;
    const slept: number[] = [];
    const left: number[] = [];
    const transport: Transport = {
      origin: new URL('https://cluster.example'),
      exchange: async (_parts, timeoutMs) => {
        left.push(timeoutMs);
        return exchange;
      },
      warm: async () => undefined,
      close: async () => undefined,
    };
    const sleep = async (ms: number): Promise<void> => {
      slept.push(ms);
      now += ms;
    };
    const signals = { emit: () => undefined };
    const clock = { now: () => now, sleep };
    const call = makeCall({ transport, dialect: 'auth-2.0', clock, randomness: () => random, signals });
    await call({ method: 'GET', path: '/', headers: {} }, 'idempotent', deadline);
    return { slept, left };
  }

  test('double, are spread by chance, and each attempt gets what is left of the deadline', async () => {
    expect(await run(0, answer(429), 10_000)).toEqual({ slept: [100, 200], left: [10_000, 9_900, 9_700] });
    expect(await run(0.5, answer(429), 10_000)).toEqual({ slept: [150, 300], left: [10_000, 9_850, 9_550] });
    expect((await run(0.999, answer(429), 10_000)).slept).toEqual([200, 400]);
  });

  test('add to Retry-After', async () => {
    expect((await run(0, answer(503, { 'retry-after': '3' }), 10_000)).slept).toEqual([3_100, 3_200]);
  });

  test('after a 409 go on until the deadline, spread by chance, at most a second apart', async () => {
    const { slept, left } = await run(0, answer(409), 5_000);
    expect(slept).toEqual([100, 200, 400, 500, 500, 500, 500, 500, 500, 500, 500]);
    expect(left.at(-1)).toBe(300);
    expect((await run(0.999, answer(409), 5_000)).slept).toEqual([200, 400, 800, 1_000, 1_000, 1_000]);
    expect((await run(0, answer(409, { 'retry-after': '2' }), 5_000)).slept).toEqual([2_100, 2_200]);
  });

  test('that would reach the deadline are not begun', async () => {
    expect((await run(0, answer(429), 100)).slept).toEqual([]);
    expect((await run(0, answer(429), 101)).slept).toEqual([100]);
    expect((await run(0, answer(429, { 'retry-after': '10' }), 10_000)).slept).toEqual([]);
  });
});
