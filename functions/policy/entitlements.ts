import { Failure } from '../broker/failure.ts';
import type { Entitlements, Sha256 } from '../broker/ports.ts';
import { decide, type Policy, policyOf, usersOf } from './decide.ts';
import type { PolicyDocument } from './document.ts';

export interface EntitlementsOptions {
  /** The policy document in normal form, as it was written when the stack was synthesized. */
  readonly text: string;
  /** SHA-256 of that text, base64url: comes by another way than the text, with the function's version. */
  readonly digest: string;
  /** Origin of the ThoughtSpot cluster. */
  readonly host: string;
  readonly sha256: Sha256;
  /** Whose callers come here. Where there are several, every rule must be for one of them. */
  readonly issuers?: readonly unknown[];
}

/**
 * The policy of this environment at work. Reads the text without checking it again: the digest says that it was
 * checked. Throws Failure `misconfigured` for any other text, and for a rule for callers of all issuers.
 */
export function makeEntitlements({ text, digest, host, sha256, issuers = [] }: EntitlementsOptions): Entitlements {
  if (sha256(text) !== digest) {
    const reason = 'the policy next to the bundle is not the one that was checked when the stack was synthesized';
    throw new Failure('misconfigured', { reason });
  }
  const policy = parseChecked(text, digest);
  if (issuers.length > 1 && policy.rules.some(({ issuer }) => issuer === undefined))
    throw new Failure('misconfigured', { reason: 'there are several issuers, and a rule of the policy names none' });
  return {
    decide: (caller, request, now) => decide(policy, caller, request, { host, now, sha256 }),
    usersOf: (caller) => usersOf(policy, caller),
    limits: policy.limits,
  };
}

/** The policy in a text that is known to be in normal form. A part of the digest is its version. */
export function parseChecked(text: string, digest: string): Policy {
  const document: unknown = JSON.parse(text);
  if (!isDocument(document)) throw new Failure('misconfigured', { reason: 'the policy document is empty' });
  return policyOf(document, digest.slice(0, 16));
}

/** True of every text that this was checked for: see above. */
function isDocument(value: unknown): value is PolicyDocument {
  return typeof value === 'object' && value !== null;
}
