/**
 * The rules that a policy document compiles to (functions/policy/compile.ts): data and ready-made patterns, nothing that
 * has to be parsed, looked up by name or validated while a caller waits.
 */
import type { PersistOption } from './ports.ts';

export type Scalar = string | number | boolean;

/** A claim, by the names that lead to it: `['email']`, or `['realm_access', 'roles']` for a nested one. */
export interface ClaimRef {
  readonly path: readonly string[];
  /** For people: the path as written in reasons. */
  readonly name: string;
}

/** A condition on verified claims. A claim that is absent fails every test but `present: false`. */
export type Condition =
  | { readonly test: 'always' }
  | { readonly test: 'equals'; readonly claim: ClaimRef; readonly value: Scalar }
  | { readonly test: 'one-of'; readonly claim: ClaimRef; readonly values: ReadonlySet<Scalar> }
  | { readonly test: 'contains'; readonly claim: ClaimRef; readonly value: Scalar }
  | { readonly test: 'matches'; readonly claim: ClaimRef; readonly pattern: RegExp }
  | { readonly test: 'present'; readonly claim: ClaimRef; readonly present: boolean }
  | { readonly test: 'all'; readonly conditions: readonly Condition[] }
  | { readonly test: 'any'; readonly conditions: readonly Condition[] }
  | { readonly test: 'not'; readonly condition: Condition };

/** How the text of a claim becomes the text that is granted. `capture`: the pattern's one group is the result. */
export type Mapping =
  | { readonly by: 'itself' }
  | { readonly by: 'pattern'; readonly pattern: RegExp; readonly capture: boolean }
  | { readonly by: 'table'; readonly table: ReadonlyMap<string, readonly string[]> };

export interface ClaimSource {
  readonly claim: ClaimRef;
  /** Lower-case the claim's text before it is mapped. */
  readonly lowerCase: boolean;
  readonly mapping: Mapping;
}

/** One text. In a template, texts and claims are joined in order. */
export type TextSource =
  | { readonly from: 'claim'; readonly source: ClaimSource }
  | { readonly from: 'template'; readonly pieces: readonly (string | ClaimSource)[] };

export type UserSource = TextSource | { readonly from: 'service-account'; readonly name: string };

/** A list of texts. `skipUnlisted`: items of the claim that do not map are left out, instead of refusing the caller. */
export type ValuesSource =
  | { readonly from: 'fixed'; readonly values: readonly string[] }
  | { readonly from: 'claim'; readonly source: ClaimSource; readonly skipUnlisted: boolean };

export type OrgSource =
  | { readonly from: 'fixed'; readonly orgId: number }
  | { readonly from: 'claim'; readonly claim: ClaimRef; readonly table: ReadonlyMap<string, number> };

export interface NamedSource {
  readonly name: string;
  readonly values: ValuesSource;
}

export type RightsSource =
  | { readonly kind: 'full' }
  /** `objects` null: any object that the request names. Ids are lower-case. */
  | { readonly kind: 'object'; readonly objects: ReadonlySet<string> | null }
  | {
      readonly kind: 'custom';
      readonly persist: PersistOption;
      readonly variables: readonly NamedSource[];
      readonly filters: readonly {
        readonly column: string;
        readonly operator: string;
        readonly values: ValuesSource;
      }[];
      readonly parameters: readonly NamedSource[];
      readonly groups: ValuesSource;
      readonly objects: readonly { readonly type?: string; readonly identifiers: ValuesSource }[];
    };

export interface ValidityBounds {
  readonly defaultSeconds: number;
  readonly minSeconds: number;
  readonly maxSeconds: number;
  /** No token may outlive the JWT that the caller presented. */
  readonly withinCallerToken: boolean;
}

export interface GrantOffer {
  readonly name: string;
  readonly rights: RightsSource;
  readonly validity: ValidityBounds;
  readonly reuse: { readonly minLifeLeftSeconds: number } | null;
}

export interface ProvisioningSource {
  readonly displayName?: TextSource;
  readonly email?: TextSource;
  readonly groups: ValuesSource;
}

export interface Rule {
  readonly name: string;
  /** `audit`: evaluated and reported, but the next rules decide. */
  readonly mode: 'enforce' | 'audit';
  readonly when: Condition;
  readonly user: UserSource;
  readonly org: OrgSource;
  readonly provisioning: ProvisioningSource | null;
  readonly share: boolean;
  /** The first one is what a request gets that names none. Never empty. */
  readonly grants: readonly [GrantOffer, ...GrantOffer[]];
}

/** A compiled policy. `version` is a digest of what the document says, the same however it is formatted. */
export interface Policy {
  readonly version: string;
  /** Names of the environment that no token is ever minted for, normalised; the built-in ones come on top. */
  readonly refused: ReadonlySet<string>;
  /** Service accounts of all rules, normalised: no claim may name one. */
  readonly serviceAccounts: ReadonlySet<string>;
  readonly rules: readonly Rule[];
}
