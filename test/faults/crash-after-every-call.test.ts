import type { IssuedToken } from '../../functions/broker/use-cases.ts';
import { drain, released, unaccounted } from '../support/accounting.ts';
import { asOperator, EVENT, makeWorld, type Process, type World, type WorldOptions } from '../support/broker-world.ts';
import { crashAt, recordCalls } from '../support/crashing-process.ts';

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
        await world.clock.advance(30_000);
        await world.clock.drive(world.process().sweep());
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
