/** Checks what must be true of ledger and ThoughtSpot at every moment, and after the sweep has finished. */
import { FINISHED, isUnfinished, type Lease, personOf } from '../../functions/broker/lease.ts';
import type { IssuedToken } from '../../functions/broker/use-cases.ts';
import type { World } from './broker-world.ts';

/** Live tokens that no row records. A row without a token accounts for one token of its user, up to its latest end. */
export async function unaccounted({ ledger, issuer, rows }: World): Promise<string[]> {
  const unfinished = (await rows()).filter(({ state }) => isUnfinished(state));
  const sealed = new Set(unfinished.flatMap((row) => ledger.tokenOf(row) ?? []));
  // Each token takes the row with the earliest end that is late enough for it.
  const tokenless = unfinished.filter((row) => ledger.tokenOf(row) === undefined);
  tokenless.sort((one, other) => one.latestEndAt - other.latestEndAt);
  const problems: string[] = [];
  for (const known of issuer.live().sort((one, other) => one.endsAt - other.endsAt)) {
    if (sealed.has(known.token)) continue;
    const endsAt = known.endsAt - issuer.offsetMs;
    const index = tokenless.findIndex(
      ({ user, latestEndAt }) => user === personOf(known.user) && latestEndAt >= endsAt,
    );
    if (index < 0) problems.push(`no row accounts for ${known.token}`);
    else tokenless.splice(index, 1);
  }
  return problems;
}

/** Checks that a reply is given only for a row that is live and holds this token. */
export async function released({ ledger }: World, issued: IssuedToken): Promise<string[]> {
  const row = await ledger.get(issued.lease, Infinity);
  if (row?.state !== 'live') return [`a reply was given for a row that is ${row?.state ?? 'not there'}`];
  return ledger.tokenOf(row) === issued.token ? [] : ['the row of a reply holds another token'];
}

/** Half a minute and a sweep: or, where indexes lag, as many as it takes until one has seen what was there. */
export async function sweepOnce({ clock, process, lagMs }: World): Promise<void> {
  // The second pass of a cut-off comes after two minutes, and what it finds is due then.
  for (const ms of lagMs > 0 ? [30_000, 130_000, lagMs] : [30_000]) {
    await clock.advance(ms);
    await clock.drive(process().sweep());
  }
}

/** Sweeps, from due time to due time, until nothing is due. Then every row must be finished and no token live. */
export async function drain(
  world: World,
  watch: () => Promise<string[]> = () => unaccounted(world),
): Promise<string[]> {
  const { clock, ledger, issuer, process, rows, lagMs } = world;
  for (let run = 0; run < 200; run += 1) {
    const left = await rows();
    const due = left.flatMap(({ dueAt }) => dueAt ?? []);
    const waiting = ledger.pendingBlocks().length;
    // A block whose last pass is to come finds nothing any more.
    if (due.length === 0 && (waiting === 0 || !left.some(({ state }) => isUnfinished(state)))) break;
    const next = due.length === 0 ? 130_000 : Math.max(0, Math.min(...due) - clock.now());
    await clock.advance(Math.max(lagMs, Math.min(next, waiting > 0 ? 130_000 : next)));
    await clock.drive(process().sweep());
    const problems = await watch();
    if (problems.length > 0) return problems;
  }
  const open = (await rows()).filter(({ state }) => isUnfinished(state));
  return [
    ...open.map((row: Lease) => `${row.user} ${row.generation} is still ${row.state}, none of ${FINISHED.join(', ')}`),
    ...issuer.live().map(({ token }) => `${token} still lives`),
  ];
}
