/** What operators see of leases and blocks, as tables of text. */
import { formatDuration } from '../progress.ts';
import type { ListedBlock, ListedLease } from './operator-broker.ts';

export function leaseTable(leases: readonly ListedLease[]): string {
  const now = Date.now();
  const rows = leases.map((lease) => [
    lease.user,
    String(lease.orgId),
    lease.kind,
    lease.state,
    `${lease.rule}/${lease.grant}`,
    lease.expiresAt === undefined ? '' : formatDuration(lease.expiresAt - now),
    String(lease.attempts),
    `${lease.leaseId.slice(0, 12)}…`,
  ]);
  return table([['user', 'org', 'kind', 'state', 'rule/grant', 'time left', 'tries', 'lease'], ...rows]);
}

export function table(all: readonly (readonly string[])[]): string {
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Who holds most, by caller, most first: that is whom the limits of a policy count. */
export function holdersOf(leases: readonly ListedLease[]) {
  const byCaller = Map.groupBy(leases, ({ caller }) => JSON.stringify([caller.issuer, caller.subject]));
  const holders = [...byCaller.values()].flatMap((held) => {
    const users = [...new Set(held.map(({ user }) => user))].sort();
    return held[0] === undefined ? [] : [{ caller: held[0].caller, leases: held.length, users }];
  });
  holders.sort((one, other) => other.leases - one.leases);
  return holders;
}

export function blockTable(blocks: readonly ListedBlock[]): string {
  const at = (ms: number) => new Date(ms).toISOString();
  const rows = blocks.flatMap(({ scope: { kind, ...names }, signedOut, suspendedSince }) => {
    const whom = [String(kind), Object.values(names).join(' ')];
    return [
      ...(suspendedSince === undefined ? [] : [[...whom, 'suspended', at(suspendedSince), 'reinstated']]),
      ...(signedOut === undefined ? [] : [[...whom, 'signed out', at(signedOut.issuedUpTo), at(signedOut.until)]]),
    ];
  });
  return table([['scope', 'whom', 'block', 'since', 'until'], ...rows]);
}
