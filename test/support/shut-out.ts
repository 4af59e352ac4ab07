/** Blocks as they were accepted, and what they forbid: for histories in which blocks, requests and crashes meet. */
import { type Lease, personOf } from '../../functions/broker/lease.ts';
import type { Caller } from '../../functions/broker/ports.ts';
import type { IssuedToken, Revoker, RevokeTally, ShutOut, WhoSelection } from '../../functions/broker/use-cases.ts';
import { asOperator, caller, grantFor, type Process, userOf, type World } from './broker-world.ts';
import { settled } from './crashing-process.ts';

/** A caller as the issuer has signed in: with a session, and an access token of that second. */
export function signedIn(name: string, at: number): Caller {
  return { ...caller(name), session: `sid-${name}`, issuedAt: Math.floor(at / 1_000) * 1_000 };
}

/** Whom a block may be on, and whether a caller is meant. */
export interface Scope {
  readonly name: string;
  readonly selection: WhoSelection;
  readonly covers: (who: string) => boolean;
}

const orgOf = (who: string) => grantFor(caller(who)).orgId;
const isUser = (user: string) => (who: string) => userOf(caller(who)) === user;

export const ALL: Scope = { name: 'all', selection: { kind: 'all' }, covers: () => true };
export function orgScope(orgId: number): Scope {
  return { name: `org ${orgId}`, selection: { kind: 'org', orgId }, covers: (who) => orgOf(who) === orgId };
}
export function userScope(user: string): Scope {
  return { name: `user ${user}`, selection: { kind: 'user', userNames: [user] }, covers: isUser(user) };
}
export function userInOrgScope(user: string, orgId: number): Scope {
  const covers = (who: string) => isUser(user)(who) && orgOf(who) === orgId;
  return { name: `user ${user} in org ${orgId}`, selection: { kind: 'user', userNames: [user], orgId }, covers };
}
export function subjectScope(who: string): Scope {
  const { issuer, subject } = caller(who);
  const selection: WhoSelection = { kind: 'user', userNames: [], subjects: [{ issuer, subject }] };
  return { name: `subject ${who}`, selection, covers: (other) => other === who };
}
export function sessionScope(who: string): Scope {
  const selection: WhoSelection = { kind: 'session', issuer: caller(who).issuer, session: `sid-${who}` };
  return { name: `session ${who}`, selection, covers: (other) => other === who };
}

/** The six scopes that one caller is in. */
export function scopesOf(who: string): readonly Scope[] {
  const user = userOf(caller(who));
  const org = orgOf(who);
  return [ALL, orgScope(org), userScope(user), userInOrgScope(user, org), subjectScope(who), sessionScope(who)];
}

const LOGOUT: Revoker = { kind: 'event', source: 'logout', name: 'app' };
const DEPROVISIONED: Revoker = { kind: 'event', source: 'deprovisioned', name: 'user.deprovisioned' };

interface Accepted {
  readonly scope: Scope;
  readonly kind: 'sign-out' | 'suspend';
  /** Positions in the order of all that was asked and answered. */
  readonly asked: number;
  readonly answered: number;
  /** Of when it is, epoch ms: what was reserved before must end. */
  readonly at: number;
  /** Access tokens that were issued up to then are refused. */
  readonly issuedUpTo: number;
}

interface Served {
  readonly issued: IssuedToken;
  readonly who: string;
  readonly issuedAt: number;
  readonly asked: number;
  readonly answered: number;
}

/** Does what is asked of it by a process, and keeps in mind what may not be from then on. */
export function makeShutOuts(world: World) {
  const accepted: Accepted[] = [];
  const served: Served[] = [];
  const reinstated: { readonly scope: string; readonly asked: number; answered: number }[] = [];
  let order = 0;

  async function shutOut(
    process: Process,
    scope: Scope,
    how: ShutOut,
    who: Revoker,
    dated?: number,
  ): Promise<RevokeTally> {
    const { kind = 'sign-out', issuedUpTo } = how;
    const at = dated ?? issuedUpTo ?? world.clock.now();
    const asked = (order += 1);
    const tally = await process.shutOut(scope.selection, how, who, dated);
    const answered = (order += 1);
    const block = { scope, kind, asked, answered, at, issuedUpTo: kind === 'suspend' ? Infinity : at };
    // A suspension that is older than a reinstatement, and says so.
    if (tally.ignored === undefined) accepted.push(block);
    return tally;
  }

  /** Of the same scope, and not over before the suspension was asked for: it may have come after it. */
  const mayBeLifted = ({ scope, asked, kind }: Accepted, before: number) =>
    kind === 'suspend' &&
    reinstated.some((one) => one.scope === scope.name && one.answered > asked && one.asked < before);

  return {
    accepted,
    mayBeLifted: (block: Accepted) => mayBeLifted(block, Infinity),
    async getToken(process: Process, who: string, at: number, fresh = false) {
      const asked = (order += 1);
      const caller = signedIn(who, at);
      const issued = await process.getToken(caller, { fresh });
      order += 1;
      served.push({ issued, who, issuedAt: caller.issuedAt, asked, answered: order });
      return issued;
    },
    /** As an operator asks. */
    signOut: (process: Process, scope: Scope) => shutOut(process, scope, { kind: 'sign-out' }, asOperator()),
    suspend: (process: Process, scope: Scope) => shutOut(process, scope, { kind: 'suspend' }, asOperator()),
    async reinstate(process: Process, scope: Scope) {
      const entry = { scope: scope.name, asked: (order += 1), answered: Infinity };
      reinstated.push(entry);
      const tally = await process.reinstate(scope.selection);
      entry.answered = order += 1;
      return tally;
    },
    /** As `user.deprovisioned` asks, which is dated. */
    deprovision: (process: Process, scope: Scope, asOf: number) =>
      shutOut(process, scope, { kind: 'suspend' }, DEPROVISIONED, asOf),
    /** As the issuer says in a logout token, of that second. */
    logOut: (process: Process, scope: Scope, at: number) =>
      shutOut(process, scope, { kind: 'sign-out', issuedUpTo: Math.floor(at / 1_000) * 1_000 }, LOGOUT),

    /**
     * I13: whoever asks once a block was accepted is given no token by an access token that it covers; and I5: nobody is given
     * one that was there as it was asked for, even when it is lifted.
     */
    servedThoughShutOut: (): string[] =>
      accepted.flatMap((block) => {
        const { scope, kind, at, issuedUpTo, answered } = block;
        const since = served.filter(({ asked }) => asked > answered);
        const covered = since.filter(({ who, issuedAt }) => scope.covers(who) && issuedAt <= issuedUpTo);
        return [
          ...covered.filter((one) => !mayBeLifted(block, one.answered)).map(({ who }) => `${who} was served`),
          ...since
            .filter(({ issued: { lease } }) => isMeant(scope, lease) && lease.reservedAt < at)
            .map(({ who }) => `${who} was served an old token`),
        ].map((what) => `${what} after the ${kind} of ${scope.name}`);
      }),
    /**
     * I4: what was there as a block was asked for is over, and what was minted beside it for whom it shuts out. To be asked
     * after a sweep that could do all that it wanted.
     */
    async alive(): Promise<string[]> {
      const { ledger, issuer, rows } = world;
      const live = new Set(issuer.live().map(({ token }) => token));
      const alive = (await rows()).filter((row) => live.has(ledger.tokenOf(row) ?? ''));
      return accepted.flatMap((block) => {
        const { scope, at, kind, answered, issuedUpTo } = block;
        const beside = served.filter(
          ({ issued: { reused, lease, token }, issuedAt, asked, answered: servedAt }) =>
            !reused &&
            asked < answered &&
            issuedAt <= issuedUpTo &&
            live.has(token) &&
            isMeant(scope, lease) &&
            !mayBeLifted(block, servedAt),
        );
        const old = alive.filter((row) => isMeant(scope, row) && row.reservedAt < at);
        return [...old, ...beside.map(({ issued }) => issued.lease)].map(
          ({ user, generation }) => `${user} ${generation} outlives the ${kind} of ${scope.name}`,
        );
      });
    },
    /** Everybody may come back: an operator lifts all that there is. */
    async reinstateAll(scopes: readonly Scope[]) {
      for (const scope of scopes) await settled(this.reinstate(world.process(), scope));
    },
  };
}

export type ShutOuts = ReturnType<typeof makeShutOuts>;

/** A shared lease is the others' too: a block on one of them leaves it. */
function isMeant({ selection, covers }: Scope, { caller: { subject }, shared, user, orgId }: Lease): boolean {
  const ofCaller = selection.kind === 'session' || (selection.kind === 'user' && (selection.subjects ?? []).length > 0);
  if (shared && ofCaller) return false;
  const who = subject.slice('sub-'.length);
  return covers(who) && personOf(user) === userOf(caller(who)) && orgId === orgOf(who);
}
