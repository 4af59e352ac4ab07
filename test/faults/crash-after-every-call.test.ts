import type { IssuedToken } from '../../functions/broker/use-cases.ts';
import { drain, released, sweepOnce, unaccounted } from '../support/accounting.ts';
import { asOperator, EVENT, makeWorld, type Process, type World, type WorldOptions } from '../support/broker-world.ts';
import { crashAt, recordCalls, settled } from '../support/crashing-process.ts';
import {
  makeShutOuts,
  type Scope,
  scopesOf,
  sessionScope,
  type ShutOuts,
  signedIn,
  subjectScope,
  userScope,
} from '../support/shut-out.ts';

interface Scenario {
  readonly name: string;
  readonly options?: WorldOptions;
  readonly arrange?: (world: World) => Promise<unknown>;
  readonly act: (process: Process, world: World) => Promise<unknown>;
  /** A revocation of these of the tokens arranged (from 1): once it has answered, none of them may be served or live on. */
  readonly revokes?: readonly number[];
}

const getToken = (process: Process) => process.getToken('ann');
const mintFor = async ({ process }: World, ...names: string[]) => {
  for (const name of names) await process().getToken(name);
};
/** A mint of ann's is under way, and dies there. */
const abandonMint = async ({ process, issuer, clock }: World) => {
  void process({ issuer: { ...issuer, mint: () => new Promise(() => {}) } }).getToken('ann');
  await clock.advance(10);
};

const MINTS: Scenario[] = [
  { name: 'a first mint', act: getToken },
  { name: 'a token served again', arrange: (world) => mintFor(world, 'ann'), act: getToken },
  {
    name: 'a refresh near the end',
    arrange: async (world) => {
      await mintFor(world, 'ann');
      await world.clock.advance(230_000);
    },
    act: getToken,
  },
  {
    name: 'a mint whose reply is lost',
    arrange: async ({ issuer }) => (issuer.mintFault = () => 'lost'),
    act: getToken,
  },
  {
    name: 'a mint that is refused',
    arrange: async ({ issuer }) => (issuer.mintFault = () => 'refused'),
    act: getToken,
  },
  {
    name: 'a mint for the wrong org',
    arrange: async ({ issuer }) => (issuer.reply = (minted) => ({ ...minted, orgId: 9 })),
    act: getToken,
  },
  {
    name: 'a mint for the wrong org that cannot be revoked',
    arrange: async ({ issuer }) => {
      issuer.reply = (minted) => ({ ...minted, orgId: 9 });
      issuer.revokeFault = () => 'down';
    },
    act: getToken,
  },
  ...(['mine', 'all'] as const).flatMap((kind): Scenario[] =>
    (['ok', 'down', 'lost'] as const).map((upstream) => ({
      name: `a mint overtaken by a revocation of ${kind}, ThoughtSpot ${upstream}`,
      arrange: async ({ issuer, clock, process }) => {
        if (upstream !== 'ok') issuer.revokeFault = () => upstream;
        issuer.mintMs = 1_000;
        void clock.sleep(500).then(() => process().revoke(kind === 'all' ? EVENT : 'ann', { kind }));
      },
      act: getToken,
    })),
  ),
  ...scopesOf('ann').flatMap((scope): Scenario[] =>
    (['sign-out', 'suspension'] as const).map((kind) => ({
      name: `a mint overtaken by a ${kind} of ${scope.name}`,
      arrange: async (world) => {
        const { issuer, clock, process } = world;
        issuer.mintMs = 1_000;
        const shutOuts = makeShutOuts(world);
        const shutOut = kind === 'suspension' ? shutOuts.suspend : shutOuts.signOut;
        void clock.sleep(500).then(() => shutOut(process(), scope));
      },
      act: (process, { clock }) => process.getToken(signedIn('ann', clock.now() - 60_000)),
    })),
  ),
];

const REVOCATION_ACTS: Scenario[] = [
  { name: "a revocation of one's own", act: (process) => process.revoke('ann'), revokes: [1, 4] },
  {
    name: "a revocation of one's own with ThoughtSpot down",
    arrange: async ({ issuer }) => (issuer.revokeFault = () => 'down'),
    act: (process) => process.revoke('ann'),
    revokes: [1, 4],
  },
  {
    name: 'a revocation by user name',
    act: (process) => process.revoke(asOperator(), { kind: 'user', userNames: ['ann'] }),
    revokes: [1, 3, 4],
  },
  { name: 'a revocation of all', act: (process) => process.revoke(EVENT, { kind: 'all' }), revokes: [1, 2, 3, 4] },
  {
    name: 'a revocation by a token that no row of the caller knows',
    act: (process, { issuer }) => process.revoke(asOperator(), { kind: 'token', token: issuer.tokens[0]?.token ?? '' }),
  },
];

const REVOCATIONS = REVOCATION_ACTS.map((scenario) => ({
  ...scenario,
  arrange: async (world: World) => {
    await mintFor(world, 'ann', 'bob', 'ann/phone');
    await world.process().getToken('ann', { grant: 'viewer' });
    await world.clock.advance(2_000);
    await scenario.arrange?.(world);
  },
}));

const SWEEPS: Scenario[] = [
  {
    name: 'a sweep over revoking, reserved and live rows and a cut-off',
    options: { shards: 2 },
    arrange: async (world) => {
      const { process, issuer, clock } = world;
      await mintFor(world, 'bob', 'gus');
      await abandonMint(world);
      issuer.revokeFault = () => 'down';
      await clock.drive(process().revoke('bob'));
      issuer.revokeFault = undefined;
      await clock.advance(30_000);
      await mintFor(world, 'cy');
      await clock.advance(2_000);
      await process().revoke(asOperator(), { kind: 'org', orgId: 1 });
      await clock.advance(1_000);
    },
    act: (process) => process.sweep(),
  },
  {
    name: 'a sweep with ThoughtSpot losing replies',
    options: { shards: 2 },
    arrange: async (world) => {
      await mintFor(world, 'ann', 'bob', 'cy');
      await world.clock.advance(2_000);
      await world.process().revoke(EVENT, { kind: 'all' });
      world.issuer.revokeFault = (token) => (token.includes('bob') ? 'lost' : 'refused');
    },
    act: (process) => process.sweep(),
  },
];

function isIssued(answer: unknown): answer is IssuedToken {
  return typeof answer === 'object' && answer !== null && 'token' in answer;
}

async function arranged({ options, arrange }: Scenario): Promise<World> {
  const world = makeWorld(options);
  await arrange?.(world);
  return world;
}

describe.each([...MINTS, ...REVOCATIONS, ...SWEEPS])('after a crash in $name', (scenario) => {
  test('at any port call, every live token is accounted for and ends, and what was revoked is not served', async () => {
    const recorded = await arranged(scenario);
    const calls = await recordCalls(recorded, (process) => scenario.act(process, recorded));
    expect(calls.length).toBeGreaterThan(1);
    // One more: it does not crash at all.
    for (let at = 0; at <= calls.length; at += 1) {
      const world = await arranged(scenario);
      const outcome = await crashAt(world, at, (process) => scenario.act(process, world));
      const answer = outcome !== 'crashed' && 'answer' in outcome ? outcome.answer : undefined;
      const problems = await unaccounted(world);
      if (isIssued(answer)) problems.push(...(await released(world, answer)));
      const revoked = scenario.revokes?.map((n) => world.issuer.tokens[n - 1]?.token ?? '');
      if (revoked && answer !== undefined) {
        const next = await world.clock.drive(world.process().getToken('ann'));
        if (revoked.includes(next.token)) problems.push('a revoked token was served');
      }
      world.issuer.revokeFault = undefined;
      if (revoked && answer !== undefined) {
        await sweepOnce(world);
        problems.push(...revoked.filter(world.issuer.isLive).map((token) => `${token} outlives its revocation`));
      }
      problems.push(...(await drain(world)));
      expect({ at: `${at} ${calls[at] ?? 'the end'}`, problems }).toEqual({
        at: expect.any(String) as string,
        problems: [],
      });
    }
  });
});

interface Blocking {
  readonly name: string;
  /** `dated`: when the holders had got what they hold. */
  readonly act: (process: Process, shutOuts: ShutOuts, dated: number) => Promise<unknown>;
  readonly arrange?: (world: World, shutOuts: ShutOuts) => Promise<unknown>;
}
const HOLDERS = ['ann', 'ann/phone', 'bob', 'shared/one'];
/** Ann by her ThoughtSpot user, and one of a shared account by the subject. */
const BOTH: Scope = {
  name: 'user ann and subject shared/one',
  selection: { ...subjectScope('shared/one').selection, kind: 'user', userNames: ['ann'] },
  covers: (who) => who.startsWith('ann') || who === 'shared/one',
};
const suspendFirst = (scope: Scope) => async (world: World, shutOuts: ShutOuts) => {
  await world.clock.drive(shutOuts.suspend(world.process(), scope));
};

const BLOCKINGS: Blocking[] = [
  ...scopesOf('ann').flatMap((scope): Blocking[] => [
    { name: `a sign-out of ${scope.name}`, act: (process, on) => on.signOut(process, scope) },
    { name: `a suspension of ${scope.name}`, act: (process, on) => on.suspend(process, scope) },
    {
      name: `an end of the suspension of ${scope.name}`,
      arrange: suspendFirst(scope),
      act: (process, on) => on.reinstate(process, scope),
    },
  ]),
  {
    name: 'a suspension with ThoughtSpot down',
    arrange: async ({ issuer }) => (issuer.revokeFault = () => 'down'),
    act: (process, on) => on.suspend(process, userScope('ann')),
  },
  ...[userScope('ann'), subjectScope('ann'), subjectScope('shared/one'), BOTH].map((scope) => ({
    name: `a user.deprovisioned of ${scope.name}`,
    act: (process: Process, on: ShutOuts, dated: number) => on.deprovision(process, scope, dated),
  })),
  ...[subjectScope('ann'), sessionScope('ann'), sessionScope('shared/one')].map((scope) => ({
    name: `a logout of ${scope.name}`,
    act: (process: Process, on: ShutOuts, dated: number) => on.logOut(process, scope, dated),
  })),
];

describe.each(BLOCKINGS)('after a crash in $name', ({ arrange, act }) => {
  async function held(): Promise<{ readonly world: World; readonly on: ShutOuts; readonly dated: number }> {
    const world = makeWorld({ shards: 2 });
    const { clock, process } = world;
    const on = makeShutOuts(world);
    for (const who of HOLDERS) await on.getToken(process(), who, clock.now());
    await clock.advance(5_000);
    const dated = clock.now();
    await clock.advance(5_000);
    await arrange?.(world, on);
    return { world, on, dated };
  }
  /** Who is refused by the access token that they had. */
  async function shutOut({ clock, process }: World, on: ShutOuts): Promise<readonly string[]> {
    const refused: string[] = [];
    for (const who of HOLDERS)
      if ('failure' in (await settled(clock.drive(on.getToken(process(), who, clock.now() - 60_000)))))
        refused.push(who);
    return refused;
  }

  test('at any port call, whoever is shut out then is shut out for good, and what is asked for again is done', async () => {
    const recorded = await held();
    const calls = await recordCalls(recorded.world, (process) => act(process, recorded.on, recorded.dated));
    expect(calls.length).toBeGreaterThan(1);
    for (let at = 0; at <= calls.length; at += 1) {
      const { world, on, dated } = await held();
      const { clock, process, issuer } = world;
      await crashAt(world, at, (process) => act(process, on, dated));
      const problems = await unaccounted(world);
      const refused = await shutOut(world, on);
      issuer.revokeFault = undefined;
      await sweepOnce(world);
      // On record is as good as accepted: nobody needs to ask again.
      const alive = (await world.rows()).filter((row) => !row.shared && issuer.isLive(world.ledger.tokenOf(row) ?? ''));
      const theirs = alive.filter(({ caller }) => refused.includes(caller.subject.slice('sub-'.length)));
      problems.push(...theirs.map(({ user, generation }) => `${user} ${generation} lives, but its caller is shut out`));
      await clock.drive(act(process(), on, dated));
      await shutOut(world, on);
      await sweepOnce(world);
      problems.push(...on.servedThoughShutOut(), ...(await on.alive()), ...(await drain(world)));
      expect({ at: `${at} ${calls[at] ?? 'the end'}`, problems }).toEqual({
        at: expect.any(String) as string,
        problems: [],
      });
    }
  });
});
