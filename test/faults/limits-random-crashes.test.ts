/**
 * Random histories of callers at their limits: mints that are refused, lost or crash anywhere, revocations, sweeps. Nobody
 * gets more than his limits, and nobody stays locked out. A failure names its seed: SEED=<n> npx jest test/faults/limits repeats it.
 */
import type { Limits } from '../../functions/broker/mint-counts.ts';
import { drain, unaccounted } from '../support/accounting.ts';
import { caller, makeWorld, type Process, type World } from '../support/broker-world.ts';
import { crashAt, settled } from '../support/crashing-process.ts';
import { type Chance, chance, seeds } from '../support/seeded.ts';

const CALLERS = ['ann', 'bob'];
const HISTORY_LENGTH = 40;
const MINUTE_MS = 60_000;

/** One caller asks, for several tokens at once, or takes back what he has; or the sweep runs. */
function step(random: Chance): (process: Process) => Promise<unknown> {
  const who = random.pick(CALLERS);
  const ask = (process: Process) => settled(process.getToken(who, { validitySeconds: 60 + random.below(240) }));
  switch (random.below(8)) {
    case 0:
      return (process) => process.revoke(who);
    case 1:
      return (process) => process.sweep();
    case 2:
      return (process) => Promise.all([ask(process), ask(process), ask(process), ask(process)]);
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

async function history(seed: number): Promise<string[]> {
  const random = chance(seed);
  const limits: Limits = {
    caller: { mintsPerMinute: 1 + random.below(5), liveLeases: 1 + random.below(4) },
    org: { mintsPerMinute: 600 },
  };
  const world = makeWorld({ shards: 2, randomness: random, limits });
  const { issuer, clock } = world;
  const sent: { readonly user: string; readonly at: number }[] = [];
  const send = issuer.mint.bind(issuer);
  issuer.mint = (grant, deadline) => {
    sent.push({ user: grant.user, at: clock.now() });
    return send(grant, deadline);
  };
  const beyond = (who: string) => {
    const minted = sent.filter(({ user, at }) => user === who && at + MINUTE_MS > clock.now()).length;
    const alive = issuer.live().filter(({ user }) => user === who).length;
    return [
      ...(minted > limits.caller.mintsPerMinute ? [`${minted} mints of ${who} in a minute`] : []),
      ...(alive > limits.caller.liveLeases ? [`${alive} tokens of ${who} live`] : []),
    ];
  };
  for (let n = 0; n < HISTORY_LENGTH; n += 1) {
    if (random.maybe(0.5)) weather(random, world);
    await crashAt(world, random.maybe(0.6) ? random.below(40) : Infinity, step(random));
    const problems = [...CALLERS.flatMap(beyond), ...(await unaccounted(world))];
    if (problems.length > 0) return [JSON.stringify(limits), `step ${n}`, ...problems];
    await clock.advance(random.pick([0, 1, 900, 9_000, 20_000, 59_000]));
  }
  issuer.mintFault = issuer.revokeFault = undefined;
  const left = await drain(world);
  if (left.length > 0) return left;
  // All rows are over: what a crash left in a ring counts no longer than the minute.
  await clock.advance(MINUTE_MS);
  for (const who of CALLERS) {
    for (let n = 0; n < Math.min(limits.caller.mintsPerMinute, limits.caller.liveLeases); n += 1) {
      const outcome = await clock.drive(settled(world.process().getToken(who, { validitySeconds: 100 + n })));
      if ('failure' in outcome) return [JSON.stringify(limits), `${who} stays locked out: ${String(outcome.failure)}`];
    }
    const { ring } = await world.ledger.standing({ caller: caller(who), orgId: 1 }, Infinity);
    if (ring.marks.length > 60) return [`the ring of ${who} has ${ring.marks.length} marks`];
  }
  return [];
}

test('wherever mints crash, nobody exceeds his limits, and nobody stays locked out', async () => {
  for (const seed of seeds(30, 5_000)) {
    const problems = await history(seed);
    if (problems.length > 0) throw new Error(`SEED=${seed}\n  ${problems.join('\n  ')}`);
  }
}, 1_800_000);
