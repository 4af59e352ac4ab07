/** Which leases and people a request is about, who asks, and whether he may. */
import type { BlockScope } from './blocks.ts';
import { Failure, OTHERS_LEASE } from './failure.ts';
import { type Lease, personOf, sameCaller } from './lease.ts';
import type { AuditEvent, Caller, Entitlements, SessionInfo, World } from './ports.ts';
import type { BlockedSelection, Revoker, RevokeSelection } from './use-cases.ts';

type Searched = Pick<World, 'ledger' | 'issuer'> & Pick<Entitlements, 'usersOf'>;

/** A token that no row of the ledger knows; without a session ThoughtSpot does not accept it now. */
export interface Unledgered {
  readonly token: string;
  readonly session: SessionInfo | undefined;
}

export type Selected = { readonly leases: Iterable<Lease> | AsyncIterable<Lease> } | Unledgered;

/** Is told of each user name that no unfinished lease is of. */
export type OnUnmatched = () => void;

/**
 * The rows of a selection. Throws `insufficient-scope`, or `lease-not-found` for a row that does not exist or is not the
 * revoker's own.
 */
export async function selectLeases(
  world: Searched,
  revoker: Revoker,
  selection: Exclude<RevokeSelection, Exclude<BlockedSelection, { kind: 'user' }>>,
  deadline: number,
  onUnmatched: OnUnmatched,
): Promise<Selected> {
  switch (selection.kind) {
    case 'mine':
      if (revoker.kind !== 'caller') throw new Failure('invalid-request', { reason: 'an event has no leases' });
      return { leases: ownLeases(world, revoker.caller, deadline) };
    case 'lease':
      return { leases: [await leaseFor(world, revoker, selection.leaseId, deadline)] };
    case 'token':
      return leasesOfToken(world, revoker, selection.token, deadline);
    case 'user':
      requireOperator(revoker);
      return { leases: leasesOfUsers(world, selection, deadline, onUnmatched) };
  }
}

/**
 * A caller's unfinished leases, each once, shared ones left out. Looked for by user (which never lags) and by caller
 * (finds leases of ThoughtSpot users that the policy no longer names, but through an index that may lag).
 */
export async function* ownLeases(
  world: Pick<Searched, 'ledger' | 'usersOf'>,
  caller: Caller,
  deadline: number,
): AsyncGenerator<Lease> {
  const { issuer, subject } = caller;
  const known: Lease[] = [];
  for (const user of new Set(world.usersOf(caller).map(personOf))) {
    // A service account may have thousands of leases of others: they are not read.
    for await (const lease of world.ledger.unfinishedOfUser(user, deadline, { issuer, subject })) {
      if (!isOwn(lease, caller)) continue;
      known.push(lease);
      yield lease;
    }
  }
  for await (const lease of world.ledger.unfinishedOfCaller({ issuer, subject }, deadline, known)) {
    if (isOwn(lease, caller)) yield lease;
  }
}

export function requireOperator(revoker: Revoker): void {
  if (!isOperator(revoker)) throw new Failure('insufficient-scope', { reason: 'revoking for others' });
}

function isOperator(revoker: Revoker): boolean {
  return revoker.kind !== 'caller' || revoker.mayRevokeOthers;
}

/** A shared lease is nobody's own: one of its callers must not end it for the others. */
function isOwn(lease: Lease, caller: Caller): boolean {
  return !lease.shared && sameCaller(lease.caller, caller);
}

/** Another caller's lease and no lease at all look the same to a caller that may not revoke for others. */
async function leaseFor(world: Searched, revoker: Revoker, leaseId: string, deadline: number): Promise<Lease> {
  const lease = await world.ledger.byLeaseId(leaseId, deadline);
  if (lease && mayRevoke(revoker, lease)) return lease;
  throw lease ? denied() : new Failure('lease-not-found');
}

/** Of another's lease the caller learns no more than of none; the audit does. */
function denied(): Failure {
  return new Failure('lease-not-found', { reason: OTHERS_LEASE });
}

function mayRevoke(revoker: Revoker, lease: Lease): boolean {
  return isOperator(revoker) || (revoker.kind === 'caller' && isOwn(lease, revoker.caller));
}

/**
 * The rows of a token, found without ThoughtSpot wherever the ledger knows it: a caller's own unfinished ones strongly, any
 * other by an index that may lag. Only an operator's token that both miss is taken to ThoughtSpot, to learn whose it is.
 */
async function leasesOfToken(world: Searched, revoker: Revoker, token: string, deadline: number): Promise<Selected> {
  const { ledger } = world;
  const digest = await ledger.digest(token);
  if (revoker.kind === 'caller' && !isOperator(revoker)) {
    const own = await those(ownLeases(world, revoker.caller, deadline), ({ tokenDigest }) => tokenDigest === digest);
    if (own.length > 0) return { leases: own };
  }
  // A token that was revoked before counts as revoked again.
  const known = await those(ledger.withDigest(digest, deadline), () => true);
  const indexed = known.filter((lease) => mayRevoke(revoker, lease));
  if (indexed.length > 0) return { leases: indexed };
  if (!isOperator(revoker)) throw known.length > 0 ? denied() : new Failure('lease-not-found');
  const session = await world.issuer.sessionInfo(token, deadline);
  if (!session) return { token, session };
  const rows = ledger.unfinishedOfUser(personOf(session.userName), deadline);
  const missed = await those(rows, ({ tokenDigest }) => tokenDigest === digest);
  return missed.length > 0 ? { leases: missed } : { token, session };
}

async function those(leases: AsyncIterable<Lease>, meant: (lease: Lease) => boolean): Promise<readonly Lease[]> {
  const found: Lease[] = [];
  for await (const lease of leases) if (meant(lease)) found.push(lease);
  return found;
}

/** All that there is, whenever it was reserved: an event, which means what was there before it, begins with a cut-off. */
async function* leasesOfUsers(
  { ledger }: Searched,
  { userNames, orgId }: Extract<RevokeSelection, { kind: 'user' }>,
  deadline: number,
  onUnmatched: OnUnmatched,
): AsyncGenerator<Lease> {
  for (const user of new Set(userNames.map(personOf))) {
    let matched = false;
    for await (const lease of ledger.unfinishedOfUser(user, deadline)) {
      if (orgId !== undefined && lease.orgId !== orgId) continue;
      matched = true;
      yield lease;
    }
    if (!matched) onUnmatched();
  }
}

/** Who asked: a caller, or the event in words. */
export function requester(revoker: Revoker): Pick<AuditEvent, 'caller' | 'reasons'> {
  if (revoker.kind === 'operator') {
    const { scopes: _, ...caller } = revoker.operator;
    return { caller };
  }
  if (revoker.kind === 'event') return { reasons: [`asked by ${revoker.source} "${revoker.name}"`] };
  const { issuer, subject } = revoker.caller;
  return { caller: { issuer, subject } };
}

/** Each once. */
export function scopesOf(selection: BlockedSelection): readonly BlockScope[] {
  if (selection.kind !== 'user') return [selection];
  const { userNames, orgId, subjects = [] } = selection;
  const users = [...new Set(userNames.map(personOf))];
  const distinct = new Map(subjects.map((one) => [JSON.stringify([one.issuer, one.subject]), one]));
  return [
    ...users.map((user) => ({ kind: 'user', user, ...(orgId !== undefined && { orgId }) }) as const),
    ...[...distinct.values()].map(({ issuer, subject }) => ({ kind: 'subject', issuer, subject }) as const),
  ];
}

/** One line per scope. */
export function recordBlock(
  { audit }: Pick<World, 'audit'>,
  action: Extract<AuditEvent['action'], 'cut-off' | 'sign-out' | 'suspend' | 'reinstate'>,
  revoker: Revoker,
  scope: BlockScope,
): void {
  const { reasons = [], ...who } = requester(revoker);
  const named = scope.kind === 'user' ? { user: scope.user } : {};
  audit.record({ action, ...who, ...named, reasons: [...reasons, `covers ${wordsOf(scope)}`] });
}

/** As `org 2`, or `subject https://issuer.example 00u1`. */
function wordsOf({ kind, ...names }: BlockScope): string {
  return kind === 'all' ? 'all orgs' : [kind, ...Object.values(names)].join(' ');
}
