/** The fuzz targets with their shares of a run, what every target does, and generators that several share. */
import fc from 'fast-check';

/** Each of the targets, and which part of all cases it gets. */
export const SHARES = {
  'HTTP requests': 0.2,
  'direct events': 0.18,
  'access tokens': 0.15,
  'logout tokens': 0.1,
  "operators' requests": 0.03,
  policies: 0.08,
  'policies at a function': 0.03,
  secrets: 0.12,
  'replies to a mint': 0.05,
  'replies to a revocation': 0.06,
} as const;
export type Target = keyof typeof SHARES;

const NIGHTLY = process.env['NIGHTLY'] === '1';
/** Of all targets together. */
const CASES = Number(process.env['CASES'] ?? (NIGHTLY ? 1_000_000 : 5_000));
const LIMIT_MS = CASES > 5_000 ? 6 * 3_600_000 : 60_000;

/** Counts a case under a word, as `accepted`. */
export type Count = (word: string) => void;

/** A test that runs the target's share of the cases, and prints how many there were of which kind. */
export function fuzz(title: string, target: Target, property: (count: Count) => fc.IRawProperty<unknown>): void {
  test(
    title,
    async () => {
      const counts = new Map<string, number>();
      const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
      const numRuns = Math.round(CASES * SHARES[target]);
      // Shrinking cases of this size takes minutes; the seed and path of a failure are printed, and repeat it.
      const parameters = { numRuns, endOnFailure: true, seed };
      await fc.assert(
        property((word) => void counts.set(word, (counts.get(word) ?? 0) + 1)) as fc.IAsyncProperty<unknown>,
        parameters,
      );
      const words = [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
      const kinds = words.map(([word, count]) => `${word} ${count.toLocaleString('en')}`).join(', ');
      process.stdout.write(`fuzz: ${numRuns.toLocaleString('en')} cases of ${target} (${kinds}), seed ${seed}\n`);
    },
    LIMIT_MS,
  );
}

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
