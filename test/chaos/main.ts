/** `npm run chaos`: injects faults, chosen by a seed, around the broker, and checks its promises. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { startProgress } from '../../local/progress.ts';
import { formatReport } from './report.ts';
import { runChaos } from './run.ts';
import { svgTimeline } from './timeline.ts';

const HELP = `npm run chaos -- [--seed <n>] [--minutes <n>] [--simulated <n>] [--users <n>] [--rate <n>] [--svg <file>]

Runs the whole broker on this machine with simulated users, and injects faults into what it depends on: sandboxes, ledger,
KMS, Secrets Manager, ThoughtSpot, its keys, its clock. During the run and at the end it compares the ledger with the truth.

  --seed <n>      the same seed and options give the same faults and requests (default: random, and printed)
  --minutes <n>   how long the users use the broker (default 5)
  --simulated <n> simulated minutes of the run: from time to time, the clocks of all participants jump ahead (default 60)
  --users <n>     number of users (default 200)
  --rate <n>      requests per second of all users together (default 12)
  --svg <file>    file of the timeline (default reports/chaos/<seed>.svg)

Exit code: 0 every promise was kept, 1 a promise was broken, 2 wrong usage.`;

function numberOf(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new TypeError(`--${name} ${text} is not a number above 0.`);
  return value;
}

async function main(): Promise<number> {
  const option = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      seed: option,
      minutes: option,
      simulated: option,
      users: option,
      rate: option,
      svg: option,
    },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const seed = numberOf('seed', values.seed, 1 + Math.floor(Math.random() * 999_999));
  const durationMs = numberOf('minutes', values.minutes, 5) * 60_000;
  const simulatedMs = Math.max(durationMs, numberOf('simulated', values.simulated, 60) * 60_000);
  const users = numberOf('users', values.users, 200);
  const requestsPerSecond = numberOf('rate', values.rate, 12);
  process.stderr.write(`seed ${seed}\n`);
  const progress = startProgress({ total: Math.ceil(durationMs / 1000), title: 'chaos' });
  const onProgress = (elapsedMs: number, label: string) => progress.update(Math.floor(elapsedMs / 1000), label);
  const report = await runChaos({
    seed,
    durationMs,
    simulatedMs,
    users,
    requestsPerSecond,
    checkpointEveryMs: Math.max(5_000, durationMs / 12),
    onProgress,
  });
  progress.end();
  const svg = values.svg ?? join('reports', 'chaos', `${seed}.svg`);
  await mkdir(dirname(svg), { recursive: true });
  await writeFile(svg, svgTimeline(report));
  console.log(`${formatReport(report)}\nPicture: ${svg}`);
  return report.violations.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
