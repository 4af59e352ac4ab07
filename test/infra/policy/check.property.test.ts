import fc from 'fast-check';
import { PolicyError } from '../../../infra/policy/policy-error.ts';
import { compilePolicy, policyDocument, runs } from '../../support/policy-documents.ts';

function compilesOrExplains(document: unknown): boolean {
  try {
    compilePolicy(document);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError);
    expect((error as PolicyError).faults.length).toBeGreaterThan(0);
    return false;
  }
}

/** A document that was right until something in it was replaced, left out or added. */
const spoiled = fc
  .tuple(policyDocument, fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.jsonValue()), { minLength: 1, maxLength: 3 }))
  .map(([document, changes]) => {
    const copy = JSON.parse(JSON.stringify(document)) as object;
    for (const [where, how, value] of changes) {
      const places = placesIn(copy);
      const place = places[where % places.length];
      if (!place) continue;
      if (how === 0) Reflect.deleteProperty(place.holder, place.name);
      else if (how === 1) Reflect.set(place.holder, `${place.name}x`, value);
      else Reflect.set(place.holder, place.name, value);
    }
    return copy;
  });

function placesIn(holder: object): { holder: object; name: string }[] {
  return Object.entries(holder).flatMap(([name, value]: [string, unknown]) => [
    { holder, name },
    ...(typeof value === 'object' && value !== null ? placesIn(value) : []),
  ]);
}

describe('the compiler throws nothing but its own error', () => {
  it('on arbitrary JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => void compilesOrExplains(document)),
      runs(1_000, 50_000),
    );
  });

  it('on documents with something wrong in them', () => {
    fc.assert(
      fc.property(spoiled, (document) => void compilesOrExplains(document)),
      runs(1_000, 50_000),
    );
  });

  it('on nesting without end', () => {
    const nest = (open: string, close: string, depth: number): unknown =>
      JSON.parse(`${open.repeat(depth)}1${close.repeat(depth)}`);
    for (const depth of [30, 50, 20_000]) {
      expect(compilesOrExplains(nest('[', ']', depth))).toBe(false);
      const condition = nest('{"not":', '}', depth);
      expect(compilesOrExplains({ version: 1, rules: [{ name: 'a', when: condition }] })).toBe(false);
    }
    const circle: { rules?: unknown } = {};
    circle.rules = [circle];
    expect(compilesOrExplains(circle)).toBe(false);
  });

  it('on conditions that are made to be hard to compare', () => {
    let [hard, harder]: object[] = [
      { claim: 'a', equals: 1 },
      { claim: 'a', equals: 2 },
    ];
    for (let depth = 0; depth < 9; depth += 1) {
      hard = { all: [{ any: [hard, { claim: `b${depth}`, equals: 1 }] }, { claim: `c${depth}`, present: true }] };
      harder = {
        any: [{ all: [harder ?? {}, { claim: `d${depth}`, equals: 1 }] }, { claim: `e${depth}`, present: true }],
      };
    }
    const rules = [hard, harder].map((when, index) => ({
      name: `rule-${index}`,
      when,
      user: { claim: 'a' },
      org: 0,
      grants: [{ name: 'full', kind: 'full', validity: { defaultSeconds: 1, minSeconds: 1, maxSeconds: 1 } }],
    }));
    expect(compilesOrExplains({ version: 1, rules })).toBe(true);
  });
});
