/** How many cases each fuzz test runs, and generators that several share. */
import fc from 'fast-check';

/** A test with `share` runs that part of 5,000 cases on every change, of 1,000,000 with NIGHTLY. */
export function cases(share: number): { numRuns: number; endOnFailure: boolean; seed?: number } {
  const nightly = process.env['NIGHTLY'] === '1';
  const seed = process.env['SEED'];
  // Shrinking cases of this size takes minutes; the seed and path of a failure are printed, and repeat it.
  const numRuns = (nightly ? 1_000_000 : 5_000) * share;
  return { numRuns, endOnFailure: true, ...(seed === undefined ? {} : { seed: Number(seed) }) };
}

/** Jest's limit for a fuzz test, ms. */
export const FUZZ_LIMIT_MS = process.env['NIGHTLY'] === '1' ? 6 * 3_600_000 : 60_000;

/** Stands in every place where a case has room for a secret. */
export const CANARY = 'canary-7f3d9a51c04e-must-never-be-seen-anywhere';

/** Text that parsers stumble over, and text of any kind. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '\r\n',
    '\ud800',
    '__proto__',
    'constructor',
    '[a b]',
    '1e999',
    '-0',
    '\u202e',
    'null',
  ),
  fc.constantFrom('a'.repeat(20_000), '%', '%ff', '"', '\\', '../../etc/passwd', CANARY),
);

/** Values of any JSON shape, with odd names and the canary among them. */
export const oddValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    oddText,
    fc.constantFrom(null, true, false, 0, -1, 1.5, 2 ** 53, 1e308, 300),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(oddText, tie('value'), { maxKeys: 4 }),
  ),
})).value;

/** A document with some of its members, at any depth, replaced, renamed or left out. */
export function spoiled<T extends object>(document: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  return fc
    .tuple(document, fc.array(fc.tuple(fc.nat(), fc.nat(3), oddValue), { minLength: 1, maxLength: 3 }))
    .map(([whole, changes]) => {
      const copy = JSON.parse(JSON.stringify(whole)) as object;
      for (const [where, how, value] of changes) {
        const places = placesIn(copy);
        const place = places[where % places.length];
        if (place === undefined) continue;
        if (how === 0) Reflect.deleteProperty(place.holder, place.name);
        else if (how === 1) define(place.holder, `${place.name}x`, value);
        else define(place.holder, place.name, value);
      }
      return copy;
    });
}

function define(holder: object, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

function placesIn(holder: object): { holder: object; name: string }[] {
  return Object.entries(holder).flatMap(([name, value]: [string, unknown]) => [
    { holder, name },
    ...(typeof value === 'object' && value !== null ? placesIn(value) : []),
  ]);
}
