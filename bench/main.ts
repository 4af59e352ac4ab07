/** `npm run bench [-- <name> ...]`: measures, prints the table of goals, writes the report. */
import { readArguments } from '../local/command.ts';
import { startProgress, formatDuration } from '../local/progress.ts';
import { BENCHMARKS } from './benchmarks.ts';
import type { Goal } from './benchmark.ts';
import { calibrate } from './measure.ts';
import { noise, writeReport, type Run } from './report.ts';

const total = BENCHMARKS.reduce((sum, { seconds }) => sum + seconds, 0);
const HELP = `npm run bench [-- <name> ...] [-- --quick]

Measures the broker against its goals and its peers. The whole run takes about ${formatDuration(total * 1000)}; a full run
writes docs/performance.md, its charts, and bench/results/<date>.json.

${BENCHMARKS.map(({ name, title, seconds }) => `  ${name.padEnd(16)} ${title} (about ${formatDuration(seconds * 1000)})`).join('\n')}

  --quick        a short run that only shows that the benchmarks work; writes nothing

With BENCH_FULL=1, growth uses up to 100,000 leases of one subject and 1,000,000 others. The table is kept in memory and takes
4 GB. A machine with less than 16 GB needs NODE_OPTIONS=--max-old-space-size=4096 for that.
`;
const { values, positionals } = readArguments(HELP, { quick: { type: 'boolean' } }, Infinity);

const unknown = positionals.filter((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `There is no benchmark called ${unknown.join(', ')}. There are: ${BENCHMARKS.map(({ name }) => name).join(', ')}.\n`,
  );
  process.exit(2);
}

const quick = values.quick === true;
const chosen = positionals.length === 0 ? BENCHMARKS : BENCHMARKS.filter(({ name }) => positionals.includes(name));
const work = chosen.reduce((sum, { seconds }) => sum + seconds, 0);
const progress = startProgress({ total: work, title: 'bench' });
const startedAt = new Date().toISOString();
const calibration: number[] = Array.from({ length: 5 }, calibrate);
const results: Run['results'][number][] = [];

let before = 0;
for (const benchmark of chosen) {
  progress.update(before, benchmark.name);
  const result = await benchmark.run({
    quick,
    progress: (share, label) =>
      progress.update(
        Math.round(before + share * benchmark.seconds),
        [benchmark.name, label].filter(Boolean).join(': '),
      ),
  });
  results.push({ benchmark: { name: benchmark.name, title: benchmark.title }, result });
  calibration.push(...Array.from({ length: 5 }, calibrate));
  before += benchmark.seconds;
}
progress.end();

const run: Run = { startedAt, quick, calibration, results };
const show = ({ goal, measured, peer, met, cause }: Goal) =>
  `  ${met ? 'met   ' : 'MISSED'}  ${goal}: ${measured}${peer === undefined ? '' : ` (peer: ${peer})`}${cause === undefined ? '' : `; ${cause}`}`;
for (const { benchmark, result } of results) {
  process.stdout.write(`${benchmark.title}\n${result.goals.map(show).join('\n')}\n`);
}
const { spread, tooNoisy } = noise(run);
process.stdout.write(
  `The machine's own noise: ${(spread * 100).toFixed(0)} %${tooNoisy ? ', too much to conclude' : ''}.\n`,
);
if (!quick && chosen.length === BENCHMARKS.length) process.stdout.write(`Written: ${writeReport(run).join(', ')}\n`);
process.exit(0);
