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
  readonly caller: CallerId;
};

/**
 * A digest over everything that shapes a token, and over the caller unless the rule shares: two grants that differ in
 * any right differ in it, so no lease is ever served for another right, user, org, host or caller.
 *
 * Left out on purpose: the policy's version and the names of rule and grant (whoever gets the very same token after a
 * deployment keeps the one they hold; two names for the same token are the same token), reuse (it says
 * when a token is served again, not what it is), and the cut to the caller's JWT (it changes with every second; code that
 * serves a lease again must compare its end with `Grant.notAfter`).
 */
export function fingerprint(shape: TokenShape, sha256: Sha256): string {
  const { host, user, serviceAccount, orgId, rights, provisioning, requestedSeconds } = shape;
  const { issuer, subject } = shape.caller;
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
      caller: shape.share ? null : { issuer, subject },
    }),
  );
}
