import type { Lease, LeaseState } from './lease.ts';
import type { AuditEvent } from './ports.ts';

/** What an audit line says of a lease: handles, names and a digest; nothing that could be used as a token. */
export function leaseFacts(lease: Lease, state: LeaseState = lease.state): Omit<AuditEvent, 'action'> {
  const { leaseId, generation, orgId, kind, tokenDigest, caller, user, rule, grant, policyVersion } = lease;
  const digest = tokenDigest === undefined ? {} : { tokenDigest };
  return { caller, user, rule, grant, policyVersion, lease: { leaseId, generation, orgId, kind, state, ...digest } };
}
