/**
 * The policy document as a function reads it: checked and brought into normal form when the stack is synthesized (infra/policy),
 * known here by its digest. Defaults are filled in, a claim is a list of names, patterns match the whole text.
 */
import type { Limits } from '../broker/mint-counts.ts';
import type { PersistOption } from '../broker/ports.ts';

export type Scalar = string | number | boolean;

/** A claim, by the names that lead to it: `['email']`, or `['realm_access', 'roles']` for a nested one. */
export type Claim = readonly string[];

/** A condition on verified claims. */
export type Condition = 'always' | Test | AllOf | AnyOf | Not;
/** `absent`: a caller without the claim certainly fails the test, so that `not` holds. Otherwise neither holds. */
export type Test = { readonly claim: Claim; readonly absent?: 'allowed' } & Asked;
export type Asked =
  | { readonly equals: Scalar }
  | { readonly oneOf: readonly Scalar[] }
  | { readonly contains: Scalar }
  | { readonly matches: string }
  | { readonly present: boolean }
  | { readonly atLeast: number }
  | { readonly atMost: number }
  /** The claim is a time (seconds since 1970) that lies this long back at most. */
  | { readonly withinSeconds: number };
export interface AllOf {
  readonly all: readonly Condition[];
}
export interface AnyOf {
  readonly any: readonly Condition[];
}
export interface Not {
  readonly not: Condition;
}

/** The text of a claim, as it is or through one of `pattern`, `table` and `allow`. */
export interface ClaimText {
  readonly claim: Claim;
  /** Lower-case the claim's text before it is mapped. */
  readonly lowerCase: boolean;
  /** Its capturing group is the result, or the whole text where it has none. */
  readonly pattern?: string;
  /** The result is what this table has for the text. */
  readonly table?: string;
  readonly allow?: readonly string[];
}

/** Fixed texts and claims, joined in order. Never two claims in a row. */
export interface Template {
  readonly template: readonly (string | ClaimText)[];
}
export type Text = ClaimText | Template;
export type User = Text | { readonly serviceAccount: string };

/** A list of texts. `unlisted`: what an item of the claim that does not map does to the caller or the list. */
export type Values = readonly string[] | (ClaimText & { readonly unlisted: 'refuse' | 'skip' });

/** An org's number, or what a table of numbers has for a claim. */
export type Org = number | { readonly claim: Claim; readonly table: string };

export interface NamedSource {
  readonly name: string;
  readonly values: Values;
}

export interface CustomRights {
  readonly kind: 'custom';
  readonly persist: PersistOption;
  readonly variables: readonly NamedSource[];
  readonly filters: readonly { readonly column: string; readonly operator: string; readonly values: Values }[];
  readonly parameters: readonly NamedSource[];
  readonly groups: Values;
  readonly objects: readonly { readonly type?: string; readonly identifiers: Values }[];
}
export type RightsSource =
  { readonly kind: 'full' } | { readonly kind: 'object'; readonly objects: 'any' | readonly string[] } | CustomRights;

export type GrantOffer = RightsSource & {
  readonly name: string;
  readonly validity: {
    readonly defaultSeconds: number;
    readonly minSeconds: number;
    readonly maxSeconds: number;
    /** No token may outlive the JWT that the caller presented. */
    readonly withinCallerToken: boolean;
  };
  readonly reuse: { readonly minLifeLeftSeconds: number } | null;
};

export interface ProvisioningSource {
  readonly displayName?: Text;
  readonly email?: Text;
  readonly groups: Values;
}

export interface Rule {
  readonly name: string;
  /** `audit`: evaluated and reported, but the next rules decide. */
  readonly mode: 'enforce' | 'audit';
  /** The `iss` of the callers that it is for. Absent only where the environment has a single issuer. */
  readonly issuer?: string;
  readonly when: Condition;
  readonly user: User;
  /** Every set of entitlements of a person has a ThoughtSpot user of its own (persisted.ts). */
  readonly perEntitlement: boolean;
  readonly org: Org;
  readonly provision: ProvisioningSource | null;
  readonly share: boolean;
  /** Its callers have power over the people of the org that it gives them. */
  readonly administers?: true;
  /** The first one is what a request gets that names none. Never empty. */
  readonly grants: readonly [GrantOffer, ...GrantOffer[]];
}

/** Fixed tables from the text of a claim to an org's number, a text or several. */
export type Tables = Readonly<Record<string, Readonly<Record<string, number | string | readonly string[]>>>>;

export interface PolicyDocument {
  readonly version: 1;
  /** User names that no token is ever minted for, in addition to ThoughtSpot's own accounts. */
  readonly refuse: readonly string[];
  readonly tables: Tables;
  readonly limits: Limits;
  readonly rules: readonly Rule[];
}
