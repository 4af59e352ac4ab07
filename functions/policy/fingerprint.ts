import type { CallerId } from '../broker/lease.ts';
import type { Grant, Sha256 } from '../broker/ports.ts';

/** JSON with the members of every object in order of their names: equal values give equal texts. `value`: as JSON has it. */
export function canonicalJson(value: unknown): string {
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Of what goes into a fingerprint. Another number, and nobody is served the token that they hold. */
const SCHEMA = 2;

/** What a fingerprint is taken of. `requestedSeconds` is the validity before it is cut to the caller's JWT. */
export type TokenShape = Pick<Grant, 'user' | 'serviceAccount' | 'orgId' | 'rights' | 'share' | 'provisioning'> & {
  readonly host: string;
  readonly requestedSeconds: number;
  readonly caller: CallerId & { readonly session?: string };
};

/**
 * A digest over everything that shapes a token, and over the caller unless the rule shares: two grants that differ in
 * any right differ in it, so no lease is ever served for another right, user, org, host or caller.
 *
 * Left out on purpose: the policy's version and the names of rule and grant (the very same token is kept over a deployment),
 * reuse (it says when, not what), and the cut to the caller's JWT (whoever serves a lease again compares `Grant.notAfter`).
 */
export function fingerprint(shape: TokenShape, sha256: Sha256): string {
  const { host, user, serviceAccount, orgId, rights, provisioning, requestedSeconds } = shape;
  const { issuer, subject, session } = shape.caller;
  return sha256(
    canonicalJson({
      schema: SCHEMA,
      host,
      user,
      serviceAccount,
      orgId,
      rights,
      provisioning,
      requestedSeconds,
      caller: shape.share ? null : { issuer, subject, session },
    }),
  );
}
