import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { Clock } from '../broker/ports.ts';
import type { Revoker, RevokeSelection } from '../broker/use-cases.ts';
import { isObject, membersOf } from './direct-events.ts';
import { integer, orgId, readFields, text } from './fields.ts';

/** How far the sender's clock may be ahead of ours, ms. A cut-off in the future would stop every mint until then. */
const AHEAD_MS = 300_000;

const SELECT_FIELDS = {
  all: z.optional(z.literal(true, 'must be true')),
  orgId: z.optional(orgId),
  userName: z.optional(text(256)),
  olderThanSeconds: z.optional(integer(0, 31_536_000)),
};
const isoTime = z
  .string('must be a time')
  .check(
    z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/, 'must be an ISO 8601 time with zone'),
  );
const object = z.custom<object>((value) => isObject(value), 'must be an object');

const SCHEDULE_FIELDS = { source: z.literal('schedule'), name: text(128), scheduledTime: isoTime, select: object };
/** A person at a terminal need not write down the time; whatever may send an event twice should. */
const OPERATOR_FIELDS = { source: z.literal('operator'), requestedAt: z.optional(isoTime), select: object };
const DEPROVISIONED_FIELDS = { 'detail-type': z.literal('user.deprovisioned'), time: isoTime, detail: object };
const DETAIL_FIELDS = {
  userNames: z
    .array(text(256), 'must be a list of names')
    .check(z.minLength(1, 'is empty'), z.maxLength(1000, 'is too long')),
};
export interface Revocation {
  readonly revoker: Extract<Revoker, { readonly kind: 'event' }>;
  readonly selection: RevokeSelection;
  /** Epoch ms, from the event itself, so that a second delivery selects the same leases; now, if an operator gave none. */
  readonly asOf: number;
}

/**
 * What an event that did not come through the gateway asks to revoke: a schedule, an identity provider's
 * `user.deprovisioned`, an operator. Throws Failure `invalid-request` that names every fault.
 */
export function revocationOf(event: unknown, clock: Clock): Revocation {
  const members = membersOf(event);
  if (members.some(([name, value]) => name === 'detail-type' && value === 'user.deprovisioned')) {
    // EventBridge adds fields of its own (id, account, region ...); the sender's are in `detail`.
    const ours = members.filter(([name]) => Object.hasOwn(DEPROVISIONED_FIELDS, name));
    const { time, detail } = readFields(DEPROVISIONED_FIELDS, ours);
    const { userNames } = readFields(DETAIL_FIELDS, membersOf(detail));
    return {
      revoker: { kind: 'event', source: 'deprovisioned', name: 'user.deprovisioned' },
      selection: { kind: 'user', userNames },
      asOf: asOf(time, clock),
    };
  }
  if (members.some(([name, value]) => name === 'source' && value === 'schedule')) {
    const { name, scheduledTime, select } = readFields(SCHEDULE_FIELDS, members);
    return { revoker: { kind: 'event', source: 'schedule', name }, ...selected(select, asOf(scheduledTime, clock)) };
  }
  const { requestedAt, select } = readFields(OPERATOR_FIELDS, members);
  return {
    revoker: { kind: 'event', source: 'operator', name: 'operator' },
    ...selected(select, requestedAt === undefined ? clock.now() : asOf(requestedAt, clock)),
  };
}

/** Whether somebody waits for the answer, who will see what is wrong. */
export function isOperator(event: unknown): boolean {
  return isObject(event) && 'source' in event && event.source === 'operator';
}

function selected(select: object, at: number): Pick<Revocation, 'selection' | 'asOf'> {
  const given = readFields(SELECT_FIELDS, membersOf(select));
  if (Object.keys(given).length !== 1) {
    const names = Object.keys(SELECT_FIELDS).join(', ');
    throw new Failure('invalid-request', {
      errors: [{ field: 'select', detail: `must have exactly one of ${names}` }],
    });
  }
  if (given.orgId !== undefined) return { selection: { kind: 'org', orgId: given.orgId }, asOf: at };
  if (given.userName !== undefined) return { selection: { kind: 'user', userNames: [given.userName] }, asOf: at };
  return { selection: { kind: 'all' }, asOf: at - (given.olderThanSeconds ?? 0) * 1000 };
}

function asOf(time: string, clock: Clock): number {
  const at = Date.parse(time);
  const now = clock.now();
  if (Number.isNaN(at) || at > now + AHEAD_MS) {
    throw new Failure('invalid-request', { errors: [{ field: 'time', detail: 'is no time, or lies in the future' }] });
  }
  return Math.min(at, now);
}
