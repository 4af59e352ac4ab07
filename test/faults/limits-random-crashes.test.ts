/**
 * Random histories of callers and orgs at their limits: mints that are refused, lost or crash anywhere, revocations, sweeps.
 * Nobody gets more than his limits, nobody is refused who is below them, nobody waits longer than he was told, and nobody
 * stays locked out. A failure names its seed: SEED=<n> npx jest test/faults/limits repeats it.
 */
import { Failure } from '../../functions/broker/failure.ts';
import { certainEnd, isUnfinished } from '../../functions/broker/lease.ts';
import type { Limits } from '../../functions/broker/mint-counts.ts';
import type { AuditEvent } from '../../functions/broker/ports.ts';
import { drain, unaccounted } from '../support/accounting.ts';
import { caller, makeWorld, type Process, type World } from '../support/broker-world.ts';
import { crashAt, settled } from '../support/crashing-process.ts';
import { type Chance, chance, seeds } from '../support/seeded.ts';

/** Those who begin with g are of another org. */
const CALLERS = ['ann', 'bob', 'gil'];
const ORGS = [1, 2];
const orgOf = (user: string) => (user.startsWith('g') ? 2 : 1);
const HISTORY_LENGTH = 40;
const MINUTE_MS = 60_000;
/** Mints of an org count for so much longer than the minute (docs/adr/0016). */
const SPAN_MS = 5_000;
/** Requests at a time, each in a sandbox of its own. */
const AT_ONCE = 4;

type Ask = (process: Process) => Promise<unknown>;

/** One caller asks, for several tokens at once, or takes back what he has; or the sweep runs. */
function step(random: Chance, world: World): Ask {
  const who = random.pick(CALLERS);
  const ask: Ask = (process) => settled(process.getToken(who, { validitySeconds: 60 + random.below(240) }));
  switch (random.below(8)) {
    case 0:
      return (process) => process.revoke(who);
    case 1:
      return (process) => process.sweep();
    case 2:
      return (process) =>
        Promise.all([process, ...Array.from({ length: AT_ONCE - 1 }, () => world.process())].map(ask));
    default:
      return ask;
  }
}

function weather(random: Chance, { issuer }: World): void {
  const mint = random.pick([undefined, undefined, 'lost', 'refused', 'throws'] as const);
  const revoke = random.pick([undefined, undefined, 'down', 'lost'] as const);
  issuer.mintFault = mint && (() => mint);
  issuer.revokeFault = revoke && (() => revoke);
  issuer.mintMs = random.below(2) * 700;
}

/** What was refused though there was room for it, by the rows at that moment. */
function needlessRefusals({ ledger, clock, audit }: World, limits: Limits): string[] {
  const found: string[] = [];
  const push = audit.push.bind(audit);
  audit.push = (...events: AuditEvent[]) => {
    for (const event of events) {
      if (event.action !== 'deny' || event.code !== 'mint-limit') continue;
      const { user = '', reasons: [reason = ''] = [] } = event;
      const now = clock.now();
      const rows = ledger.facts();
      const own = rows.filter((row) => row.user === user);
      const counted: Readonly<Record<string, readonly [most: number, rows: readonly object[]]>> = {
        'mint limit of the caller': [
          limits.caller.mintsPerMinute,
          own.filter((row) => row.reservedAt + MINUTE_MS > now),
        ],
        'live lease limit of the caller': [
          limits.caller.liveLeases,
          own.filter((row) => isUnfinished(row.state) && certainEnd(row) > now),
        ],
        'mint limit of the org': [
          limits.org.mintsPerMinute,
          rows.filter((row) => row.orgId === orgOf(user) && row.reservedAt + MINUTE_MS + SPAN_MS > now),
        ],
      };
      const [most, reasons] = counted[reason] ?? [1, []];
      if (reasons.length < most)
        found.push(`${user} is refused for the ${reason} ${most}, and has ${JSON.stringify(reasons)}`);
    }
    return push(...events);
  };
  return found;
}

async function history(seed: number): Promise<string[]> {
  const random = chance(seed);
  const limits: Limits = {
    caller: { mintsPerMinute: 1 + random.below(5), liveLeases: 1 + random.below(4) },
    org: { mintsPerMinute: random.pick([2, 3, 5, 600]) },
  };
  const world = makeWorld({ shards: 2, randomness: random, limits });
  const { issuer, clock } = world;
  const needless = needlessRefusals(world, limits);
  const sent: { readonly user: string; readonly at: number }[] = [];
  const send = issuer.mint.bind(issuer);
  issuer.mint = (grant, deadline) => {
    sent.push({ user: grant.user, at: clock.now() });
    return send(grant, deadline);
  };
  const recent = (is: (user: string) => boolean) =>
    sent.filter(({ user, at }) => is(user) && at + MINUTE_MS > clock.now()).length;
  const beyond = (who: string) => {
    const minted = recent((user) => user === who);
    const alive = issuer.live().filter(({ user }) => user === who).length;
    return [
      ...(minted > limits.caller.mintsPerMinute ? [`${minted} mints of ${who} in a minute`] : []),
      ...(alive > limits.caller.liveLeases ? [`${alive} tokens of ${who} live`] : []),
    ];
  };
  // Each sandbox but one may have a mint under way that the others do not know of (docs/adr/0016).
  const beyondOrg = (org: number) => {
    const minted = recent((user) => orgOf(user) === org);
    return minted > limits.org.mintsPerMinute + AT_ONCE - 1 ? [`${minted} mints of org ${org} in a minute`] : [];
  };
  const failed = (problems: readonly string[]) => [JSON.stringify(limits), ...problems];
  for (let n = 0; n < HISTORY_LENGTH; n += 1) {
    if (random.maybe(0.5)) weather(random, world);
    await crashAt(world, random.maybe(0.6) ? random.below(40) : Infinity, step(random, world));
    const problems = [
      ...CALLERS.flatMap(beyond),
      ...ORGS.flatMap(beyondOrg),
      ...needless,
      ...(await unaccounted(world)),
    ];
    if (problems.length > 0) return failed([`step ${n}`, ...problems]);
    await clock.advance(random.pick([0, 1, 900, 9_000, 20_000, 59_000]));
  }
  issuer.mintFault = issuer.revokeFault = undefined;
  const waited = await waitsAsTold(world, limits);
  if (waited.length > 0) return failed(waited);
  const left = await drain(world);
  if (left.length > 0) return left;
  // All rows are over: what a crash left counts no longer than the minute.
  await clock.advance(MINUTE_MS + SPAN_MS);
  for (const who of CALLERS) {
    const { caller: own, org } = limits;
    for (let n = 0; n < Math.min(own.mintsPerMinute, own.liveLeases, org.mintsPerMinute); n += 1) {
      const outcome = await clock.drive(settled(world.process().getToken(who, { validitySeconds: 100 + n })));
      if ('failure' in outcome) return failed([`${who} stays locked out: ${String(outcome.failure)}`]);
    }
    const { ring } = await world.ledger.standing({ caller: caller(who), orgId: 1 }, Infinity);
    if (ring.marks.length > 60) return [`the ring of ${who} has ${ring.marks.length} marks`];
    await clock.advance(MINUTE_MS + SPAN_MS);
  }
  return needless;
}

/** Asks until a limit is met, waits as long as it says, and asks again: the same limit may not be met once more. */
async function waitsAsTold({ process, clock, audit }: World, { caller: own }: Limits): Promise<string[]> {
  const ask = (n: number) => clock.drive(settled(process().getToken('ann', { validitySeconds: 400 + n })));
  const reason = () => audit.at(-1)?.reasons?.[0];
  for (let n = 0; n <= own.mintsPerMinute; n += 1) {
    const outcome = await ask(n);
    if (!('failure' in outcome)) continue;
    const { failure } = outcome;
    if (!(failure instanceof Failure) || failure.code !== 'mint-limit') return [`ann is refused: ${String(failure)}`];
    const met = reason();
    await clock.advance(failure.retryAfterMs ?? 0);
    const again = await ask(1_000);
    if ('failure' in again && reason() === met) return [`ann waited ${failure.retryAfterMs} ms, and meets the ${met}`];
    return [];
  }
  return [`ann meets no limit in ${own.mintsPerMinute + 1} requests`];
}

test('wherever mints crash, limits hold, nobody below them is refused, and nobody stays locked out', async () => {
  for (const seed of seeds(30, 5_000)) {
    const problems = await history(seed);
    if (problems.length > 0) throw new Error(`SEED=${seed}\n  ${problems.join('\n  ')}`);
  }
}, 1_800_000);
