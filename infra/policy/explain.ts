/** Explains what a policy gives a caller, and why, to the people who write policies. */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { Caller, Claims, ClaimValue, Decision, Grant, TokenRequest } from '../../functions/broker/ports.ts';
import { decide, describeMiss, missOf, type Policy } from '../../functions/policy/decide.ts';
import { recentAt } from '../../functions/policy/match.ts';

export interface Question {
  readonly claims: Claims;
  /** Of the caller; default: the claim `iss`. */
  readonly issuer?: string;
  readonly request?: TokenRequest;
  /** Seconds that the caller's own JWT has left; default: an hour. */
  readonly callerTokenSeconds?: number;
  /** When the caller asks, as claims have times: seconds since 1970; default: a fixed time. */
  readonly at?: number;
}

export const ClaimJson: z.ZodMiniType<ClaimValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(ClaimJson), z.record(z.string(), ClaimJson)]),
);
export const ClaimsJson = z.record(z.string(), ClaimJson);
export const RequestJson = z.strictObject({
  grant: z.exactOptional(z.string()),
  objectId: z.exactOptional(z.string()),
  validitySeconds: z.exactOptional(z.number()),
  fresh: z.exactOptional(z.boolean()),
});

/** Parses claims and request. Throws an Error that says which of the two is malformed. */
export function parseQuestion(claims: unknown, request: unknown): Question {
  const parsed = { claims: ClaimsJson.safeParse(claims), request: RequestJson.safeParse(request) };
  if (!parsed.claims.success) throw new Error('The claims must be a JSON object.');
  if (!parsed.request.success) {
    throw new Error('The request may have grant, objectId, validitySeconds and fresh, but no other field.');
  }
  return { claims: parsed.claims.data, request: parsed.request.data };
}

export interface Explanation {
  readonly policyVersion: string;
  readonly decision: Decision;
  /** Every rule in order. `decides` marks the first that holds and is enforced; later rules are not evaluated. */
  readonly rules: readonly {
    readonly rule: string;
    readonly mode: 'enforce' | 'audit';
    readonly holds: boolean;
    readonly decides: boolean;
    readonly why: string;
  }[];
  /** Each grant of the deciding rule that the caller may choose, with the other fields of the request. */
  readonly grants: readonly Grant[];
}

/** Only for display: an explanation is not about a particular cluster. */
const HOST = 'https://thoughtspot.invalid';
const AT = 1_700_000_000;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Decides as the broker would, for a caller with these claims. */
export function decideFor(policy: Policy, question: Question): Decision {
  const now = (question.at ?? AT) * 1_000;
  return decide(policy, callerOf(question, now), question.request ?? {}, { host: HOST, now, sha256 });
}

export function explain(policy: Policy, question: Question): Explanation {
  const decision = decideFor(policy, question);
  const now = (question.at ?? AT) * 1_000;
  const isRecent = recentAt(now);
  const caller = callerOf(question, now);
  const deciding = policy.rules.findIndex(
    (rule) => rule.mode === 'enforce' && missOf(rule, caller, isRecent) === undefined,
  );
  const rules = policy.rules.map((rule, index) => {
    const { name, mode } = rule;
    const failure = missOf(rule, caller, isRecent);
    const asked = deciding < 0 || index <= deciding;
    return {
      rule: name,
      mode,
      holds: failure === undefined,
      decides: index === deciding,
      why: whyOf(asked, failure === undefined ? undefined : describeMiss(failure, question.claims, isRecent)),
    };
  });
  const grants = (policy.rules[deciding]?.grants ?? []).flatMap(({ name }) => {
    const { objectId, ...others } = question.request ?? {};
    const wishes = [
      { ...others, grant: name },
      ...(objectId === undefined ? [] : [{ ...others, grant: name, objectId }]),
    ];
    const decisions = wishes.map((request) => decideFor(policy, { ...question, request }));
    return decisions.flatMap((one) => (one.allowed ? [one.grant] : [])).slice(0, 1);
  });
  return { policyVersion: policy.version, decision, rules, grants };
}

function whyOf(asked: boolean, failure: string | undefined): string {
  if (!asked) return 'not evaluated: an earlier rule decides';
  return failure ?? 'holds';
}

function callerOf({ claims, issuer, callerTokenSeconds = 3_600 }: Question, now: number): Caller {
  const text = (name: string, otherwise: string): string => {
    const value = claims[name];
    return typeof value === 'string' ? value : otherwise;
  };
  return {
    issuer: issuer ?? text('iss', 'https://issuer.invalid'),
    subject: text('sub', 'someone'),
    claims,
    issuedAt: now,
    expiresAt: now + callerTokenSeconds * 1_000,
    scopes: ['token'],
  };
}
