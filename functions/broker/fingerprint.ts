import type { CallerId } from './lease.ts';
import type { Grant, Sha256 } from './ports.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/** JSON with the members of every object in order of their names: equal values give equal texts. */
export function canonicalJson(value: Json): string {
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${canonicalJson(member)}`);
  }
  return `{${members.join(',')}}`;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** What a fingerprint is taken of. `requestedSeconds` is the validity before it is cut to the caller's JWT. */
export type TokenShape = Pick<
  Grant,
  'policyVersion' | 'user' | 'serviceAccount' | 'orgId' | 'rights' | 'share' | 'provisioning'
> & { readonly host: string; readonly requestedSeconds: number; readonly caller: CallerId };

/**
 * A digest over everything that shapes a token, and over the caller unless the rule shares: two grants that differ in
 * any right differ in it, so no lease is ever served for another right, user, org, host or caller.
 *
 * Left out on purpose: the names of rule and grant (two names for the same token are the same token), reuse (it says
 * when a token is served again, not what it is), and the cut to the caller's JWT (it changes with every second; who
 * serves a lease again has to compare its end with `Grant.notAfter`).
 */
export function fingerprint(shape: TokenShape, sha256: Sha256): string {
  const { host, policyVersion, user, serviceAccount, orgId, rights, provisioning, requestedSeconds } = shape;
  const { issuer, subject } = shape.caller;
  return sha256(
    canonicalJson({
      host,
      policyVersion,
      user,
      serviceAccount,
      orgId,
      rights: rightsJson(rights),
      provisioning: provisioning === null ? null : { ...provisioning },
      requestedSeconds,
      caller: shape.share ? null : { issuer, subject },
    }),
  );
}

function rightsJson(rights: Grant['rights']): Json {
  if (rights.kind !== 'custom') return { ...rights };
  const { filters, objects, parameters, variables } = rights;
  return {
    ...rights,
    filters: filters.map((filter) => ({ ...filter })),
    objects: objects.map((object) => ({ ...object })),
    parameters: parameters.map((parameter) => ({ ...parameter })),
    variables: variables.map((variable) => ({ ...variable })),
  };
}
