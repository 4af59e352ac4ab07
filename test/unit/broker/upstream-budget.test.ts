import type { ProblemCode } from '../../../functions/contract/problems.ts';
import { Failure } from '../../../functions/broker/failure.ts';
import { BUDGET_SETTINGS, type CallResult, makeUpstreamBudget } from '../../../functions/broker/upstream-budget.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';

const SETTINGS = { ratePerSecond: 10, maxInFlight: 3, probesInFlight: 2, openAfter: 2 };
const OK: CallResult = {};
const failed = (code: ProblemCode): CallResult => ({ failure: new Failure(code) });

function budgetWith(settings: Partial<typeof SETTINGS> = {}, chance = 0) {
  const clock = makeFakeClock();
  const budget = makeUpstreamBudget(clock, () => chance, { ...SETTINGS, ...settings });
  /** One call that gives this, and the ms since the start at which it was begun; undefined: it was not. */
  const run = async (result: CallResult | undefined, until = Infinity) => {
    let begunAt: number | undefined;
    const end = await budget.run(until, async () => ((begunAt = clock.now() - START), result));
    return { begunAt, end };
  };
  return { clock, budget, run };
}

test.each([
  [0, [0, 0, 100, 200]],
  [0.5, [0, 3, 106, 209]],
])('calls begin at the rate, with chance %d at %j ms', async (chance, expected) => {
  const { clock, run } = budgetWith({}, chance);
  const calls = Array.from({ length: 4 }, () => run(OK));
  const ends = await clock.drive(Promise.all(calls));
  expect(ends.map(({ begunAt }) => begunAt)).toEqual(expected);
  expect(ends.map(({ end }) => end)).toEqual(Array.from({ length: 4 }, () => ({ result: OK })));
});

test('a stall is not followed by a burst: one call may catch up, no more', async () => {
  const { clock, run } = budgetWith();
  await clock.drive(Promise.all([run(OK), run(OK)]));
  await clock.advance(10_000);
  const ends = await clock.drive(Promise.all([run(OK), run(OK), run(OK)]));
  expect(ends.map(({ begunAt }) => begunAt)).toEqual([10_000, 10_000, 10_100]);
});

test.each([
  [START, 'no-time'],
  [START - 1, 'no-time'],
  [START + 1, { result: OK }],
])('a call that may begin until %i is given %j at the start', async (until, expected) => {
  const { run } = budgetWith();
  expect((await run(OK, until)).end).toEqual(expected);
});

test('a call whose turn would not come in time is not made, and does not wait for it', async () => {
  const { clock, run } = budgetWith();
  await clock.drive(Promise.all([run(OK), run(OK)]));
  expect(await run(OK, START + 100)).toEqual({ begunAt: undefined, end: 'no-time' });
  expect(clock.now()).toBe(START);
  expect(await clock.drive(run(OK, START + 101))).toEqual({ begunAt: 100, end: { result: OK } });
});

test('a few calls only are in flight until ThoughtSpot has answered once, then more, never beyond the most', async () => {
  const { clock, budget } = budgetWith({ ratePerSecond: 1_000 });
  const waiting: PromiseWithResolvers<CallResult>[] = [];
  const call = () => {
    const answer = Promise.withResolvers<CallResult>();
    waiting.push(answer);
    return answer.promise;
  };
  const calls = Array.from({ length: 6 }, () => budget.run(Infinity, call));
  const begun = async () => {
    await clock.advance(1_000);
    return waiting.length;
  };
  expect(await begun()).toBe(2);
  waiting[0]?.resolve(OK);
  expect(await begun()).toBe(4);
  waiting[1]?.resolve(OK);
  expect(await begun()).toBe(5);
  for (const { resolve } of waiting) resolve(OK);
  expect(await begun()).toBe(6);
  waiting[5]?.resolve(OK);
  await clock.drive(Promise.all(calls));
});

test('an outage at first does not count as an answer', async () => {
  const { clock, budget } = budgetWith({ ratePerSecond: 1_000, openAfter: 9 });
  const waiting: PromiseWithResolvers<CallResult>[] = [];
  const call = () => {
    const answer = Promise.withResolvers<CallResult>();
    waiting.push(answer);
    return answer.promise;
  };
  const calls = Array.from({ length: 4 }, () => budget.run(Infinity, call));
  await clock.advance(1_000);
  waiting[0]?.resolve(failed('upstream-timeout'));
  await clock.advance(1_000);
  expect(waiting).toHaveLength(3);
  for (const { resolve } of waiting) resolve(failed('upstream-refused'));
  await clock.advance(1_000);
  for (const { resolve } of waiting) resolve(OK);
  await clock.drive(Promise.all(calls));
});

test.each<[ProblemCode, boolean]>([
  ['upstream-unavailable', true],
  ['upstream-timeout', true],
  ['upstream-busy', true],
  ['key-unavailable', false],
  ['upstream-refused', false],
  ['upstream-mismatch', false],
])('two calls in a row that fail with %s open the circuit: %p', async (code, opens) => {
  const { clock, budget, run } = budgetWith();
  await clock.drive(run(failed(code)));
  expect(budget.isOpen()).toBe(false);
  await clock.drive(run(failed(code)));
  expect(budget.isOpen()).toBe(opens);
  const { end } = await clock.drive(run(OK));
  expect(end).toEqual(opens ? 'circuit-open' : { result: OK });
});

test('an answer in between keeps the circuit closed; it learns nothing from a call that had nothing to ask', async () => {
  const { clock, budget, run } = budgetWith();
  await clock.drive(run(failed('upstream-timeout')));
  await clock.drive(run(OK));
  await clock.drive(run(failed('upstream-timeout')));
  expect(budget.isOpen()).toBe(false);
  expect((await clock.drive(run(undefined))).end).toEqual({});
  await clock.drive(run(failed('upstream-timeout')));
  expect(budget.isOpen()).toBe(true);
});

test('a call that waits for room or for a turn when the circuit opens is turned away', async () => {
  const { clock, budget, run } = budgetWith({ openAfter: 1, probesInFlight: 2, ratePerSecond: 1 });
  const answer = Promise.withResolvers<CallResult>();
  const first = budget.run(Infinity, () => answer.promise);
  const second = run(OK);
  const third = run(OK);
  const fourth = run(OK);
  await clock.advance(0);
  answer.resolve(failed('upstream-timeout'));
  await first;
  const ends = await clock.drive(Promise.all([second, third, fourth]));
  expect(ends.slice(1).map(({ end }) => end)).toEqual(['circuit-open', 'circuit-open']);
});

test('with the circuit open nobody waits for a turn', async () => {
  const { clock, run } = budgetWith({ openAfter: 1, ratePerSecond: 1 });
  await run(OK);
  await clock.drive(run(failed('upstream-timeout')));
  const at = clock.now();
  expect((await run(OK)).end).toBe('circuit-open');
  expect(clock.now()).toBe(at);
});

test('a turn is not taken if the circuit opens while it is waited for', async () => {
  const { clock, budget, run } = budgetWith({ openAfter: 1, ratePerSecond: 1 });
  await run(OK);
  const answer = Promise.withResolvers<CallResult>();
  const first = budget.run(Infinity, () => answer.promise);
  const second = run(OK);
  await clock.advance(10);
  answer.resolve(failed('upstream-timeout'));
  await first;
  expect(await clock.drive(second)).toEqual({ begunAt: undefined, end: 'circuit-open' });
});

test('a call that throws gives its room back, and its error goes on', async () => {
  const { clock, budget, run } = budgetWith({ probesInFlight: 1 });
  const broken = budget.run(Infinity, () => Promise.reject(new RangeError('a bug')));
  await expect(broken).rejects.toThrow(RangeError);
  expect((await clock.drive(run(OK))).end).toEqual({ result: OK });
});

test('without other settings: 50 calls a second, 16 in flight, 2 to probe, and 4 failures open the circuit', () => {
  expect(BUDGET_SETTINGS).toEqual({ ratePerSecond: 50, maxInFlight: 16, probesInFlight: 2, openAfter: 4 });
});
