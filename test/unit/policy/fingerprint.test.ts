import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { Rights } from '../../../functions/broker/ports.ts';
import { decide } from '../../../functions/policy/decide.ts';
import { canonicalJson, fingerprint, type TokenShape } from '../../../functions/policy/fingerprint.ts';
import {
  callerWith,
  compilePolicy,
  FACTS,
  fullGrant,
  policyWith,
  rule,
  runs,
  sha256,
  validity,
} from '../../support/policy-documents.ts';

const custom: Extract<Rights, { kind: 'custom' }> = {
  kind: 'custom',
  persist: 'REPLACE',
  variables: [{ name: 'region', values: ['emea'] }],
  filters: [{ column: 'Region', operator: 'IN', values: ['emea'] }],
  parameters: [{ name: 'p', values: ['1'] }],
  groups: ['analysts'],
  objects: [{ type: 'LOGICAL_TABLE', identifier: 'o' }],
};
const shape: TokenShape = {
  host: 'https://ts.example',
  user: 'alice',
  serviceAccount: false,
  orgId: 1,
  rights: custom,
  share: false,
  provisioning: { groups: ['analysts'], displayName: 'Alice', email: 'a@b' },
  requestedSeconds: 300,
  caller: { issuer: 'https://issuer.example', subject: 'user-alice' },
};
const printOf = (changed: Partial<TokenShape> = {}): string => fingerprint({ ...shape, ...changed }, sha256);

describe('a fingerprint', () => {
  it.each<[string, Partial<TokenShape>]>([
    ['the host', { host: 'https://other.example' }],
    ['the user', { user: 'bob' }],
    ['the spelling of the user', { user: 'Alice' }],
    ['whether it is the service account', { serviceAccount: true }],
    ['the org', { orgId: 2 }],
    ['the kind', { rights: { kind: 'full' } }],
    ['the object', { rights: { kind: 'object', objectId: 'o' } }],
    ['persist_option', { rights: { ...custom, persist: 'APPEND' } }],
    ['a value of a variable', { rights: { ...custom, variables: [{ name: 'region', values: ['amer'] }] } }],
    ['the name of a variable', { rights: { ...custom, variables: [{ name: 'area', values: ['emea'] }] } }],
    ['a filter', { rights: { ...custom, filters: [] } }],
    [
      'the operator of a filter',
      { rights: { ...custom, filters: [{ column: 'Region', operator: 'NE', values: ['emea'] }] } },
    ],
    ['a value of a parameter', { rights: { ...custom, parameters: [{ name: 'p', values: ['2'] }] } }],
    ['the name of a parameter', { rights: { ...custom, parameters: [{ name: 'q', values: ['1'] }] } }],
    ['an object', { rights: { ...custom, objects: [{ type: 'LOGICAL_TABLE', identifier: 'p' }] } }],
    ['a parameter', { rights: { ...custom, parameters: [] } }],
    ['the groups', { rights: { ...custom, groups: [] } }],
    ['the objects', { rights: { ...custom, objects: [{ identifier: 'o' }] } }],
    ['whether it provisions', { provisioning: null }],
    ['the groups of provisioning', { provisioning: { groups: [], displayName: 'Alice', email: 'a@b' } }],
    ['the address of provisioning', { provisioning: { groups: ['analysts'], displayName: 'Alice' } }],
    ['the validity', { requestedSeconds: 301 }],
    ['the issuer of the caller', { caller: { ...shape.caller, issuer: 'https://other.example' } }],
    ['the subject of the caller', { caller: { ...shape.caller, subject: 'user-bob' } }],
    ['whether callers share', { share: true }],
  ])('changes with %s', (_, changed) => {
    expect(printOf(changed)).not.toBe(printOf());
  });

  it('is what it was in the last release: another one would serve nobody the token they hold', () => {
    expect(printOf()).toBe('moIfGuJUY6zYpgn1Gi_zY9EFpU-ShF0yS2_Bq7yPuqQ');
    expect(printOf({ provisioning: null, rights: { kind: 'full' }, share: true })).toBe(
      '0Z7C2f3t7frg6QWWwO7JS9hjYs0HPadEytPnYr0_TZE',
    );
  });

  it('leaves out what is undefined, as JSON does', () => {
    expect(canonicalJson({ b: undefined, a: [1, { c: null, b: undefined }] })).toBe('{"a":[1,{"c":null}]}');
  });

  it('is the same for every caller where the rule shares, and has 43 characters of base64url', () => {
    const other = { issuer: 'https://other.example', subject: 'someone' };
    expect(printOf({ share: true, caller: other })).toBe(printOf({ share: true }));
    expect(printOf()).toMatch(/^[\w-]{43}$/);
  });

  it('is equal exactly where everything that shapes the token is equal', () => {
    const few = <T>(...items: T[]) => fc.constantFrom(...items);
    const words = fc.array(few('a', 'b', 'a,b'), { maxLength: 2 });
    const named = fc.array(fc.record({ name: few('a', 'b'), values: words }), { maxLength: 2 });
    const rights = fc.oneof(
      few<Rights>({ kind: 'full' }, { kind: 'object', objectId: 'a' }, { kind: 'object', objectId: 'b' }),
      fc.record({
        kind: fc.constant('custom' as const),
        persist: few('NONE' as const, 'APPEND' as const),
        variables: named,
        filters: few([], [{ column: 'a', operator: 'EQ', values: ['b'] }]),
        parameters: named,
        groups: words,
        objects: few([], [{ identifier: 'a' }], [{ type: 'a', identifier: 'a' }]),
      }),
    );
    const shapes: fc.Arbitrary<TokenShape> = fc.record({
      host: few('h', 'i'),
      user: few('a', 'b'),
      serviceAccount: fc.boolean(),
      orgId: few(1, 11),
      rights,
      share: fc.boolean(),
      provisioning: fc.option(fc.record({ groups: words, email: few('a', 'b') })),
      requestedSeconds: few(1, 11),
      caller: fc.record({ issuer: few('a', 'ab'), subject: few('b', 'bc') }),
    });
    const meaning = ({ caller, ...rest }: TokenShape): unknown =>
      JSON.parse(JSON.stringify(rest.share ? rest : { ...rest, caller }));
    // Pairs that differ in one member are the ones that a digest could miss; unrelated pairs nearly always differ.
    const pairs = fc.tuple(shapes, shapes, fc.subarray(Object.keys(shape) as (keyof TokenShape)[], { maxLength: 2 }));
    fc.assert(
      fc.property(pairs, ([one, other, members]) => {
        const near: TokenShape = { ...one, ...Object.fromEntries(members.map((member) => [member, other[member]])) };
        const same = isDeepStrictEqual(meaning(one), meaning(near));
        expect(fingerprint(one, sha256) === fingerprint(near, sha256)).toBe(same);
      }),
      runs(2_000, 100_000),
    );
  });

  it("does not depend on the caller's remaining time, nor on reuse, the names of rule and grant, or the version of the policy", () => {
    const bound = { ...fullGrant, validity: { ...validity, withinCallerToken: true } };
    const print = (document: object, secondsLeft: number) => {
      const policy = compilePolicy(document);
      const decision = decide(policy, callerWith({ tenant: 'acme', name: 'alice' }, secondsLeft), {}, FACTS);
      if (!decision.allowed) throw new Error(decision.reasons.join());
      return decision.grant.fingerprint;
    };
    const usual = print(policyWith({ grants: [bound] }), 3_600);
    expect(print(policyWith({ grants: [bound] }), 100)).toBe(usual);
    expect(print(policyWith({ name: 'other', grants: [{ ...bound, name: 'other', reuse: 'off' }] }), 3_600)).toBe(
      usual,
    );
    expect(print(policyWith({ ...rule, org: 2, grants: [bound] }), 3_600)).not.toBe(usual);
  });
});

describe('canonical JSON', () => {
  it('is JSON, and equal for equal values in whatever order their members come', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([name, member]) => [name, shuffled(member)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(shuffled(value))).toBe(text);
      }),
    );
  });
});
