/** Writes the results of a run: raw samples as JSON, charts as SVG, and docs/performance.md for people. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Benchmark, Chart, Goal, Result } from './benchmark.ts';
import { drawChart } from './chart.ts';
import { spread, TOO_NOISY } from './measure.ts';

const root = join(import.meta.dirname, '..');

export interface Run {
  readonly startedAt: string;
  readonly quick: boolean;
  readonly calibration: readonly number[];
  readonly results: readonly { readonly benchmark: Pick<Benchmark, 'name' | 'title'>; readonly result: Result }[];
}

export interface Conditions {
  readonly commit: string;
  readonly node: string;
  readonly machine: string;
  readonly memoryGiB: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** The conditions of the measurement: without them a figure means nothing. */
export function conditions(): Conditions {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const [cpu] = cpus();
  let commit = 'unknown';
  try {
    commit =
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain', '--', 'functions') === '' ? '' : ' (changed)');
  } catch {
    // No git, or no checkout: the figures are valid all the same.
  }
  return {
    commit,
    node: process.version,
    machine: `${cpus().length} x ${cpu?.model ?? 'unknown'}, ${platform()} ${release()}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    versions: manifest.dependencies,
  };
}

/** The machine's own noise during the run: the spread of the time of a fixed calculation. */
export function noise(run: Run): { readonly spread: number; readonly tooNoisy: boolean } {
  const noisiness = spread(run.calibration);
  return { spread: noisiness, tooNoisy: noisiness > TOO_NOISY };
}

const imageOf = ({ file }: Chart) => `perf-${file}.svg`;

export function goalTable(goals: readonly Goal[]): string {
  const rows = goals.map(({ goal, measured, peer, met, cause }) => {
    const verdict = met ? 'met' : `**missed**${cause === undefined ? '' : `: ${cause}`}`;
    return `| ${goal} | ${measured} | ${peer ?? ''} | ${verdict} |`;
  });
  return ['| goal | measured | peer | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

export function markdown(run: Run, where: Conditions, resultFile: string): string {
  const { spread: noisiness, tooNoisy } = noise(run);
  const verdict = tooNoisy
    ? `The machine was **too noisy to conclude** (the time of a fixed calculation varied by ${(noisiness * 100).toFixed(0)} %).`
    : `The time of a fixed calculation, repeated between the measurements, varied by ${(noisiness * 100).toFixed(0)} %.`;
  const sections = run.results.map(({ benchmark, result }) => {
    const images = result.charts.map((chart) => `![${chart.title}](images/${imageOf(chart)})`).join('\n\n');
    return `## ${benchmark.title}\n\n${result.method}\n\n${goalTable(result.goals)}\n\n${images}`;
  });
  const all = run.results.flatMap(({ result }) => result.goals);
  return `# Performance

Measured by \`npm run bench\`, which wrote this page. Every result is a count, or a ratio of things that were measured side by side
in one run. Absolute times are those of one machine and say little about yours. "Today's server" is the peer: a plain Express
token server, as ThoughtSpot's documentation describes one (bench/peers/token-server.ts).

- ${run.startedAt.slice(0, 10)}, commit ${where.commit}, Node ${where.node}
- ${where.machine}, ${where.memoryGiB} GiB
- ${verdict}
- Raw samples: ${resultFile}

${all.filter(({ met }) => met).length} of ${all.length} goals are met.

${sections.join('\n\n')}
`;
}

/** Writes the files and returns their paths, relative to the project. */
export function writeReport(run: Run): readonly string[] {
  const where = conditions();
  const resultFile = `bench/results/${run.startedAt.slice(0, 10)}.json`;
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  mkdirSync(join(root, 'docs/images'), { recursive: true });
  const written = [resultFile, 'docs/performance.md'];
  writeFileSync(join(root, resultFile), `${JSON.stringify({ ...where, ...run }, null, 1)}\n`);
  writeFileSync(join(root, 'docs/performance.md'), markdown(run, where, resultFile));
  for (const chart of run.results.flatMap(({ result }) => result.charts)) {
    const file = `docs/images/${imageOf(chart)}`;
    writeFileSync(join(root, file), drawChart(chart));
    written.push(file);
  }
  return written;
}
