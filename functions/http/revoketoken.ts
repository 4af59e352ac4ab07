import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { Clock } from '../broker/ports.ts';
import type { RevokeSelection, RevokeTokens } from '../broker/use-cases.ts';
import { json } from './answer.ts';
import { orgId, readBody, text, userName } from './fields.ts';
import type { Route } from './http-entry.ts';

/** What to revoke, one of them. */
export const SELECTION = z.strictObject({
  leaseId: z.optional(text(1024)),
  token: z.optional(text(8192)),
  userName: z.optional(userName),
  policyVersion: z.optional(text(64)),
  rule: z.optional(text(64)),
  orgId: z.optional(orgId),
  all: z.optional(z.literal(true, 'must be true')),
});

/** `POST /revoketoken`: 200 when all that it covers is dead, 202 when the sweep carries on. */
export function revoketokenRoute(revokeTokens: RevokeTokens, clock: Clock): Route {
  return {
    scope: 'token',
    async answer({ event, caller, deadline, conceal }) {
      const selection = selectionOf(readBody(event, SELECTION));
      if (selection.kind === 'token') conceal(selection.token);
      const mayRevokeOthers = caller.scopes.includes('revoke');
      const revoker = { kind: 'caller', caller, mayRevokeOthers } as const;
      const tally = await revokeTokens(revoker, selection, clock.now(), deadline);
      return json(tally.pending === 0 ? 200 : 202, tally);
    },
  };
}

/** Throws Failure `invalid-request` where there is more than one field. */
export function selectionOf(fields: z.infer<typeof SELECTION>): RevokeSelection {
  const given = Object.keys(fields);
  if (given.length > 1) {
    const errors = given.map((field) => ({ field, detail: 'give at most one field' }));
    throw new Failure('invalid-request', { errors });
  }
  if (fields.leaseId !== undefined) return { kind: 'lease', leaseId: fields.leaseId };
  if (fields.token !== undefined) return { kind: 'token', token: fields.token };
  if (fields.userName !== undefined) return { kind: 'user', userNames: [fields.userName] };
  if (fields.policyVersion !== undefined) return { kind: 'policy', policyVersion: fields.policyVersion };
  if (fields.rule !== undefined) return { kind: 'rule', rule: fields.rule };
  if (fields.orgId !== undefined) return { kind: 'org', orgId: fields.orgId };
  return fields.all === true ? { kind: 'all' } : { kind: 'mine' };
}
