/** The second half of a revocation: the row already says `revoking`, and now ThoughtSpot must confirm. */
import { Failure } from './failure.ts';
import { closesAt, type Lease, leaseFacts } from './lease.ts';
import type { Change, Randomness, RevokeOutcome, SessionIssuer, World } from './ports.ts';

/** The part of the world that it takes to end a token. */
export type Ender = Omit<World, 'issuer'> & { readonly issuer: Pick<SessionIssuer, 'revoke'> };

/**
 * `confirmed`: the token is dead. Not so: ThoughtSpot does not accept it now, but has not said that it is revoked. With
 * `failure` neither is known, after `attempts` attempts.
 */
export type Ending =
  | { readonly confirmed: boolean; readonly failure?: undefined }
  | { readonly failure: Failure; readonly attempts: number };

/** Times between two attempts to revoke a token: doubling from first to longest, ms. */
const FIRST_MS = 1_000;
const LONGEST_MS = 300_000;

/** A token to present. Undefined: its row has been finished meanwhile, only then does it lose its token. */
export interface Opened {
  readonly token: string | undefined;
}

/**
 * Opens the token of a row. This comes before a turn at ThoughtSpot is taken, so that a row that cannot be opened holds up
 * no other. If its key cannot be had, the row is due again later, and that ending is returned. Throws any other `Failure`
 * of the ledger.
 */
export async function openToken(world: Ender, lease: Lease, deadline: number): Promise<Opened | Ending> {
  try {
    return { token: await world.ledger.token(lease, deadline) };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'key-unavailable') throw error;
    world.signals.emit('key-unavailable');
    return { failure: error, attempts: await putOff(world, lease, deadline) };
  }
}

/**
 * Presents the token of a `revoking` row to ThoughtSpot and writes the outcome into the row. Never gives up: without a
 * confirmation the row is due again later, at most when it may be closed.
 */
export async function endAtThoughtSpot(
  world: Ender,
  lease: Lease,
  { token }: Opened,
  callBy: number,
  deadline: number,
): Promise<Ending> {
  const outcome = token === undefined ? DEAD : await present(world, lease, token, callBy);
  if (outcome.outcome === 'dead') {
    const row = await write(world, lease, { to: 'revoked', dueAt: null }, deadline);
    if (row) world.audit.record({ action: 'revoke', ...leaseFacts(row) });
    return { confirmed: true };
  }
  const attempts = await putOff(world, lease, deadline);
  return outcome.outcome === 'retry' ? { failure: outcome.failure, attempts } : { confirmed: false };
}

const DEAD: RevokeOutcome = { outcome: 'dead' };

/** Unless another process has changed the row, it is due again later. Returns the attempts, this one included. */
async function putOff(world: Ender, lease: Lease, deadline: number): Promise<number> {
  const attempts = lease.attempts + 1;
  const dueAt = Math.min(world.clock.now() + backOffMs(attempts, world.randomness), closesAt(lease));
  await write(world, lease, { to: 'revoking', from: [lease.state], ...asSeen(lease), dueAt, attempts }, deadline);
  return attempts;
}

/** The index may show an older row than the table holds: then another process has changed it. */
export function asSeen(lease: Lease): { readonly ifDueAt?: number } {
  return lease.dueAt === undefined ? {} : { ifDueAt: lease.dueAt };
}

/**
 * Whose token it is, as revocations say in turn: the user asked for; and where the reply was not for that user, the one
 * that it named, if any, and nobody. Which of them ThoughtSpot takes, only its answer to a revocation shows.
 */
export function possibleOwners({
  user,
  userName = user,
  answeredUser,
}: Pick<Lease, 'user' | 'userName' | 'answeredUser'>): readonly (string | undefined)[] {
  if (answeredUser === undefined) return [userName];
  return answeredUser === '' ? [userName, undefined] : [userName, answeredUser, undefined];
}

/** How long to wait after `attempts` attempts without a confirmation: 1 s doubling to 5 min, full jitter, ms. */
export function backOffMs(attempts: number, randomness: Randomness): number {
  return Math.ceil(randomness() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, attempts - 1)));
}

function present(world: Ender, lease: Lease, token: string, callBy: number): Promise<RevokeOutcome> {
  const owners = possibleOwners(lease);
  return world.issuer.revoke(token, owners[lease.attempts % owners.length], callBy);
}

/** If this fails, the row stays `revoking` and due: it is done again, and a second revocation of a token is harmless. */
async function write(world: Ender, lease: Lease, change: Change, deadline: number): Promise<Lease | undefined> {
  try {
    return await world.ledger.transition(lease, change, deadline);
  } catch (error) {
    world.log.warn('outcome of a revocation is not in the ledger; it will be done again', { to: change.to, error });
    return undefined;
  }
}
