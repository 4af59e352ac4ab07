/** Charts as inline SVG, coloured by the style sheet so that they follow light and dark. */

export interface Point {
  label: string;
  value: number;
}

const SVG = 'http://www.w3.org/2000/svg';
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
export const format = (value: number): string => compact.format(value);

export function shape(name: string, attributes: Readonly<Record<string, string | number>>, text?: string): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

function canvas(width: number, height: number, points: readonly Point[], parts: readonly SVGElement[]): SVGElement {
  const words = points.map(({ label, value }) => `${label} ${format(value)}`).join(', ');
  const svg = shape('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': words });
  svg.append(...parts);
  return svg;
}

function emptyChart(): HTMLElement {
  const note = document.createElement('p');
  note.className = 'empty';
  note.textContent = 'No data that you may see.';
  return note;
}

/** A curve over the months, with the area below it. `width` is in px, so that text keeps its size. */
export function curve(points: readonly Point[], width: number): Element {
  const most = Math.max(...points.map((point) => point.value), 0);
  if (most === 0) return emptyChart();
  const [height, left, bottom] = [220, 44, 26];
  const initialsOnly = width < 480;
  const x = (at: number): number => left + (at / Math.max(points.length - 1, 1)) * (width - left - 16);
  const y = (value: number): number => height - bottom - (value / most) * (height - bottom - 16);
  const line = points
    .map((point, at) => `${at === 0 ? 'M' : 'L'}${x(at).toFixed(1)},${y(point.value).toFixed(1)}`)
    .join('');
  const base = `L${x(points.length - 1)},${height - bottom}L${left},${height - bottom}Z`;
  const grid = [0, 0.5, 1].flatMap((share) => [
    shape('line', { class: 'grid', x1: left, x2: width - 16, y1: y(most * share), y2: y(most * share) }),
    shape('text', { x: left - 8, y: y(most * share) + 4, 'text-anchor': 'end' }, format(most * share)),
  ]);
  const labels = points.map((point, at) =>
    shape(
      'text',
      { x: x(at), y: height - 6, 'text-anchor': 'middle' },
      initialsOnly ? point.label.slice(0, 1) : point.label,
    ),
  );
  return canvas(width, height, points, [
    shape('path', { class: 'area', d: line + base }),
    ...grid,
    shape('path', { class: 'curve', d: line }),
    ...labels,
  ]);
}

/** Horizontal bars, the longest first. `width` is in px. */
export function bars(points: readonly Point[], width: number): Element {
  const sorted = points.filter((point) => point.value > 0).sort((one, other) => other.value - one.value);
  const most = sorted[0]?.value;
  if (most === undefined) return emptyChart();
  const [row, left, right] = [34, 84, 56];
  const parts = sorted.flatMap((point, at) => {
    const length = (point.value / most) * (width - left - right);
    const middle = at * row + row / 2;
    return [
      shape('text', { x: left - 10, y: middle + 4, 'text-anchor': 'end' }, point.label),
      shape('rect', { class: 'bar', x: left, y: middle - 10, width: Math.max(length, 2), height: 20, rx: 4 }),
      shape('text', { class: 'value', x: left + length + 8, y: middle + 4 }, format(point.value)),
    ];
  });
  return canvas(width, sorted.length * row, sorted, parts);
}
