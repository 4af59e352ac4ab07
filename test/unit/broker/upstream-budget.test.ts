import type { ProblemCode } from '../../../functions/contract/problems.ts';
import { Failure } from '../../../functions/broker/failure.ts';
import { BUDGET_DEFAULTS, type Heard, makeUpstreamBudget } from '../../../functions/broker/upstream-budget.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';

const SETTINGS = { ratePerSecond: 10, maxInFlight: 3, probesInFlight: 2, openAfter: 2 };
const OK: Heard = {};
const failed = (code: ProblemCode): Heard => ({ failure: new Failure(code) });

function budgetWith(settings: Partial<typeof SETTINGS> = {}, chance = 0) {
  const clock = makeFakeClock();
  const budget = makeUpstreamBudget(clock, () => chance, { ...SETTINGS, ...settings });
  /** One call that gives this, and the ms since the start at which it was begun; undefined: it was not. */
  const spend = async (heard: Heard | undefined, until = Infinity) => {
    let begunAt: number | undefined;
    const end = await budget.spend(until, async () => ((begunAt = clock.now() - START), heard));
    return { begunAt, end };
  };
  return { clock, budget, spend };
}

test.each([
  [0, [0, 0, 100, 200]],
  [0.5, [0, 3, 106, 209]],
])('calls begin at the rate, with chance %d at %j ms', async (chance, expected) => {
  const { clock, spend } = budgetWith({}, chance);
  const calls = Array.from({ length: 4 }, () => spend(OK));
  const ends = await clock.drive(Promise.all(calls));
  expect(ends.map(({ begunAt }) => begunAt)).toEqual(expected);
  expect(ends.map(({ end }) => end)).toEqual(Array.from({ length: 4 }, () => ({ heard: OK })));
});

test('a stall is not followed by a burst: one call may catch up, no more', async () => {
  const { clock, spend } = budgetWith();
  await clock.drive(Promise.all([spend(OK), spend(OK)]));
  await clock.advance(10_000);
  const ends = await clock.drive(Promise.all([spend(OK), spend(OK), spend(OK)]));
  expect(ends.map(({ begunAt }) => begunAt)).toEqual([10_000, 10_000, 10_100]);
});

test.each([
  [START, 'no-time'],
  [START - 1, 'no-time'],
  [START + 1, { heard: OK }],
])('a call that may begin until %i is given %j at the start', async (until, expected) => {
  const { spend } = budgetWith();
  expect((await spend(OK, until)).end).toEqual(expected);
});

test('a call whose turn would not come in time is not made, and does not wait for it', async () => {
  const { clock, spend } = budgetWith();
  await clock.drive(Promise.all([spend(OK), spend(OK)]));
  expect(await spend(OK, START + 100)).toEqual({ begunAt: undefined, end: 'no-time' });
  expect(clock.now()).toBe(START);
  expect(await clock.drive(spend(OK, START + 101))).toEqual({ begunAt: 100, end: { heard: OK } });
});

test('a few calls only are in flight until ThoughtSpot has answered once, then more, never beyond the most', async () => {
  const { clock, budget } = budgetWith({ ratePerSecond: 1_000 });
  const waiting: PromiseWithResolvers<Heard>[] = [];
  const call = () => {
    const answer = Promise.withResolvers<Heard>();
    waiting.push(answer);
    return answer.promise;
  };
  const calls = Array.from({ length: 6 }, () => budget.spend(Infinity, call));
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
  const waiting: PromiseWithResolvers<Heard>[] = [];
  const call = () => {
    const answer = Promise.withResolvers<Heard>();
    waiting.push(answer);
    return answer.promise;
  };
  const calls = Array.from({ length: 4 }, () => budget.spend(Infinity, call));
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
  ['key-unavailable', true],
  ['upstream-refused', false],
  ['upstream-mismatch', false],
])('two calls in a row that fail with %s open the circuit: %p', async (code, opens) => {
  const { clock, budget, spend } = budgetWith();
  await clock.drive(spend(failed(code)));
  expect(budget.isOpen()).toBe(false);
  await clock.drive(spend(failed(code)));
  expect(budget.isOpen()).toBe(opens);
  const { end } = await clock.drive(spend(OK));
  expect(end).toEqual(opens ? 'circuit-open' : { heard: OK });
});

test('an answer in between keeps the circuit closed; a call that had nothing to ask tells it nothing', async () => {
  const { clock, budget, spend } = budgetWith();
  await clock.drive(spend(failed('upstream-timeout')));
  await clock.drive(spend(OK));
  await clock.drive(spend(failed('upstream-timeout')));
  expect(budget.isOpen()).toBe(false);
  expect((await clock.drive(spend(undefined))).end).toEqual({});
  await clock.drive(spend(failed('upstream-timeout')));
  expect(budget.isOpen()).toBe(true);
});

test('whoever waits for room or for a turn when the circuit opens is turned away', async () => {
  const { clock, budget, spend } = budgetWith({ openAfter: 1, probesInFlight: 2, ratePerSecond: 1 });
  const answer = Promise.withResolvers<Heard>();
  const first = budget.spend(Infinity, () => answer.promise);
  const second = spend(OK);
  const third = spend(OK);
  const fourth = spend(OK);
  await clock.advance(0);
  answer.resolve(failed('upstream-timeout'));
  await first;
  const ends = await clock.drive(Promise.all([second, third, fourth]));
  expect(ends.slice(1).map(({ end }) => end)).toEqual(['circuit-open', 'circuit-open']);
});

test('with the circuit open nobody waits for a turn', async () => {
  const { clock, spend } = budgetWith({ openAfter: 1, ratePerSecond: 1 });
  await spend(OK);
  await clock.drive(spend(failed('upstream-timeout')));
  const at = clock.now();
  expect((await spend(OK)).end).toBe('circuit-open');
  expect(clock.now()).toBe(at);
});

test('a turn is not taken if the circuit opens while it is waited for', async () => {
  const { clock, budget, spend } = budgetWith({ openAfter: 1, ratePerSecond: 1 });
  await spend(OK);
  const answer = Promise.withResolvers<Heard>();
  const first = budget.spend(Infinity, () => answer.promise);
  const second = spend(OK);
  await clock.advance(10);
  answer.resolve(failed('upstream-timeout'));
  await first;
  expect(await clock.drive(second)).toEqual({ begunAt: undefined, end: 'circuit-open' });
});

test('a call that throws gives its room back, and its error goes on', async () => {
  const { clock, budget, spend } = budgetWith({ probesInFlight: 1 });
  const broken = budget.spend(Infinity, () => Promise.reject(new RangeError('a bug')));
  await expect(broken).rejects.toThrow(RangeError);
  expect((await clock.drive(spend(OK))).end).toEqual({ heard: OK });
});

test('without other settings: 50 calls a second, 16 in flight, 2 to probe, and 4 failures open the circuit', () => {
  expect(BUDGET_DEFAULTS).toEqual({ ratePerSecond: 50, maxInFlight: 16, probesInFlight: 2, openAfter: 4 });
});
