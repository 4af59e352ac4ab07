/**
 * `npm run dashboard`: the dashboard of the template as a picture, with the metrics of a run of the local broker: forty
 * minutes of traffic by everybody's clocks, with a ThoughtSpot outage, a storm and throttling in them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stop as stopBundler } from 'esbuild';
import { readArguments } from '../../local/command.ts';
import { launchBrowser } from '../support/browser.ts';
import { calculate, type CloudWatch } from '../support/cloudwatch.ts';
import { crowd } from '../support/crowd.ts';
import { resources } from '../support/synthesized.ts';
import { lasting, startWatchedBroker, type WatchedBroker } from '../support/watched-broker.ts';

const MINUTE_MS = 60_000;
const MINUTES = 40;
const COLUMN = 60;
const ROW = 46;
const COLORS = [
  '#1f77b4',
  '#d62728',
  '#2ca02c',
  '#9467bd',
  '#ff7f0e',
  '#8c564b',
  '#e377c2',
  '#17becf',
  '#7f7f7f',
  '#bcbd22',
];
const target = join(import.meta.dirname, '../../.cache/dashboard.png');

interface Widget {
  readonly type: 'metric' | 'alarm' | 'text';
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
  readonly properties: {
    readonly title?: string;
    readonly markdown?: string;
    readonly view?: string;
    readonly metrics?: readonly unknown[][];
    readonly alarms?: readonly string[];
  };
}
interface Series {
  readonly label: string;
  readonly right: boolean;
  readonly points: readonly { readonly at: number; readonly value: number | undefined }[];
}

readArguments(
  `npm run dashboard

Draws the dashboard of production into .cache/dashboard.png, with the metrics of forty minutes of a local broker.

--help   this text
`,
  {},
);
const { names, users, cluster } = crowd(40);
const world = await startWatchedBroker({ users, simulator: { cluster } });
const from = world.now();
await run(world);
const to = world.now();
const html = page(world);
await world.close();
void stopBundler();
mkdirSync(join(target, '..'), { recursive: true });
writeFileSync(target.replace('.png', '.html'), html);
const browser = await launchBrowser();
const view = await browser.newPage({ viewport: { width: 24 * COLUMN + 40, height: 900 } });
await view.setContent(html);
await view.screenshot({ path: target, fullPage: true });
await browser.close();
console.log(target);

async function run({ seen, broker, ...watched }: WatchedBroker): Promise<void> {
  for (let minute = 0; minute < MINUTES; minute += 1) {
    const outage = minute >= 25 && minute < 30;
    broker.simulator?.set(
      outage ? { outage: 'error', outageStatus: 503 } : { outage: 'none', latencyMs: minute > 15 ? 300 : 20 },
    );
    const ask = async (user: string, body?: object, path = '/gettoken') => {
      const authorization = `Bearer ${await broker.issuer.accessToken(user, lasting())}`;
      await seen.ask(user, path, { authorization, ...(body && { body }) });
    };
    for (let at = 0; at < 6; at += 1) await ask(names[(minute * 2 + at) % 30] ?? '');
    if (minute % 5 === 0) await watched.probe();
    if (minute % 4 === 0) await ask('mallory');
    if (minute % 3 === 0) await ask(names[minute % 30] ?? '', undefined, '/revoketoken');
    if (minute >= 10 && minute < 14) for (let at = 0; at < 45; at += 1) await ask(names[35] ?? '', { fresh: true });
    await broker.sweep();
    watched.later(Math.max(0, from + (minute + 1) * MINUTE_MS - watched.now()));
    watched.countInvocations();
  }
}

function page({ watch, synthesized }: WatchedBroker): string {
  const [[, dashboard] = []] = resources(synthesized, 'AWS::CloudWatch::Dashboard');
  const { widgets } = JSON.parse(watch.resolve(dashboard?.['DashboardBody'])) as { widgets: Widget[] };
  const style = `body{font:12px sans-serif;margin:20px;background:#fff;position:relative}div{position:absolute;overflow:hidden;
    box-sizing:border-box;border:1px solid #ddd;padding:6px;background:#fff}h3{margin:0 0 2px;font-size:12px}
    .red{background:#d13212;color:#fff}.green{background:#e6f4e6}span{display:inline-block;padding:1px 4px;margin:1px;font-size:10px}
    .legend{font-size:9px;line-height:11px}`;
  const height = Math.max(...widgets.map(({ y, height }) => y + height)) * ROW + 40;
  return `<style>${style}</style><body style="height:${height}px">${widgets.map((widget) => boxOf(watch, widget)).join('')}</body>`;
}

function boxOf(watch: CloudWatch, widget: Widget): string {
  const { x, y, width, height, type, properties } = widget;
  const place = `left:${x * COLUMN + 20}px;top:${y * ROW + 20}px;width:${width * COLUMN}px;height:${height * ROW}px`;
  return `<div style="${place}"><h3>${properties.title ?? ''}</h3>${contentOf(watch, type, widget)}</div>`;
}

function contentOf(watch: CloudWatch, type: Widget['type'], { width, height, properties }: Widget): string {
  if (type === 'text') return `<b>${properties.markdown ?? ''}</b>`;
  if (type === 'alarm') {
    const ringing = watch.ringing(to);
    const shown = [...watch.severities].map(([name, severity]) => {
      const red = ringing.has(name);
      return `<span class="${red ? 'red' : 'green'}">${name}${severity === 'page' ? ' *' : ''}</span>`;
    });
    return `${shown.join('')}<br>${properties.alarms?.length ?? 0} alarms; * pages`;
  }
  const series = seriesOf(watch, properties.metrics ?? []);
  if (properties.view === 'singleValue')
    return series.map(({ label, points }) => `<p>${label}: <b>${points.at(-1)?.value ?? '--'}</b></p>`).join('');
  return chart(series, width * COLUMN - 14, height * ROW - 30);
}

/** The metrics of a widget, as CDK writes them: namespace, name, pairs of dimensions (`.` as above), options. */
function seriesOf(watch: CloudWatch, metrics: readonly unknown[][]): readonly Series[] {
  let above: string[] = [];
  const measured = metrics.map((entry) => {
    const options = entry.find((one): one is Record<string, string | number> => typeof one === 'object') ?? {};
    const words = entry
      .filter((one): one is string => typeof one === 'string')
      .map((one, at) => (one === '.' ? (above[at] ?? '') : one));
    if (words.length > 0) above = words;
    const [namespace = '', name = '', ...pairs] = words;
    const dimensions = Object.fromEntries(
      pairs.flatMap((key, at) => (at % 2 === 0 ? [[key, pairs[at + 1] ?? '']] : [])),
    );
    return { options, namespace, name, dimensions };
  });
  const valueAt = (entry: (typeof measured)[number], start: number, end: number): number | undefined => {
    const { options, ...metric } = entry;
    const expression = options['expression'];
    if (typeof expression !== 'string')
      return watch.value({ ...metric, statistic: String(options['stat'] ?? 'Average'), periodMs: 0 }, start, end);
    const known = measured.filter((one) => one.options['id'] !== undefined && one !== entry && one.namespace !== '');
    return calculate(expression, new Map(known.map((one) => [String(one.options['id']), valueAt(one, start, end)])));
  };
  return measured
    .filter(({ options }) => String(options['visible']) !== 'false')
    .map((entry) => {
      const { options } = entry;
      const periodMs = Number(options['period'] ?? 300) * 1_000;
      const ends = Array.from({ length: MINUTES / 5 }, (_, at) => from + (at + 1) * 5 * MINUTE_MS);
      const points = ends.map((end) => ({ at: end, value: valueAt(entry, end - periodMs, end) }));
      const label = String(options['label'] ?? entry.name);
      return { label, right: options['yAxis'] === 'right', points };
    });
}

function chart(series: readonly Series[], width: number, height: number): string {
  const plot = height - 12 * Math.ceil(series.length / 3) - 8;
  const line = ({ points, right }: Series, color: string): string => {
    const side = series
      .filter((one) => one.right === right)
      .flatMap((one) => one.points.map(({ value }) => value ?? 0));
    const [most, least] = [Math.max(1, ...side), Math.min(0, ...side)];
    const known = points.flatMap(({ at, value }) => (value === undefined ? [] : [{ at, value }]));
    const places = known.map(({ at, value }) => {
      const x = 30 + ((at - from) / (to - from)) * (width - 60);
      return [x, plot - ((value - least) / (most - least)) * (plot - 14)] as const;
    });
    const path = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
    const dots = places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="2" fill="${color}"/>`).join('');
    const axis = `<text x="${right ? width - 28 : 0}" y="10" font-size="9">${most.toFixed(most < 10 ? 1 : 0)}</text>`;
    return `${axis}<polyline points="${path}" fill="none" stroke="${color}" ${right ? 'stroke-dasharray="3"' : ''}/>${dots}`;
  };
  const lines = series.map((one, at) => line(one, COLORS[at % COLORS.length] ?? '#000'));
  const legend = series.map(({ label, points }, at) => {
    const empty = points.every(({ value }) => value === undefined) ? ' (no data)' : '';
    return `<span style="color:${COLORS[at % COLORS.length]}">${label}${empty}</span>`;
  });
  return `<svg width="${width}" height="${plot}"><line x1="30" x2="${width - 30}" y1="${plot}" y2="${plot}" stroke="#999"/>${lines.join('')}</svg><p class="legend" style="margin:0">${legend.join('')}</p>`;
}
