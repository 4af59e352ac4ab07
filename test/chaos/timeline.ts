/** Draws a run: a lane per fault, the answers above, the audits below. As text for a terminal, and as SVG. */
import { FAULT_NAMES } from './plan.ts';
import type { ChaosReport } from './run.ts';

const BARS = '▁▂▃▄▅▆▇█';

interface Buckets {
  readonly good: readonly number[];
  readonly refused: readonly number[];
}

/** Answers per equal interval of the run: those that gave what was asked for, and those that did not. */
function bucketsOf({ answers }: ChaosReport, count: number, lengthMs: number): Buckets {
  const good = Array<number>(count).fill(0);
  const refused = Array<number>(count).fill(0);
  for (const { at, status } of answers) {
    const index = Math.min(count - 1, Math.floor((at / lengthMs) * count));
    const counts = status >= 200 && status < 300 ? good : refused;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return { good, refused };
}

function lengthOf({ plan, spans, checkpoints }: ChaosReport): number {
  return Math.max(plan.durationMs, ...spans.map(({ to }) => to), ...checkpoints.map(({ at }) => at));
}

export function textTimeline(report: ChaosReport, width = 72): string {
  const lengthMs = lengthOf(report);
  const column = (at: number) => Math.min(width - 1, Math.floor((at / lengthMs) * width));
  const { good, refused } = bucketsOf(report, width, lengthMs);
  const most = Math.max(1, ...good, ...refused);
  const spark = (counts: readonly number[]) =>
    counts.map((n) => (n === 0 ? ' ' : BARS[Math.min(7, Math.floor((n / most) * 7.99))])).join('');
  const lane = (marks: readonly { readonly from: number; readonly to: number }[]) => {
    const cells = Array<string>(width).fill('·');
    for (const { from, to } of marks) {
      const [first, last] = [column(from), column(to)];
      if (to - from < 250) cells[first] = '◆';
      else for (let at = first; at <= last; at += 1) cells[at] = '█';
    }
    return cells.join('');
  };
  const audits = Array<string>(width).fill(' ');
  for (const { at, violations } of report.checkpoints) audits[column(at)] = violations.length === 0 ? '✓' : '✗';

  const seconds = `${Math.round(lengthMs / 1000)} s`;
  const rows: (readonly [string, string])[] = [
    ['', `0${seconds.padStart(width - 1)}`],
    ['answers: granted', spark(good)],
    ['answers: refused', spark(refused)],
    ...FAULT_NAMES.map((name) => [name, lane(report.spans.filter((span) => span.name === name))] as const),
    ['time jumps', lane(report.passages.map(({ at }) => ({ from: at, to: at })))],
    ['audit', audits.join('')],
  ];
  return rows.map(([name, line]) => `${name.padStart(22)} ${line}`.trimEnd()).join('\n');
}

const LEFT = 170;
const WIDTH = 780;
const CHART = 70;
const LANE = 20;

/** Light or dark as the reader has set it. Each mark shows its times as a tooltip. */
export function svgTimeline(report: ChaosReport): string {
  const lengthMs = lengthOf(report);
  const x = (at: number) => Math.round((LEFT + (at / lengthMs) * WIDTH) * 10) / 10;
  const top = 50 + CHART;
  const bottom = top + 20 + FAULT_NAMES.length * LANE;
  const height = bottom + 56;
  const second = (at: number) => `${(at / 1000).toFixed(1)} s`;

  const bars = 130;
  const { good, refused } = bucketsOf(report, bars, lengthMs);
  const most = Math.max(1, ...good.map((count, index) => count + (refused[index] ?? 0)));
  const barWidth = WIDTH / bars;
  const chart = good.flatMap((count, index) => {
    const bad = refused[index] ?? 0;
    const up = (n: number) => Math.round((n / most) * CHART * 10) / 10;
    const at = (LEFT + index * barWidth).toFixed(1);
    const bar = (kind: string, n: number, under: number) =>
      n === 0
        ? []
        : [
            `<rect class="${kind}" x="${at}" y="${(top - up(n + under)).toFixed(1)}" width="${(barWidth - 1).toFixed(1)}" height="${up(n)}"/>`,
          ];
    return [...bar('good', count, 0), ...bar('bad', bad, count)];
  });

  const lanes = FAULT_NAMES.flatMap((name, index) => {
    const y = top + 20 + index * LANE;
    const marks = report.spans
      .filter((span) => span.name === name)
      .map(({ from, to }) => {
        const title = `<title>${name}, ${second(from)} to ${second(to)}</title>`;
        return `<rect class="fault" x="${x(from)}" y="${y + 3}" width="${Math.max(4, x(to) - x(from)).toFixed(1)}" height="${LANE - 6}" rx="2">${title}</rect>`;
      });
    return [
      `<text x="${LEFT - 10}" y="${y + 14}" text-anchor="end">${name}</text>`,
      `<line class="grid" x1="${LEFT}" x2="${LEFT + WIDTH}" y1="${y + LANE / 2}" y2="${y + LANE / 2}"/>`,
      ...marks,
    ];
  });
  const audits = report.checkpoints.map(({ at, live, violations }) => {
    const fine = violations.length === 0;
    const title = `<title>${second(at)}: ${live} live tokens, ${fine ? 'each with its row' : violations.length + ' broken promises'}</title>`;
    return `<text class="${fine ? 'fine' : 'wrong'}" x="${x(at)}" y="${bottom + 16}" text-anchor="middle">${fine ? '✓' : '✗'}${title}</text>`;
  });
  const passages = report.passages.map(({ at, ms }) => {
    const title = `<title>${second(at)}: time jumps ahead by ${Math.round(ms / 1000)} s</title>`;
    return `<line class="passage" x1="${x(at)}" x2="${x(at)}" y1="${top + 14}" y2="${bottom}">${title}</line>`;
  });
  const every = [5, 10, 20, 30, 60, 120, 300].find((step) => lengthMs / 1000 / step <= 12) ?? 600;
  const ticks = Array.from({ length: Math.floor(lengthMs / 1000 / every) + 1 }, (_, index) => {
    const at = index * every * 1000;
    return `<text class="tick" x="${x(at)}" y="${bottom + 40}" text-anchor="middle">${index * every} s</text>`;
  });

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 30} ${height}" role="img" aria-label="Timeline of a run of chaos: answers, faults, audits">
<style>
  svg { background: #fff; font: 12px system-ui, sans-serif; }
  text { fill: #24292f; } .tick { fill: #57606a; } .grid { stroke: #d0d7de; stroke-dasharray: 2 4; }
  .passage { stroke: #8250df; stroke-width: 1.5; }
  .good { fill: #2da44e; } .bad { fill: #bf8700; } .fault { fill: #cf222e; } .fine { fill: #1a7f37; } .wrong { fill: #cf222e; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; } text { fill: #e6edf3; } .tick { fill: #8b949e; } .grid { stroke: #30363d; }
    .passage { stroke: #a371f7; }
    .good { fill: #3fb950; } .bad { fill: #d29922; } .fault { fill: #f85149; } .fine { fill: #3fb950; } .wrong { fill: #f85149; }
  }
</style>
<text x="${LEFT}" y="20">seed ${report.plan.seed}: ${report.answers.length} answers, ${report.spans.length} faults, ${report.checkpoints.length} audits</text>
<rect class="good" x="${LEFT}" y="29" width="10" height="10"/><text x="${LEFT + 16}" y="38">granted</text>
<rect class="bad" x="${LEFT + 80}" y="29" width="10" height="10"/><text x="${LEFT + 96}" y="38">refused with a code, or by the gateway</text>
<line class="passage" x1="${LEFT + 345}" x2="${LEFT + 345}" y1="28" y2="40"/><text x="${LEFT + 352}" y="38">time jumps: ${Math.round(report.plan.simulatedMs / 60_000)} simulated minutes in this run</text>
<text x="${LEFT - 10}" y="${top - 4}" text-anchor="end">answers</text>
${chart.join('\n')}
${passages.join('\n')}
${lanes.join('\n')}
<text x="${LEFT - 10}" y="${bottom + 16}" text-anchor="end">audit</text>
${audits.join('\n')}
${ticks.join('\n')}
</svg>
`;
}
