/** Compares the ledger with the truth: the tokens that the simulated ThoughtSpot accepts at this moment. */
import { isUnfinished, personOf } from '../../functions/broker/lease.ts';
import type { Lease } from '../../functions/broker/lease.ts';
import { leaksAmong } from '../support/canaries.ts';
import { ledgerRows, type LedgerRows } from '../support/ledger-rows.ts';
import { beyondLimits } from './limits.ts';
import type { Load } from './load.ts';
import type { ChaosWorld, LiveToken } from './world.ts';

export interface AuditReport {
  readonly live: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  /** Tokens under an accepted revoke that ThoughtSpot still accepts. The sweep is working on them. */
  readonly beingRevoked: number;
}

interface NamedToken extends LiveToken {
  /** The token's digest, as in the rows of the ledger. */
  readonly digest: string;
}

export function makeAuditor(world: ChaosWorld, load: Load) {
  return {
    async audit(): Promise<AuditReport> {
      const accepted = [...load.revokes];
      const before = world.liveTokens();
      const found = await ledgerRows(world.broker);
      const { leases, digestKey, tokenDigest } = found;
      if (digestKey !== undefined) world.secrets.set(digestKey, 'the digest key');
      // The sweep revokes a token before it records that: a token that died during the read may have either kind of row.
      const still = new Set(world.liveTokens().map(({ text }) => text));
      const live = before
        .filter(({ text }) => still.has(text))
        .map((token) => ({ ...token, digest: tokenDigest(token.text) }));
      for (const { text, user } of live) world.secrets.set(text, `a token of ${user}`);
      const covered = new Set(accepted.flatMap((revoke) => load.liveUnder(revoke)).map(({ token }) => token));
      const underRevoke = live.filter(({ text }) => covered.has(text));
      return {
        live: live.length,
        rows: countsOf(leases),
        violations: [
          ...load.violations,
          ...unaccounted(world, live, leases),
          ...forgotten(underRevoke, found),
          ...beyondLimits(world, leases),
        ],
        beingRevoked: underRevoke.length,
      };
    },
    /** After every token has expired: no token may live, and no row may be waiting for anything. */
    async atRest(): Promise<readonly string[]> {
      const { leases } = await ledgerRows(world.broker);
      const open = leases.filter(({ state }) => isUnfinished(state));
      return [
        ...world.liveTokens().map(({ user }) => `a token of ${user} outlives its end`),
        ...open.map(({ user, state }) => `a row of ${user} is ${state} although its token has expired`),
      ];
    },
    /** Secrets in anything that was printed or answered. It searches the text of the whole run once, as it is much. */
    leaks: () => leaksAmong([...world.printed, ...load.bodies], world.secrets),
  };
}

/** Live tokens that no unfinished row records. A row without a token accounts for one token of its user. */
function unaccounted(world: ChaosWorld, live: readonly NamedToken[], leases: readonly Lease[]): string[] {
  const unfinished = leases.filter(({ state }) => isUnfinished(state));
  const byDigest = new Set(unfinished.flatMap(({ tokenDigest }) => tokenDigest ?? []));
  const expired = new Set(
    leases.filter(({ state }) => state === 'expired').flatMap(({ tokenDigest }) => tokenDigest ?? []),
  );
  const blank = unfinished.filter(({ tokenDigest }) => tokenDigest === undefined);
  blank.sort((one, other) => one.latestEndAt - other.latestEndAt);
  const problems: string[] = [];
  for (const token of [...live].sort((one, other) => one.expiresAt - other.expiresAt)) {
    if (byDigest.has(token.digest)) continue;
    const endsAt = token.expiresAt - world.clusterAheadMs - world.setBackMs;
    // A cluster that sets its clock back makes tokens live longer than it said, and nobody can know. The world handles
    // those that were handed out; this handles the others.
    if (expired.has(token.digest) && endsAt <= world.now()) continue;
    const index = blank.findIndex(({ user, latestEndAt }) => user === personOf(token.user) && latestEndAt >= endsAt);
    if (index < 0) problems.push(`a live token of ${token.user} has no row that records it`);
    else blank.splice(index, 1);
  }
  return problems;
}

/** Live tokens whose revoke was accepted, and which nothing will end. */
function forgotten(tokens: readonly NamedToken[], { leases, cutOffs }: LedgerRows): string[] {
  const byDigest = new Map(leases.flatMap((lease) => (lease.tokenDigest ? [[lease.tokenDigest, lease] as const] : [])));
  return tokens.flatMap(({ digest, user }) => {
    const lease = byDigest.get(digest);
    if (lease?.state === 'revoking' || lease?.state === 'orphaned') return [];
    const waits = cutOffs.some(({ covers, before, pending }) => {
      return pending && lease && lease.reservedAt < before && covers(lease);
    });
    if (waits) return [];
    return [`a token of ${user} lives although its revoke was accepted; its row is ${lease?.state ?? 'not there'}`];
  });
}

function countsOf(leases: readonly Lease[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of leases) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
