/** The sweep where every fourth row holds a token that cannot be opened: whether the others wait for those. */
import type { Benchmark, Context, Result } from './benchmark.ts';
import { median, ratios } from './measure.ts';
import { simulatedPace } from './slow-keys.ts';
import { paceAt, type Pace } from './sweep.ts';
import { spoilEvery } from './unopenable.ts';

const BUDGET = 95;
/** One row in so many cannot be opened. */
const NTH = 4;
const OPENABLE = { quick: 45, usual: 240 } as const;
const ROUNDS = { quick: 1, usual: 3 } as const;
/** How long KMS takes to refuse a data key, ms: longer than a row with a key. */
const REFUSAL_MS = 1_000;
const PACE_GOAL = 0.9;
/** With no answer from KMS at all a load takes as long as the SDK tries, ms ... */
const SILENCE_MS = 4_600;
/** ... and may take a fifth of the time (COOL_DOWN in functions/ledger/data-keys.ts). */
const SILENCE_GOAL = 0.8;
const SIMULATED = { quick: 300, usual: 4_000 } as const;

async function run(context: Context): Promise<Result> {
  const profile = context.quick ? 'quick' : 'usual';
  const [openable, rounds] = [OPENABLE[profile], ROUNDS[profile]];
  const rows = (openable * NTH) / (NTH - 1);
  const simulated = await simulatedPaces(SIMULATED[profile]);
  const found: Found = { whole: [], spoiled: [] };
  // In turn, so that whatever slows the machine down for a while meets both.
  for (let round = 0; round < rounds; round += 1) {
    context.progress(round / rounds, `${openable} rows`);
    found.whole.push(await paceAt(BUDGET, openable));
    context.progress((round + 0.4) / rounds, `${rows} rows, ${rows - openable} of which cannot be opened`);
    found.spoiled.push(await paceAt(BUDGET, rows, (broker) => spoilEvery(broker, NTH, REFUSAL_MS)));
  }
  return report(found, simulated, openable, rows - openable);
}

/** The same without this machine's noise. */
async function simulatedPaces(rows: number) {
  const spoiled = (rows * NTH) / (NTH - 1);
  return {
    whole: await simulatedPace(rows, 0, 0),
    slow: await simulatedPace(spoiled, NTH, REFUSAL_MS),
    silent: await simulatedPace(spoiled, NTH, SILENCE_MS),
  };
}
type Simulated = Awaited<ReturnType<typeof simulatedPaces>>;

interface Found {
  readonly whole: Pace[];
  readonly spoiled: Pace[];
}

function report({ whole, spoiled }: Found, simulated: Simulated, openable: number, unopenable: number): Result {
  const each = <Name extends keyof Pace>(paces: readonly Pace[], name: Name) => paces.map((pace) => pace[name]);
  const most = (paces: readonly Pace[], name: keyof Pace) => Math.max(...each(paces, name));
  const pace = (paces: readonly Pace[]) => `${median(each(paces, 'perSecond')).toFixed(1)}/s`;
  const waits = (paces: readonly Pace[]) =>
    `runs: ${most(paces, 'runs')}, pause: ${most(paces, 'pauseMs').toFixed(0)} ms`;
  const ratio = median(ratios(each(spoiled, 'perSecond'), each(whole, 'perSecond')));
  const [limited, left] = [most(spoiled, 'limited'), Math.min(...each(spoiled, 'left'))];
  return {
    goals: [
      {
        goal: `with a quarter of the rows unopenable the others are revoked at ${PACE_GOAL * 100} % of the pace or more, and ThoughtSpot answers no 429`,
        measured: `${pace(spoiled)}, ${(ratio * 100).toFixed(1)} %; ${limited} x 429`,
        peer: `without them: ${pace(whole)}; ${most(whole, 'limited')} x 429`,
        met: ratio >= PACE_GOAL && limited === 0,
      },
      {
        goal: 'they take no more runs of the sweep, and no pause between two of them is as long as the refusal of a key',
        measured: waits(spoiled),
        peer: `without them: ${waits(whole)}`,
        met: most(spoiled, 'runs') <= most(whole, 'runs') && most(spoiled, 'pauseMs') < REFUSAL_MS,
      },
      ...(
        [
          ['slow', `KMS refuses each key after ${REFUSAL_MS} ms`, PACE_GOAL],
          ['silent', `KMS is silent until the SDK gives up, ${SILENCE_MS} ms`, SILENCE_GOAL],
        ] as const
      ).map(([name, how, goal]) => ({
        goal: `${goal * 100} % of the pace or more by a simulated clock, where ${how}`,
        measured: `${simulated[name].toFixed(1)}/s, ${((simulated[name] / simulated.whole) * 100).toFixed(1)} %`,
        peer: `without them: ${simulated.whole.toFixed(1)}/s`,
        met: simulated[name] >= goal * simulated.whole,
      })),
      {
        goal: 'no row that cannot be opened is given up: all are due again',
        measured: `${left} of ${unopenable}`,
        met: left === unopenable,
      },
    ],
    charts: [],
    method:
      `As the pace of the sweep at ${BUDGET}/s: ${openable} tokens alone, and in turn with them ${unopenable} more that cannot be opened, ` +
      `every fourth as they come due; ${whole.length} rounds. Of those the data key is not in the table, or KMS does not unwrap the key, ` +
      `or the token is damaged. The keys are of 24 hours each, so that one failed load does not do for all, and KMS takes ${REFUSAL_MS} ms ` +
      `to refuse one. A row is opened before its turn at ThoughtSpot comes, so one that cannot be opened must cost no turn, and only the ` +
      `time of its own worker. By a simulated clock the same sweep runs over rows in memory, with the real data keys, which do not ask ` +
      `again for a key for four times as long as its refusal took: a KMS that is silent may take a fifth of the time. Paces and their ratio are medians, the rest is the worst of all rounds.`,
    samples: {
      'revocations per second alone': each(whole, 'perSecond'),
      'revocations per second': each(spoiled, 'perSecond'),
    },
    facts: { whole, spoiled, simulated },
  };
}

export const sweepUnopenableBenchmark: Benchmark = {
  name: 'sweep-unopenable',
  title: 'Sweep among rows that cannot be opened',
  seconds: 55,
  run,
};
