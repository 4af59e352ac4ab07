/**
 * Whether the caller would rather have `text/plain` than `application/json` (RFC 9110, 12.5.1). The higher quality
 * wins, then the range that names the type more closely; on a tie, and if neither is acceptable, JSON.
 */
export function prefersText(accept: string | undefined): boolean {
  const ranges = (accept ?? '').split(',').map(readRange);
  const text = weigh('text', 'plain', ranges);
  const json = weigh('application', 'json', ranges);
  if (text.quality === 0) return false;
  return text.quality > json.quality || (text.quality === json.quality && text.closeness > json.closeness);
}

interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
}
interface Weight {
  readonly quality: number;
  /** 0 not named, 1 by `*`/`*`, 2 by its type, 3 by its full name. */
  readonly closeness: number;
}

function readRange(text: string): Range {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const [type = '', subtype = ''] = range.split('/');
  const given = parameters.find((parameter) => /^q\s*=/.test(parameter))?.replace(/^q\s*=\s*/, '');
  const valid = given === undefined || /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(given);
  return { type, subtype, quality: valid ? Number(given ?? 1) : 0 };
}

/** The closest range decides: `text/plain;q=0, *`/`*` refuses text. */
function weigh(type: string, subtype: string, ranges: readonly Range[]): Weight {
  return ranges.reduce<Weight>(
    (best, range) => {
      const closeness = closenessOf(range, type, subtype);
      if (closeness === 0 || closeness < best.closeness) return best;
      const quality = closeness === best.closeness ? Math.max(best.quality, range.quality) : range.quality;
      return { quality, closeness };
    },
    { quality: 0, closeness: 0 },
  );
}

function closenessOf(range: Range, type: string, subtype: string): number {
  if (range.type === type && range.subtype === subtype) return 3;
  if (range.type === type && range.subtype === '*') return 2;
  return range.type === '*' && range.subtype === '*' ? 1 : 0;
}
