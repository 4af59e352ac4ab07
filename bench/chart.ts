/** Charts as SVG: light or dark as the reader has set it, readable without colour, sized for a README. */
import type { Bar, Chart, Line } from './benchmark.ts';

const STYLE = `
  :root { color-scheme: light dark }
  text { font: 13px system-ui, sans-serif; fill: #1f2933 }
  .title { font-weight: 600; font-size: 15px }
  .faint { fill: #52606d }
  .grid { stroke: #cbd2d9; stroke-width: 1 }
  .ours { fill: #2563eb; stroke: #2563eb }
  .peer { fill: #b45309; stroke: #b45309 }
  .floor { fill: #7b8794; stroke: #7b8794 }
  .line { fill: none; stroke-width: 2.5 }
  .peer.line { stroke-dasharray: 7 4 }
  .floor.line { stroke-dasharray: 2 4 }
  .spread { stroke: #1f2933; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb }
    .faint { fill: #9aa5b1 }
    .grid { stroke: #3e4c59 }
    .ours { fill: #60a5fa; stroke: #60a5fa }
    .peer { fill: #fbbf24; stroke: #fbbf24 }
    .floor { fill: #9aa5b1; stroke: #9aa5b1 }
    .spread { stroke: #e4e7eb }
  }`;

const WIDTH = 720;
const escape = (text: string) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

export function formatNumber(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return Number(value.toPrecision(3)).toString();
}

function frame(title: string, height: number, body: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">
<style>${STYLE}
</style>
<text class="title" x="16" y="26">${escape(title)}</text>
${body}
</svg>
`;
}

function bars(title: string, unit: string, rows: readonly Bar[]): string {
  const left = 230;
  const room = WIDTH - left - 110;
  const top = Math.max(...rows.map((row) => row.value + (row.spread ?? 0)), Number.MIN_VALUE);
  const x = (value: number) => left + (value / top) * room;
  const body = rows.map((row, index) => {
    const y = 46 + index * 34;
    const half = row.spread ?? 0;
    const whisker =
      half > 0
        ? `<line class="spread" x1="${x(Math.max(0, row.value - half)).toFixed(1)}" x2="${x(row.value + half).toFixed(1)}" y1="${y + 11}" y2="${y + 11}"/>`
        : '';
    return `<text x="${left - 10}" y="${y + 16}" text-anchor="end">${escape(row.label)}</text>
<rect class="${row.tone}" x="${left}" y="${y}" width="${Math.max(1, x(row.value) - left).toFixed(1)}" height="22" rx="3"/>${whisker}
<text x="${(x(row.value + half) + 8).toFixed(1)}" y="${y + 16}">${formatNumber(row.value)} ${escape(unit)}</text>`;
  });
  return frame(title, 60 + rows.length * 34, body.join('\n'));
}

function lines(chart: Extract<Chart, { kind: 'lines' }>): string {
  const [left, right, top, bottom] = [70, WIDTH - 150, 50, 290];
  const all = chart.lines.flatMap((line) => line.points);
  const scaleX = (value: number) => (chart.logX === true ? Math.log10(Math.max(value, 1)) : value);
  const xs = all.map(([x]) => scaleX(x));
  const [minX, maxX] = [Math.min(...xs), Math.max(...xs)];
  const maxY = Math.max(...all.map(([, y]) => y), Number.MIN_VALUE) * 1.08;
  const x = (value: number) => left + ((scaleX(value) - minX) / (maxX - minX || 1)) * (right - left);
  const y = (value: number) => bottom - (value / maxY) * (bottom - top);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(share * maxY).toFixed(1);
    return `<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text class="faint" x="${left - 8}" y="${Number(at) + 4}" text-anchor="end">${formatNumber(share * maxY)}</text>`;
  });
  const ticks = [...new Set(all.map(([value]) => value))].sort((a, b) => a - b);
  const step = Math.ceil(ticks.length / 6);
  const labels = ticks
    .filter((_, index) => index % step === 0 || index === ticks.length - 1)
    .map(
      (value) =>
        `<text class="faint" x="${x(value).toFixed(1)}" y="${bottom + 20}" text-anchor="middle">${formatNumber(value)}</text>`,
    );
  const drawn = chart.lines.map((line: Line, index) => {
    const path = line.points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ');
    const legendY = top + 14 + index * 22;
    return `<polyline class="${line.tone} line" points="${path}"/>
<line class="${line.tone} line" x1="${right + 14}" x2="${right + 40}" y1="${legendY - 4}" y2="${legendY - 4}"/><text x="${right + 46}" y="${legendY}">${escape(line.label)}</text>`;
  });
  const axes = `<text class="faint" x="${(left + right) / 2}" y="${bottom + 42}" text-anchor="middle">${escape(chart.xLabel)}</text><text class="faint" x="16" y="42">${escape(chart.yLabel)}</text>`;
  return frame(chart.title, bottom + 56, [...grid, ...labels, ...drawn, axes].join('\n'));
}

export function drawChart(chart: Chart): string {
  return chart.kind === 'bars' ? bars(chart.title, chart.unit, chart.bars) : lines(chart);
}
