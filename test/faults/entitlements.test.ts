/**
 * Promise I8: at every moment, every token that was released to a caller and that ThoughtSpot accepts shows just the rows of
 * its own lease's grant, or of a later grant of the same person. Random policies, callers and orders of mints, revocations,
 * lost replies, late executions, crashes and frozen sandboxes, against the simulated cluster.
 * SEED=<n> npx jest test/faults/entitlements repeats one run.
 */
import { makeGetToken } from '../../functions/broker/get-token.ts';
import { makeRevokeTokens } from '../../functions/broker/revoke.ts';
import { makeSweep } from '../../functions/broker/sweep.ts';
import type { Caller, Rights, SessionIssuer, TokenLedger } from '../../functions/broker/ports.ts';
import { decide, type Policy, policyOf, usersOf } from '../../functions/policy/decide.ts';
import type { GrantOffer, Rule } from '../../functions/policy/document.ts';
import { readCluster } from '../../local/thoughtspot/cluster.ts';
import { RunningCluster } from '../../local/thoughtspot/running-cluster.ts';
import { checkPolicy } from '../../infra/policy/check.ts';
import { PolicyError } from '../../infra/policy/policy-error.ts';
import { makeFakeClock } from '../support/fake-clock.ts';
import { makeMemoryLedger } from '../support/memory-ledger.ts';
import { HIGHEST_LIMITS } from '../support/raised-limits.ts';
import { sha256 } from '../support/policy-documents.ts';
import { type Chance, chance, seeds } from '../support/seeded.ts';
import { makeSimulatedIssuer } from '../support/simulated-issuer.ts';

const REGIONS = ['emea', 'apac'];
const PEOPLE = ['ann', 'bo', 'cy'];
const ORG = 1;
const SHARED = ['team', 'svc'];
const validity = { defaultSeconds: 120, minSeconds: 60, maxSeconds: 600 };

// --- random policies -------------------------------------------------------------------------------------------------

const offer = {
  full: (name: string) => ({ name, kind: 'full', validity }),
  fixed: (name: string, random: Chance, persist = 'REPLACE') => ({
    name,
    kind: 'custom',
    persist,
    variables: [{ name: 'region_var', values: [random.pick(REGIONS)] }],
    validity,
  }),
  claim: (name: string) => ({
    name,
    kind: 'custom',
    persist: 'REPLACE',
    variables: [{ name: 'region_var', values: { claim: 'region', allow: REGIONS } }],
    validity,
  }),
};

/** Rules by a claim that says which one, over users that people share or have to themselves. */
function documentBy(random: Chance) {
  // A `full` grant beside a persisting one cannot be accepted away: what a mint left stays when its token has ended.
  const accepting = random.maybe(0.3);
  const rules = Array.from({ length: 1 + random.below(3) }, (_, index) => {
    const user = random.pick<object>([{ claim: 'sub' }, { claim: 'team' }, { serviceAccount: 'svc' }]);
    const perEntitlement = random.maybe(0.4);
    const kinds = accepting ? (['fixed', 'claim'] as const) : (['full', 'fixed', 'claim', 'append'] as const);
    const grants = Array.from({ length: 1 + random.below(2) }, (__, at) => {
      const kind = random.pick(kinds);
      const name = `grant-${at}`;
      return kind === 'append' ? offer.fixed(name, random, 'APPEND') : offer[kind](name, random);
    });
    return {
      name: `rule-${index}`,
      when: { claim: 'rule', equals: index },
      user: perEntitlement ? { ...user, perEntitlement } : user,
      org: ORG,
      ...(perEntitlement && { provision: {} }),
      grants: grants.map((one) => (random.maybe(0.5) ? { ...one, reuse: { minLifeLeftSeconds: 30 } } : one)),
      ...(accepting && { accept: ['entitlements-may-differ'] }),
    };
  });
  return { version: 1, rules };
}
type Document = ReturnType<typeof documentBy>;

interface Offer {
  readonly kind: string;
  readonly variables?: readonly Parameters<typeof variable>[0][];
  readonly reuse?: { readonly minLifeLeftSeconds: number };
}

/** The document as the functions read it, without the check that refuses what lets entitlements meet. */
function unchecked({ rules }: Document): Policy {
  const normal = rules.map(({ name, when, user, grants }): Rule => {
    const { perEntitlement = false, ...source } = user as { perEntitlement?: boolean; claim?: string };
    const offers = grants.map((one) => {
      const { reuse = null, ...rights } = one as Offer;
      const variables = (rights.variables ?? []).map(variable);
      const empty = { filters: [], parameters: [], groups: [], objects: [] };
      const all = { ...rights, ...(rights.kind === 'custom' && { ...empty, variables }), reuse };
      return { ...all, validity: { ...validity, withinCallerToken: false } } as unknown as GrantOffer;
    });
    const claimed = 'claim' in source ? { claim: [source.claim ?? ''], lowerCase: false } : (source as never);
    const who = { user: claimed, perEntitlement, provision: perEntitlement ? { groups: [] } : null };
    const condition = { ...when, claim: [when.claim] };
    return { name, mode: 'enforce', when: condition, ...who, org: ORG, share: false, grants: offers as never };
  });
  return policyOf({ version: 1, refuse: [], tables: {}, limits: HIGHEST_LIMITS, rules: normal }, 'v1');
}
function variable({ name, values }: { name: string; values: string[] | { claim: string; allow: string[] } }) {
  if (Array.isArray(values)) return { name, values };
  return { name, values: { ...values, claim: [values.claim], lowerCase: false, unlisted: 'refuse' as const } };
}

/** The policy as the functions get it; undefined if the check refuses the document. */
function checked(document: Document): Policy | undefined {
  try {
    return checkPolicy(document).policy;
  } catch (error) {
    if (error instanceof PolicyError) return undefined;
    throw error;
  }
}

/** Documents until one passes the check, or, without its faults, until it refuses one. */
function randomPolicy(random: Chance, without: Without): { readonly document: Document; readonly policy: Policy } {
  for (;;) {
    const document = documentBy(random);
    const policy = checked(document);
    if (without.faults === true && policy === undefined) return { document, policy: unchecked(document) };
    if (without.faults !== true && policy !== undefined) return { document, policy };
  }
}

// --- one run ---------------------------------------------------------------------------------------------------------

interface Without {
  /** Mints go on whatever the hold says. */
  readonly guard?: boolean;
  /** Only policies that the check refuses. */
  readonly faults?: boolean;
}
interface Mint {
  readonly order: number;
  readonly caller: string;
  readonly place: string;
  readonly rows: string;
}
const rowsOf = (variables: Readonly<Record<string, readonly string[]>>) =>
  JSON.stringify(Object.entries(variables).map(([name, values]) => [name, [...values].sort()]));
const rowsOfRights = (rights: Rights) =>
  rowsOf(rights.kind === 'custom' ? Object.fromEntries(rights.variables.map((one) => [one.name, one.values])) : {});

async function run(seed: number, without: Without = {}): Promise<{ released: number; problem?: string }> {
  const random = chance(seed);
  const { document, policy } = randomPolicy(random, without);
  const clock = makeFakeClock();
  const data = readCluster();
  const [model] = data.users;
  const users = [...PEOPLE, ...SHARED].map((name) => ({ ...model, name, id: `id-${name}`, orgs: [ORG] }));
  const cluster = new RunningCluster({ ...data, users: users as typeof data.users }, () => clock.now());
  cluster.set({ rateLimit: false, clockOffsetMs: random.pick([0, 0, 3_000, -3_000]) });
  const ledger = makeMemoryLedger({ clock, shards: 2 });
  const told: string[] = [`policy ${JSON.stringify(document.rules)}`];
  const mints = new Map<string, Mint>();
  const releasedTokens = new Set<string>();
  const problems: string[] = [];
  /** Whose the grant of a mint is: the grants of one process go to the issuer as they are. */
  const callerOf = new WeakMap<object, string>();

  function look(): void {
    for (const text of releasedTokens) {
      const own = mints.get(text);
      const token = cluster.aliveToken(text);
      const user = token && cluster.directory.user(token.user);
      if (!own || !token || !user) continue;
      const shown = rowsOf(cluster.entitlementsInForce(user, token.org, token).variables);
      const later = [...mints.values()].some(
        ({ order, caller, place, rows }) =>
          order > own.order && caller === own.caller && place === own.place && rows === shown,
      );
      if (shown !== own.rows && !later)
        problems.push(`a token of ${own.caller} at ${own.place} shows ${shown} instead of ${own.rows}`);
    }
  }

  const issuer = makeSimulatedIssuer({
    cluster,
    clock,
    fateOf: () => ({
      fate: random.pick(['answered', 'answered', 'answered', 'answered', 'lost', 'late', 'never', 'refused'] as const),
      takesMs: random.pick([5, 400, 3_000, 9_000]),
    }),
    onMint: (grant, token) => {
      const caller = callerOf.get(grant.rights) ?? '';
      const place = `${grant.user}#${grant.orgId}`;
      mints.set(token, { order: mints.size, caller, place, rows: rowsOfRights(grant.rights) });
      told.push(`${clock.now()} ThoughtSpot mints for ${caller} at ${place}: ${rowsOfRights(grant.rights)}`);
      look();
    },
  });
  const guarded: TokenLedger = without.guard ? { ...ledger, holdUser: async () => true } : ledger;

  /** The ports of a process that may die, or freeze for a time, at one of its calls. */
  function processFor(fate: 'well' | 'dies' | 'freezes') {
    let left = fate === 'well' ? Infinity : random.below(12);
    const gate = async () => {
      left -= 1;
      if (left !== 0) return;
      if (fate === 'dies') await new Promise<never>(() => undefined);
      await clock.sleep(random.pick([5_000, 12_000, 40_000, 90_000]));
    };
    const through = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get(target, property, receiver): unknown {
          const member: unknown = Reflect.get(target, property, receiver);
          if (typeof member !== 'function' || String(property).startsWith('unfinishedOf')) return member;
          return async (...args: unknown[]) => {
            await gate();
            const result: unknown = await Reflect.apply(member, target, args);
            await gate();
            return result;
          };
        },
      });
    const ports = { ledger: through(guarded), issuer: through<SessionIssuer>(issuer), clock };
    const world = {
      ...ports,
      randomness: random,
      audit: { record: () => undefined },
      signals: { emit: () => undefined },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      usersOf: (who: Caller) => usersOf(policy, who),
      limits: HIGHEST_LIMITS,
      decide(who: Caller, request: object, now: number) {
        const decision = decide(policy, who, request, { host: 'https://ts.example', now, sha256 });
        if (decision.allowed) callerOf.set(decision.grant.rights, who.subject);
        return decision;
      },
    };
    return { getToken: makeGetToken(world), revoke: makeRevokeTokens(world), sweep: makeSweep(world) };
  }

  function caller(): Caller {
    const subject = random.pick(PEOPLE);
    const claims = {
      sub: subject,
      team: 'team',
      region: random.pick(REGIONS),
      rule: random.below(document.rules.length),
    };
    return { issuer: 'i', subject, claims, issuedAt: 0, expiresAt: Infinity, scopes: [] };
  }

  async function act(): Promise<void> {
    const process = processFor(random.pick(['well', 'well', 'well', 'dies', 'freezes'] as const));
    await clock.sleep(random.below(400));
    const deadline = clock.now() + 20_000;
    const who = caller();
    const kind = random.pick(['get', 'get', 'get', 'get', 'get', 'get', 'mine', 'user', 'all', 'sweep'] as const);
    if (kind === 'sweep') return void (await process.sweep(clock.now() + 50_000));
    if (kind === 'get') {
      const grant = random.maybe(0.5) ? {} : { grant: `grant-${random.below(2)}` };
      const { token } = await process.getToken(who, { ...grant, fresh: random.maybe(0.4) }, deadline);
      told.push(`${clock.now()} ${who.subject} gets a token`);
      releasedTokens.add(token);
      return look();
    }
    const operator = { kind: 'caller', caller: who, mayRevokeOthers: true } as const;
    const names = [random.pick([...PEOPLE, ...SHARED])];
    const selection =
      kind === 'mine' ? ({ kind } as const) : kind === 'user' ? { kind, userNames: names } : ({ kind } as const);
    told.push(`${clock.now()} ${who.subject} revokes ${JSON.stringify(selection)}`);
    await process.revoke(operator, selection, clock.now(), deadline);
  }

  for (let step = 0; step < 8 && problems.length === 0; step += 1) {
    const acts = Array.from({ length: 1 + random.below(3) }, act);
    const late = clock.sleep(random.pick([1_000, 15_000, 15_000, 70_000, 200_000]));
    for (const one of acts) one.catch(() => undefined);
    await clock.drive(late);
  }
  await clock.advance(200_000);
  const [problem] = problems;
  return {
    released: releasedTokens.size,
    ...(problem && { problem: `SEED=${seed}\n${[...told, problem].join('\n')}` }),
  };
}

async function firstProblem(tries: readonly number[], without: Without = {}) {
  let released = 0;
  for (const seed of tries) {
    const result = await run(seed, without);
    released += result.released;
    if (result.problem !== undefined) return { released, problem: result.problem };
  }
  return { released };
}

test('every released token shows the rows of its own grant, or of a later one of the same person', async () => {
  const tries = seeds(800, 100_000);
  const { problem, released } = await firstProblem(tries);
  if (problem !== undefined) throw new Error(problem);
  if (tries.length > 1) expect(released).toBeGreaterThan(tries.length * 2);
}, 7_200_000);

test.each<[string, Without]>([
  ['the guard', { guard: true }],
  ['the faults of the check', { faults: true }],
])('without %s some token does not', async (_, without) => {
  const { problem } = await firstProblem(
    Array.from({ length: 500 }, (__, n) => n + 1),
    without,
  );
  expect(problem).toMatch(/shows .* instead of/);
});
