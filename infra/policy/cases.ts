/** A policy's own tests: claims, and the grant or refusal that its author expects. They are in a file next to the policy. */
import * as z from 'zod/mini';
import { isPerEntitlement } from '../../functions/broker/lease.ts';
import { withoutMark } from '../../functions/contract/shapes.ts';
import type { Policy } from '../../functions/policy/decide.ts';
import { canonicalJson } from '../../functions/policy/fingerprint.ts';
import { ClaimJson, ClaimsJson, decideFor, explain, RequestJson } from './explain.ts';

const Expected = z.union([
  z.strictObject({
    refused: z.enum(['not-entitled', 'invalid-request', 'sign-in-again']),
    max_age: z.optional(z.int()),
    rule: z.optional(z.string()),
  }),
  z.strictObject({
    rule: z.string(),
    name: z.string(),
    user: z.string(),
    orgId: z.int(),
    rights: ClaimJson,
    validitySeconds: z.int(),
    share: z.optional(z.boolean()),
    serviceAccount: z.optional(z.boolean()),
    provisioning: z.optional(ClaimJson),
  }),
]);
const EMPTY = 'has no case; write at least one, with claims and what you expect';
const CasesDocument = z.strictObject({
  description: z.optional(z.string()),
  cases: z
    .array(
      z.strictObject({
        name: z.string().check(z.minLength(1)),
        /** Of the caller; default: the claim `iss`. */
        issuer: z.exactOptional(z.string()),
        claims: ClaimsJson,
        request: z.exactOptional(RequestJson),
        callerTokenSeconds: z.exactOptional(z.int()),
        at: z.exactOptional(z.int()),
        expect: Expected,
      }),
    )
    .check(z.minLength(1, EMPTY)),
});
export type PolicyCase = z.infer<typeof CasesDocument>['cases'][number];

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  /** What differs from the expectation; empty if passed. */
  readonly differences: readonly string[];
}
export interface CasesReport {
  readonly results: readonly CaseResult[];
  /** Rules that decide no case (in audit mode: that hold for no case). Nobody would notice if they changed. */
  readonly untestedRules: readonly string[];
}

const KINDS: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'an object',
  record: 'an object',
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
};

/** What is wrong in one place; zod/mini itself has no words. */
function wordsFor(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'unrecognized_keys':
      return `has unknown names: ${issue.keys.join(', ')}`;
    case 'invalid_union':
      return 'must have the members of a grant (rule, name, user, orgId, rights, validitySeconds), or of a refusal (refused)';
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    default:
      return issue.message === 'Invalid input' ? 'is not valid' : issue.message;
  }
}

/** Parses a cases document. Throws an Error that lists where it is malformed. */
export function parseCases(document: unknown): readonly PolicyCase[] {
  const parsed = CasesDocument.safeParse(document);
  if (parsed.success) return parsed.data.cases;
  const places = parsed.error.issues.map(
    (issue) => `${issue.path.map(String).join('.') || 'the document'} ${wordsFor(issue)}`,
  );
  throw new Error(`The cases are malformed at: ${places.join(', ')}`);
}

/** Parses the text of a cases document. Throws an Error that says what is wrong with it, in words. */
export function casesIn(text: string): readonly PolicyCase[] {
  if (text.trim() === '') throw new Error(`The file is empty: write { "cases": [...] } with at least one case`);
  let document: unknown;
  try {
    document = JSON.parse(withoutMark(text));
  } catch (cause) {
    throw new Error(`The cases are not JSON: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
  return parseCases(document);
}

export function runCases(policy: Policy, cases: readonly PolicyCase[]): CasesReport {
  const tested = new Set<string>();
  const results = cases.map((one): CaseResult => {
    for (const { rule, holds, decides, mode } of explain(policy, one).rules) {
      if (decides || (mode === 'audit' && holds)) tested.add(rule);
    }
    const differences = differencesIn(policy, one);
    return { name: one.name, passed: differences.length === 0, differences };
  });
  return { results, untestedRules: policy.rules.map(({ name }) => name).filter((name) => !tested.has(name)) };
}

function differencesIn(policy: Policy, one: PolicyCase): readonly string[] {
  const decision = decideFor(policy, one);
  const { expect } = one;
  if ('refused' in expect) {
    if (decision.allowed)
      return [`expected refusal ${expect.refused}, got grant "${decision.grant.name}" for ${decision.grant.user}`];
    const sameRule = expect.rule === undefined || expect.rule === decision.rule;
    const sameAge = expect.max_age === undefined || expect.max_age === decision.maxAge;
    return decision.code === expect.refused && sameRule && sameAge
      ? []
      : [
          `expected refusal ${expect.refused} ${expect.rule ?? ''} ${expect.max_age ?? ''}, got ${decision.code} ${decision.rule ?? ''} ${decision.maxAge ?? ''}`,
        ];
  }
  if (!decision.allowed) return [`expected a grant, got refusal ${decision.code}: ${decision.reasons.join('; ')}`];
  const { grant } = decision;
  // Authors name the person: the digest in a name per entitlement is for machines. The whole name may be given as well.
  const inWords = isPerEntitlement(grant.user) && 'user' in expect && !isPerEntitlement(expect.user);
  const user = inWords ? grant.user.slice(0, grant.user.lastIndexOf('~')) : grant.user;
  const got: Readonly<Record<string, unknown>> = { ...grant, user };
  return Object.entries(expect).flatMap(([member, wanted]) => {
    const [want, have] = [canonicalJson(wanted ?? null), canonicalJson(got[member] ?? null)];
    return want === have ? [] : [`${member}: expected ${want}, got ${have}`];
  });
}
