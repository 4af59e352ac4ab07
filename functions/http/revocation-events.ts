import * as z from 'zod/mini';
import type { Clock } from '../broker/ports.ts';
import type { Revoker, RevokeSelection, ShutOut } from '../broker/use-cases.ts';
import { isObject } from '../contract/shapes.ts';
import { integer, invalid, object, orgId, readFields, text, userName } from './fields.ts';
import { callerIdOf, subject } from './revoketoken.ts';

/** How far the sender's clock may be ahead of ours, ms. A cut-off in the future would stop every mint until then. */
const AHEAD_MS = 300_000;

const isoTime = z
  .string('must be a time')
  .check(
    z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/, 'must be an ISO 8601 time with zone'),
  );

const SCHEDULE = z.strictObject({
  source: z.literal('schedule'),
  name: text(128),
  scheduledTime: isoTime,
  select: object,
});
const SELECT = z.strictObject({
  all: z.optional(z.literal(true, 'must be true')),
  orgId: z.optional(orgId),
  userName: z.optional(userName),
  policyVersion: z.optional(text(64)),
  rule: z.optional(text(64)),
  olderThanSeconds: z.optional(integer(0, 31_536_000)),
});
/** Not strict: EventBridge adds its own fields (id, account, region ...); the sender's are in `detail`. */
const DEPROVISIONED = z.object({ 'detail-type': z.literal('user.deprovisioned'), time: isoTime, detail: object });
const MOST = 1_000;
const many = <S extends z.ZodMiniType>(one: S, what: string) =>
  z.optional(
    z.array(one, `must be a list of ${what}`).check(z.minLength(1, 'is empty'), z.maxLength(MOST, 'is too long')),
  );
const DETAIL = z.strictObject({ userNames: many(userName, 'names'), subjects: many(subject, 'subjects') });

export interface Revocation {
  readonly revoker: Extract<Revoker, { readonly kind: 'event' }>;
  readonly selection: RevokeSelection;
  readonly how: ShutOut;
  /** Epoch ms, from the event itself, so that a second delivery selects the same leases. */
  readonly asOf: number;
}

/**
 * What an event that did not come through the gateway asks for: a schedule to revoke, an identity provider's
 * `user.deprovisioned` (docs/events.md) to suspend. Throws Failure `invalid-request` that names every fault.
 */
export function revocationOf(event: unknown, clock: Clock): Revocation {
  if (isObject(event) && event['detail-type'] === 'user.deprovisioned') {
    const { time, detail } = readFields(DEPROVISIONED, event);
    const { userNames = [], subjects = [] } = readFields(DETAIL, detail);
    if (userNames.length + subjects.length === 0) throw invalid('detail', 'must have userNames, subjects, or both');
    return {
      revoker: { kind: 'event', source: 'deprovisioned', name: 'user.deprovisioned' },
      selection: { kind: 'user', userNames, subjects: subjects.map(callerIdOf) },
      how: { kind: 'suspend' },
      asOf: dated(time, clock),
    };
  }
  const { name, scheduledTime, select } = readFields(SCHEDULE, event);
  return {
    revoker: { kind: 'event', source: 'schedule', name },
    how: {},
    ...selected(select, Math.min(dated(scheduledTime, clock), clock.now())),
  };
}

function selected(select: object, at: number): Pick<Revocation, 'selection' | 'asOf'> {
  const given = readFields(SELECT, select);
  if (Object.keys(given).length !== 1) {
    throw invalid('select', `must have exactly one of ${Object.keys(SELECT.shape).join(', ')}`);
  }
  if (given.orgId !== undefined) return { selection: { kind: 'org', orgId: given.orgId }, asOf: at };
  if (given.userName !== undefined) return { selection: { kind: 'user', userNames: [given.userName] }, asOf: at };
  const { policyVersion, rule } = given;
  if (policyVersion !== undefined) return { selection: { kind: 'policy', policyVersion }, asOf: at };
  if (rule !== undefined) return { selection: { kind: 'rule', rule }, asOf: at };
  return { selection: { kind: 'all' }, asOf: at - (given.olderThanSeconds ?? 0) * 1000 };
}

function dated(time: string, clock: Clock): number {
  const at = Date.parse(time);
  if (Number.isNaN(at) || at > clock.now() + AHEAD_MS) throw invalid('time', 'is no time, or lies in the future');
  return at;
}
