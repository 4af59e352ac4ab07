/** A minute of traffic as a chart: tokens minted and served again, other answers, and how long answers took. */
import { shape } from '../thoughtspot/embed/charts.ts';
import { byId, element } from './element.ts';
import type { OutputLine } from '../lambda/output.ts';

const SECONDS = 60;
const [NARROWEST, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [260, 180, 26, 52, 10, 24];

export interface Second {
  minted: number;
  reused: number;
  other: number;
  /** Of the answers in this second, ms. */
  durations: number[];
}

interface LogLine {
  readonly message?: string;
  readonly audit?: boolean;
  readonly action?: string;
  readonly fields?: { readonly durationMs?: number; readonly route?: string };
}

function parsed(text: string): LogLine {
  if (!text.startsWith('{')) return {};
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return {};
  }
}

/** The last minute before `now` (epoch ms), second by second, oldest first, from what the functions printed. */
export function secondsOf(lines: readonly OutputLine[], now: number): readonly Second[] {
  const seconds = Array.from({ length: SECONDS }, (): Second => ({ minted: 0, reused: 0, other: 0, durations: [] }));
  for (const { at, text } of lines) {
    const second = seconds[SECONDS - 1 - Math.floor((now - at) / 1_000)];
    if (second === undefined) continue;
    const { audit, action, message, fields } = parsed(text);
    if (audit === true && action === 'mint') second.minted += 1;
    if (audit === true && action === 'reuse') second.reused += 1;
    // But for operators, of whom one is this page.
    if (message === 'request' && fields?.durationMs !== undefined && fields.route?.startsWith('/operator/') !== true) {
      second.durations.push(fields.durationMs);
      second.other += 1;
    }
  }
  // A request that minted or served again has a bar of its own.
  for (const second of seconds) second.other = Math.max(0, second.other - second.minted - second.reused);
  return seconds;
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
const sum = (seconds: readonly Second[], count: (second: Second) => number): number =>
  seconds.reduce((total, second) => total + count(second), 0);

/** `width` in px, so that text keeps its size. */
function draw(seconds: readonly Second[], width: number): SVGElement {
  const most = Math.max(4, ...seconds.map(({ minted, reused, other }) => minted + reused + other));
  const slowest = Math.max(50, ...seconds.map(({ durations }) => median(durations)));
  const [plotWidth, plotHeight] = [width - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];
  const step = plotWidth / SECONDS;
  const y = (share: number): number => TOP + plotHeight * (1 - share);
  const grid = [0, 0.5, 1].flatMap((share) => [
    shape('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) }),
    shape('text', { x: LEFT - 6, y: y(share) + 4, 'text-anchor': 'end' }, String(Math.round(most * share))),
    shape('text', { x: width - RIGHT + 6, y: y(share) + 4 }, `${Math.round(slowest * share)} ms`),
  ]);
  const labels = [60, 30, 0].map((ago) =>
    shape(
      'text',
      { x: LEFT + plotWidth * (1 - ago / SECONDS), y: HEIGHT - 6, 'text-anchor': ago === 0 ? 'end' : 'middle' },
      ago === 0 ? 'now' : `${ago} s ago`,
    ),
  );
  const bars = seconds.flatMap((second, index) => {
    let below = 0;
    return (['minted', 'reused', 'other'] as const).flatMap((kind) => {
      const height = (second[kind] / most) * plotHeight;
      if (height === 0) return [];
      below += height;
      return [
        shape('rect', {
          class: kind,
          x: LEFT + index * step + 1,
          y: TOP + plotHeight - below,
          width: step - 2,
          height,
        }),
      ];
    });
  });
  const points = seconds.flatMap(({ durations }, index) =>
    durations.length === 0 ? [] : [[LEFT + (index + 0.5) * step, y(median(durations) / slowest)] as const],
  );
  const marks = points.map(([cx, cy]) => shape('circle', { class: 'latency', cx, cy, r: 3 }));
  const line = shape('polyline', { class: 'latency', points: points.map((point) => point.join()).join(' ') });
  const words =
    `Last minute: ${sum(seconds, ({ minted }) => minted)} minted, ${sum(seconds, ({ reused }) => reused)} served again, ` +
    `${sum(seconds, ({ other }) => other)} other answers`;
  const svg = shape('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': words });
  svg.append(...grid, ...labels, ...bars, line, ...marks);
  return svg;
}

/** Draws the frame once; the answer draws the minute, as often as there is news. */
export function showTraffic(): (lines: readonly OutputLine[]) => void {
  const picture = element('div', { class: 'chart' });
  const counts = { minted: element('b'), reused: element('b'), other: element('b'), latency: element('b') };
  const key = (kind: keyof typeof counts, label: string) =>
    element('li', {}, element('span', { class: `key ${kind}` }), `${label} `, counts[kind]);
  byId('traffic').replaceChildren(
    element('h2', { id: 'traffic-title' }, 'Traffic, last minute'),
    picture,
    element(
      'ul',
      { class: 'legend' },
      key('minted', 'minted'),
      key('reused', 'served again'),
      key('other', 'other answers'),
      key('latency', 'median answer'),
    ),
  );
  return (lines) => {
    const seconds = secondsOf(lines, Date.now());
    picture.replaceChildren(draw(seconds, Math.max(NARROWEST, picture.clientWidth)));
    for (const kind of ['minted', 'reused', 'other'] as const) {
      counts[kind].textContent = String(sum(seconds, (second) => second[kind]));
    }
    const durations = seconds.flatMap((second) => second.durations);
    counts.latency.textContent = durations.length === 0 ? 'none' : `${Math.round(median(durations))} ms`;
  };
}
