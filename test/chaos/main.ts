/** `npm run chaos`: breaks everything around the broker, by a seed, and holds it to its promises. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { startProgress } from '../../local/progress.ts';
import { formatReport } from './report.ts';
import { runChaos } from './run.ts';
import { svgTimeline } from './timeline.ts';

const HELP = `npm run chaos -- [--seed <n>] [--minutes <n>] [--simulated <n>] [--users <n>] [--rate <n>] [--svg <file>]

Runs the whole broker on this machine, lets people use it, and breaks what it stands on: sandboxes, ledger, KMS,
Secrets Manager, ThoughtSpot, its keys, its clock. Meanwhile and at the end it holds the ledger against the truth.

  --seed <n>      with the same other numbers it gives the same faults and requests (default: drawn, and printed)
  --minutes <n>   how long people use it (default 5)
  --simulated <n> how many minutes that is by the clocks of all who take part: time passes for them at once, now and
                  then (default 60)
  --users <n>     how many people (default 200)
  --rate <n>      what they do per second, all together (default 12)
  --svg <file>    where the picture goes (default reports/chaos/<seed>.svg)

Ends with 0 if every promise was kept, 1 if not, 2 if it was called wrongly.
`;

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
    process.stdout.write(HELP);
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
  process.stdout.write(`${formatReport(report)}\nPicture: ${svg}\n`);
  return report.violations.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
