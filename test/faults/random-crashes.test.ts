/**
 * Random histories of requests, revocations, blocks, sweeps, faults and crashes; after each step and at the end the books have to
 * balance. A failure names its seed: SEED=<n> npx jest test/faults/random-crashes repeats it.
 */
import type { IssuedToken, RevokeSelection } from '../../functions/broker/use-cases.ts';
import { drain, released, unaccounted } from '../support/accounting.ts';
import { asCaller, asOperator, EVENT, makeWorld, type Process, userOf, type World } from '../support/broker-world.ts';
import { crashAt } from '../support/crashing-process.ts';
import { type Chance, chance, seeds } from '../support/seeded.ts';
import { unsteadyBy } from '../support/unsteady-store.ts';
import { makeShutOuts, scopesOf, type ShutOuts } from '../support/shut-out.ts';

const CALLERS = ['ann', 'ann/phone', 'bob', 'gus', 'shared/one', 'shared/two'];
const HISTORY_LENGTH = 16;

interface Step {
  readonly name: string;
  readonly act: (process: Process) => Promise<unknown>;
}

function step(random: Chance, world: World, on: ShutOuts): Step {
  const who = random.pick(CALLERS);
  const kind = random.pick([
    'get',
    'get',
    'get',
    'fresh',
    'mine',
    'lease',
    'token',
    'user',
    'org',
    'all',
    'rule',
    'sweep',
    'sweep',
    'info',
    'block',
    'reinstate',
  ]);
  switch (kind) {
    case 'get':
    case 'fresh': {
      const signedInAt = world.clock.now() - random.pick([0, 0, 60_000, 300_000]);
      const name = `${who} asks for a ${kind === 'get' ? 'token' : 'fresh one'}, signed in at ${signedInAt}`;
      return { name, act: (process) => on.getToken(process, who, signedInAt, kind === 'fresh') };
    }
    case 'block':
      return block(random, world, on, who);
    case 'reinstate':
      return { name: `${who} is reinstated`, act: (process) => reinstate(process, on, who) };
    case 'mine':
      return { name: `${who} revokes`, act: (process) => process.revoke(who) };
    case 'lease': {
      const leases = world.audit.flatMap(({ lease }) => lease?.leaseId ?? []);
      const leaseId = leases.length > 0 ? random.pick(leases) : 'none';
      return { name: 'a lease is revoked', act: (process) => process.revoke(asOperator(), { kind: 'lease', leaseId }) };
    }
    case 'token': {
      const token = world.issuer.tokens.length > 0 ? random.pick(world.issuer.tokens).token : 'none';
      const revoker = random.maybe(0.5) ? asOperator() : asCaller(who);
      return { name: `${token} is revoked`, act: (process) => process.revoke(revoker, { kind: 'token', token }) };
    }
    case 'sweep':
      return { name: 'sweep', act: (process) => process.sweep() };
    case 'info':
      return { name: `${who} looks`, act: (process) => process.sessionInfo(who) };
    default: {
      const selections: Record<string, RevokeSelection> = {
        user: { kind: 'user', userNames: [userOf({ subject: `sub-${who}` })] },
        org: { kind: 'org', orgId: 1 + random.below(2) },
        rule: { kind: 'rule', rule: 'rule' },
      };
      const selection = selections[kind] ?? { kind: 'all' };
      const revoker = random.maybe(0.5) ? asOperator() : EVENT;
      return { name: `revoke ${JSON.stringify(selection)}`, act: (process) => process.revoke(revoker, selection) };
    }
  }
}

/** A sign-out or a suspension, by an operator, an event or the issuer. Events may come late. */
function block(random: Chance, { clock }: World, on: ShutOuts, who: string): Step {
  const scopes = scopesOf(who);
  const [scope, [user, , ofSubject, ofSession]] = [random.pick(scopes), scopes.slice(2)];
  const dated = clock.now() - random.pick([0, 1_000, 100_000]);
  switch (random.pick(['sign-out', 'suspend', 'deprovision', 'logout'])) {
    case 'sign-out':
      return { name: `${scope.name} is signed out`, act: (process) => on.signOut(process, scope) };
    case 'suspend':
      return { name: `${scope.name} is suspended`, act: (process) => on.suspend(process, scope) };
    case 'deprovision': {
      const left = random.pick([user, ofSubject].flatMap((one) => one ?? []));
      return { name: `${left.name} has left at ${dated}`, act: (process) => on.deprovision(process, left, dated) };
    }
    default: {
      const over = random.pick([ofSubject, ofSession].flatMap((one) => one ?? []));
      return { name: `${over.name} logged out at ${dated}`, act: (process) => on.logOut(process, over, dated) };
    }
  }
}

async function reinstate(process: Process, on: ShutOuts, who: string): Promise<void> {
  for (const scope of scopesOf(who)) await on.reinstate(process, scope);
}

/** Changes the weather at ThoughtSpot. */
function weather(random: Chance, { issuer }: World): void {
  const mint = random.pick([undefined, undefined, undefined, 'lost', 'refused', 'throws', 'wrong', 'other'] as const);
  const revoke = random.pick([undefined, undefined, 'down', 'busy', 'lost', 'refused'] as const);
  issuer.mintFault = mint === undefined || mint === 'wrong' || mint === 'other' ? undefined : () => mint;
  const lie = mint === 'wrong' ? { orgId: 77 } : mint === 'other' ? { userName: random.pick(['', 'eve']) } : {};
  issuer.reply = (minted) => ({ ...minted, ...lie });
  issuer.inactive.clear();
  if (random.maybe(0.3)) issuer.inactive.add(random.pick(['ann', 'bob', 'svc']));
  issuer.revokeFault = revoke === undefined ? undefined : () => revoke;
  issuer.mintMs = random.below(3) * 700;
  issuer.revokeMs = random.below(3) * 300;
}

function isIssued(answer: unknown): answer is IssuedToken {
  return typeof answer === 'object' && answer !== null && 'token' in answer;
}

async function history(
  seed: number,
  lags: boolean,
): Promise<{ readonly story: string[]; readonly problems: string[] }> {
  const random = chance(seed);
  const world = makeWorld({
    shards: 2,
    randomness: random,
    ...(lags && { unsteady: (now: () => number) => unsteadyBy(seed, now) }),
  });
  world.issuer.offsetMs = random.pick([0, 0, 120_000, -120_000]);
  const on = makeShutOuts(world);
  const story: string[] = [];
  for (let n = 0; n < HISTORY_LENGTH; n += 1) {
    if (random.maybe(0.5)) weather(random, world);
    const { name, act } = step(random, world, on);
    const at = random.maybe(0.5) ? random.below(40) : Infinity;
    const outcome = await crashAt(world, at, act);
    const end = outcome === 'crashed' ? `crashed at call ${at}` : Object.keys(outcome).join();
    story.push(`${name}: ${end}`);
    const problems = [...(await unaccounted(world)), ...on.servedThoughShutOut()];
    if (outcome !== 'crashed' && 'answer' in outcome && isIssued(outcome.answer)) {
      problems.push(...(await released(world, outcome.answer)));
    }
    if (problems.length > 0) return { story, problems };
    await world.clock.advance(random.pick([0, 1, 900, 20_000, 80_000, 220_000]));
  }
  if (random.maybe(0.7)) world.issuer.revokeFault = undefined;
  world.issuer.inactive.clear();
  return { story, problems: await drain(world) };
}

async function histories(lags: boolean, daily: number): Promise<void> {
  for (const seed of seeds(daily, 10_000)) {
    const { story, problems } = await history(seed, lags);
    if (problems.length > 0) throw new Error(`SEED=${seed}\n  ${[...story, ...problems].join('\n  ')}`);
  }
}

test(
  'whatever happens and wherever it crashes, no live token and no block is lost',
  () => histories(false, 120),
  1_800_000,
);
test('nor where indexes lag besides', () => histories(true, 60), 1_800_000);
