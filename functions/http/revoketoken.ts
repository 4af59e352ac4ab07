/** `POST /revoketoken`, and what its callers and operators may ask: what to revoke, whom to shut out and to let in again. */
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { Clock } from '../broker/ports.ts';
import type { RevokeSelection, RevokeTokens, ShutOut, WhoSelection } from '../broker/use-cases.ts';
import { json } from './answer.ts';
import { invalid, orgId, readBody, text, userName } from './fields.ts';
import type { Route } from './http-entry.ts';

const yes = z.optional(z.literal(true, 'must be true'));

/** A person as an issuer names one: `iss` and `sub` of access tokens. */
export const subject = z.strictObject(
  { issuer: text(512), sub: text(256) },
  'must be an object with the issuer and its sub',
);
export const callerIdOf = ({ issuer, sub }: z.infer<typeof subject>) => ({ issuer, subject: sub });

/** Whom: one of them, or a user within an org. */
const WHOM = {
  userName: z.optional(userName),
  subject: z.optional(subject),
  orgId: z.optional(orgId),
  all: yes,
};
const WHAT = {
  leaseId: z.optional(text(1024)),
  token: z.optional(text(8192)),
  policyVersion: z.optional(text(64)),
  rule: z.optional(text(64)),
};
const SHARED = { endShared: yes };

export const SUSPENSION = z.strictObject({ ...WHOM, ...SHARED });
export const REINSTATEMENT = z.strictObject(WHOM);
export const REVOCATION = z.strictObject({ ...WHAT, ...WHOM, ...SHARED, keepSignIn: yes });
type Asked = z.infer<typeof REVOCATION>;

/** What is selected, and how. Throws Failure `invalid-request` where more is given than can be meant. */
export function selectionOf(asked: Asked): { readonly selection: RevokeSelection; readonly how: ShutOut } {
  const { keepSignIn, endShared, ...fields } = asked;
  const shared = endShared === true ? { endShared } : {};
  const { leaseId, token, policyVersion, rule, ...whom } = fields;
  requireOne(fields);
  if (leaseId !== undefined) return { selection: { kind: 'lease', leaseId }, how: {} };
  if (token !== undefined) return { selection: { kind: 'token', token }, how: {} };
  if (policyVersion !== undefined) return { selection: { kind: 'policy', policyVersion }, how: {} };
  if (rule !== undefined) return { selection: { kind: 'rule', rule }, how: {} };
  if (Object.keys(whom).length === 0) return { selection: { kind: 'mine' }, how: {} };
  return { selection: whomOf(whom), how: { ...shared, ...(keepSignIn !== true && { kind: 'sign-out' }) } };
}

/** Throws Failure `invalid-request` unless exactly one is named, or a user within an org. */
export function whomOf(whom: z.infer<typeof REINSTATEMENT>): WhoSelection {
  requireOne(whom);
  const { userName, orgId } = whom;
  if (userName !== undefined) return { kind: 'user', userNames: [userName], ...(orgId !== undefined && { orgId }) };
  if (whom.subject) return { kind: 'user', userNames: [], subjects: [callerIdOf(whom.subject)] };
  if (orgId !== undefined) return { kind: 'org', orgId };
  if (whom.all === true) return { kind: 'all' };
  throw invalid('body', `must have exactly one of ${Object.keys(WHOM).join(', ')}, or userName with orgId`);
}

function requireOne(fields: object): void {
  const given = Object.keys(fields);
  const inOrg = given.length === 2 && 'userName' in fields && 'orgId' in fields;
  if (given.length <= 1 || inOrg) return;
  throw new Failure('invalid-request', { errors: given.map((field) => ({ field, detail: 'give at most one field' })) });
}

/** `POST /revoketoken`: 200 when all that it covers is dead, 202 when the sweep carries on. */
export function revoketokenRoute(revokeTokens: RevokeTokens, clock: Clock): Route {
  return {
    scopes: ['token'],
    async answer({ event, caller, deadline, conceal }) {
      const { selection, how } = selectionOf(readBody(event, REVOCATION));
      if (selection.kind === 'token') conceal(selection.token);
      const mayRevokeOthers = caller.scopes.includes('revoke');
      const revoker = { kind: 'caller', caller, mayRevokeOthers } as const;
      const tally = await revokeTokens(revoker, selection, clock.now(), deadline, how);
      return json(tally.pending === 0 ? 200 : 202, tally);
    },
  };
}
