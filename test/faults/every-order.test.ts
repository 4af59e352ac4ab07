/**
 * The use cases in every order that two pre-emptions allow, over a ledger whose global indexes lag, with a crash at every
 * call. By day without crashes where there are many orders; NIGHTLY=1 explores all. The orders are counted and printed.
 */
import type { TokenLedger } from '../../functions/broker/ports.ts';
import { type Bounds, explore, formatFound, play, type Stage } from '../support/explorer.ts';
import { PLOTS, scenarioOf } from '../support/plots.ts';

const NIGHTLY = process.env.NIGHTLY === '1';

const BY_DAY: Bounds = { preemptions: 2, crashes: 0, staleReads: 1 };
const BY_NIGHT: Bounds = { preemptions: 2, crashes: 1, staleReads: 1 };
/** Plots with so many orders that one pre-emption must do: by day, and by night with a crash. */
const LONG: readonly string[] = [
  'two sweeps',
  'a cut-off of all, worked off page by page, and a mint',
  'a change of entitlements between two mints, and a mint of another caller after it',
];
const boundsOf = (name: string): readonly Bounds[] => {
  if (!LONG.includes(name)) return [NIGHTLY ? BY_NIGHT : BY_DAY];
  return NIGHTLY ? [BY_DAY, { ...BY_NIGHT, preemptions: 1 }] : [{ ...BY_DAY, preemptions: 1 }];
};

describe('in every order that two pre-emptions allow', () => {
  const counted: string[] = [];
  afterAll(
    () => void process.stdout.write(`\norders, ${NIGHTLY ? 'with' : 'without'} crashes\n${counted.join('\n')}\n`),
  );

  test.each(Object.entries(PLOTS))(
    '%s',
    async (name, plot) => {
      for (const bounds of boundsOf(name)) {
        const { schedules, found } = await explore(scenarioOf(plot), bounds);
        counted.push(`${String(schedules).padStart(8)}  ${name}`);
        if (found) throw new Error(formatFound(found));
      }
    },
    3_600_000,
  );
});

// --- what it would find ----------------------------------------------------------------------------------------------

type Broken = NonNullable<Stage['broken']>;
const brokenLedger =
  (change: (ledger: TokenLedger) => Partial<TokenLedger>): Broken =>
  ({ ledger, issuer }) => ({ issuer, ledger: { ...ledger, ...change(ledger) } });

/** The blocks of the first look, kept for the second one. */
function looksOnce(ledger: TokenLedger): Partial<TokenLedger> {
  let blocks: Awaited<ReturnType<TokenLedger['standing']>>['blocks'] = [];
  return {
    async standing(...args) {
      const standing = await ledger.standing(...args);
      blocks = standing.blocks;
      return standing;
    },
    recheck: async (...args) => ({ ...(await ledger.recheck(...args)), blocks }),
  };
}

/** What the second look should find is read as the live write begins. */
function looksTooEarly(ledger: TokenLedger): Partial<TokenLedger> {
  let early: ReturnType<TokenLedger['blocksOn']> | undefined;
  return {
    async transition(key, change, deadline) {
      const { user, orgId } = (await ledger.get(key, deadline)) ?? { user: key.user, orgId: 1 };
      if (change.to === 'live') early = ledger.blocksOn({ user, orgId }, deadline);
      return ledger.transition(key, change, deadline);
    },
    recheck: async (...args) => ({ ...(await ledger.recheck(...args)), blocks: (await early) ?? [] }),
  };
}

/** The user is held only when the mint has been sent. */
const holdsAfterTheSend: Broken = ({ ledger, issuer }) => {
  const late: (() => Promise<unknown>)[] = [];
  return {
    ledger: {
      ...ledger,
      async holdUser(...args) {
        late.push(() => ledger.holdUser(...args));
        return true;
      },
    },
    issuer: {
      ...issuer,
      async mint(...args) {
        const outcome = await issuer.mint(...args);
        for (const hold of late.splice(0)) await hold();
        return outcome;
      },
    },
  };
};

const FAULTS: readonly (readonly [fault: string, plot: keyof typeof PLOTS, broken: Broken])[] = [
  [
    'a reservation is written without its condition',
    'two of the same',
    brokenLedger((ledger) => ({ reserve: async (...args) => (await ledger.reserve(...args)) || true })),
  ],
  [
    "one's own row is not read again",
    'a mint and a revocation by its caller',
    brokenLedger((ledger) => ({
      async recheck(key, ...rest) {
        const { lease, ...found } = await ledger.recheck(key, ...rest);
        return { ...found, lease: lease && { ...lease, state: 'live' } };
      },
    })),
  ],
  ['blocks are read before the live write', 'a mint and a sign-out of all', brokenLedger(looksTooEarly)],
  ['blocks are read before the reservation only', 'a mint and a sign-out of all', brokenLedger(looksOnce)],
  [
    'blocks are read after the live write only',
    'a mint and a suspension of subject ann',
    brokenLedger((ledger) => ({ standing: async (...args) => ({ ...(await ledger.standing(...args)), blocks: [] }) })),
  ],
  ['the user is held after the send', 'two entitlements for one user', holdsAfterTheSend],
  [
    'a change of entitlements forgets how long older tokens live',
    'a change of entitlements between two mints, and a mint of another caller after it',
    brokenLedger((ledger) => ({
      replaceUserHold: (user, read, { mixedUntil: _mixedUntil, ...next }, deadline) =>
        ledger.replaceUserHold(user, read, next, deadline),
    })),
  ],
  [
    'a mint is counted without looking at what others have counted',
    'two mints of a caller who may have one',
    brokenLedger((ledger) => ({
      addMark: (caller, ring, mark, _most, deadline) => ledger.addMark(caller, ring, mark, Infinity, deadline),
    })),
  ],
  [
    'a row is claimed without a condition',
    'two sweeps',
    brokenLedger((ledger) => ({
      transition: (key, { ifDueAt: _ifDueAt, ...change }, deadline) => ledger.transition(key, change, deadline),
    })),
  ],
  [
    'what ThoughtSpot never said counts as confirmed',
    'a reuse and a revocation of all own leases',
    ({ ledger, issuer }) => ({ ledger, issuer: { ...issuer, revoke: () => Promise.resolve({ outcome: 'dead' }) } }),
  ],
  [
    'blocks of sessions are not read',
    'a mint and a sign-out of session ann',
    brokenLedger((ledger) => ({
      async recheck(...args) {
        const { blocks, ...found } = await ledger.recheck(...args);
        return { ...found, blocks: blocks.filter(({ scope }) => scope.kind !== 'session') };
      },
    })),
  ],
];

test.each(FAULTS)('it is found that %s', async (fault, plot, broken) => {
  const scenario = scenarioOf(PLOTS[plot] ?? { acts: {} }, broken);
  const { schedules, found } = await explore(scenario, BY_DAY);
  if (!found) throw new Error(`not found in ${schedules} orders`);
  process.stdout.write(
    `${fault}: order ${schedules}, ${found.steps.length} steps, ${found.choices.filter((choice) => choice > 0).length} deviations: ${found.problems[0]}\n`,
  );
  // The same choices play the same order again.
  expect((await play(scenario, BY_DAY, found.choices)).found).toEqual(found);
});
