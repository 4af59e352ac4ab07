/** Who is shut out, and who is not: sign-outs and suspensions of every scope, over the use cases. */
import type { BlockScope } from '../../../functions/broker/blocks.ts';
import type { Caller } from '../../../functions/broker/ports.ts';
import type { Revoker, WhoSelection } from '../../../functions/broker/use-cases.ts';
import { asOperator, caller, EVENT, makeWorld, type World } from '../../support/broker-world.ts';

const ISSUER = 'https://issuer.example';
const SECOND = 1_000;
/** A caller with an access token of that time; `iat` has whole seconds. */
const signedIn = (name: string, at: number, session?: string): Caller => ({
  ...caller(name),
  issuedAt: Math.floor(at / SECOND) * SECOND,
  ...(session !== undefined && { session }),
});
const subject = (name: string): WhoSelection => ({
  kind: 'user',
  userNames: [],
  subjects: [{ issuer: ISSUER, subject: `sub-${name}` }],
});
const user = (name: string, orgId?: number): WhoSelection => ({
  kind: 'user',
  userNames: [name],
  ...(orgId !== undefined && { orgId }),
});
const LOGOUT: Revoker = { kind: 'event', source: 'logout', name: 'provider' };
const DEPROVISIONED: Revoker = { kind: 'event', source: 'deprovisioned', name: 'user.deprovisioned' };
const refused = (world: World, who: Caller) =>
  world
    .process()
    .getToken(who)
    .then(
      ({ token }) => token,
      (error: { readonly code: string }) => error.code,
    );

/** Ann is in org 1 and gus in org 2, both in a session. */
const SCOPES: readonly (readonly [string, WhoSelection, annIsMeant: boolean])[] = [
  ['all', { kind: 'all' }, true],
  ['her org', { kind: 'org', orgId: 1 }, true],
  ['another org', { kind: 'org', orgId: 2 }, false],
  ['her user', user('ANN'), true],
  ['another user', user('gus'), false],
  ['her user in her org', user('ann', 1), true],
  ['her user in another org', user('ann', 2), false],
  ['her subject', subject('ann'), true],
  ['another subject', subject('gus'), false],
  ['her session', { kind: 'session', issuer: ISSUER, session: 'sid-ann' }, true],
  ['another session', { kind: 'session', issuer: ISSUER, session: 'sid-gus' }, false],
  ['her session at another issuer', { kind: 'session', issuer: 'https://other.example', session: 'sid-ann' }, false],
];

describe.each(SCOPES)('a block on %s', (_name, selection, meant) => {
  test(`as a sign-out ${meant ? 'ends her token and refuses the sign-in that she had, not a new one' : 'is not hers'}`, async () => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const old = signedIn('ann', clock.now(), 'sid-ann');
    const { token } = await process().getToken(old);
    await clock.advance(10_400);
    const moment = clock.now();
    await process().shutOut(selection, { kind: 'sign-out' });
    await clock.drive(process().sweep());
    expect(issuer.isLive(token)).toBe(!meant);
    if (!meant) return expect(await refused(world, old)).toBe(token);
    const error: unknown = await process()
      .getToken(old)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'sign-in-again' });
    const { retryAfterMs } = error as { readonly retryAfterMs: number };
    // A token that the issuer gives out when the wait is over counts; one of the second before does not.
    const passesAt = clock.now() + retryAfterMs;
    expect(passesAt).toBe(Math.floor((moment + 5_000) / SECOND) * SECOND + SECOND);
    clock.set(passesAt);
    expect(await refused(world, signedIn('ann', passesAt - 1, 'sid-ann'))).toBe('sign-in-again');
    expect(await refused(world, signedIn('ann', passesAt, 'sid-ann'))).toMatch(/^token/);
  });

  test(`as a suspension ${meant ? 'refuses every sign-in until it is lifted' : 'is not hers'}`, async () => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const old = signedIn('ann', clock.now(), 'sid-ann');
    const { token } = await process().getToken(old);
    await clock.advance(10_000);
    await process().shutOut(selection, { kind: 'suspend' });
    await clock.drive(process().sweep());
    expect(issuer.isLive(token)).toBe(!meant);
    await clock.advance(3_600_000);
    const fresh = signedIn('ann', clock.now() + 100 * SECOND, 'sid-ann');
    if (!meant) return expect(await refused(world, fresh)).toMatch(/^token/);
    expect([await refused(world, old), await refused(world, fresh)]).toEqual(['suspended', 'suspended']);
    await expect(process().sessionInfo(fresh)).rejects.toMatchObject({ code: expect.any(String) as string });
    expect(await process().reinstate(selection)).toEqual({ reinstated: 1 });
    expect(await refused(world, old)).toMatch(/^token/);
    expect(await process().reinstate(selection)).toEqual({ reinstated: 0 });
  });
});

describe('a sign-out', () => {
  test('by the clock of the issuer has no allowance: a sign-in of the next second counts at once', async () => {
    const world = makeWorld();
    const { clock, process } = world;
    await process().shutOut(subject('ann'), { kind: 'sign-out', issuedUpTo: clock.now() }, LOGOUT);
    expect(await refused(world, signedIn('ann', clock.now()))).toBe('sign-in-again');
    expect(await refused(world, signedIn('ann', clock.now() + SECOND))).toMatch(/^token/);
  });

  test('that is replayed ends nothing that a new sign-in has got', async () => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const logout = { kind: 'sign-out', issuedUpTo: clock.now() } as const;
    await process().shutOut(subject('ann'), logout, LOGOUT);
    await clock.advance(20_000);
    const { token } = await process().getToken(signedIn('ann', clock.now()));
    await clock.advance(20_000);
    expect(await process().shutOut(subject('ann'), logout, LOGOUT)).toMatchObject({ revoked: 0, pending: null });
    expect([issuer.isLive(token), await refused(world, signedIn('ann', clock.now()))]).toEqual([true, token]);
  });

  test('of one session leaves the other session of the same person, and its token', async () => {
    const world = makeWorld({ grant: ({ session = '' }) => ({ fingerprint: `ann-${session}` }) });
    const { clock, process, issuer } = world;
    const [desk, phone] = ['desk', 'phone'].map((session) => signedIn('ann', clock.now(), session)) as [Caller, Caller];
    const tokens = [(await process().getToken(desk)).token, (await process().getToken(phone)).token];
    await clock.advance(1_000);
    await process().shutOut({ kind: 'session', issuer: ISSUER, session: 'desk' }, { kind: 'sign-out' });
    expect(tokens.map(issuer.isLive)).toEqual([false, true]);
    expect([await refused(world, desk), await refused(world, phone)]).toEqual(['sign-in-again', tokens[1]]);
  });

  test('wins over a mint that is under way', async () => {
    const world = makeWorld();
    const { clock, process, issuer, ledger } = world;
    const ann = signedIn('ann', clock.now());
    issuer.mintMs = 2_000;
    const minting = process()
      .getToken(ann)
      .catch((error: unknown) => error);
    await clock.advance(500);
    // The index does not show the row yet: only the block can stop it.
    const hidden = { ...ledger, unfinishedOfCaller: async function* () {} };
    await process({ ledger: hidden }).shutOut(subject('ann'), { kind: 'sign-out' });
    expect(await clock.drive(minting)).toMatchObject({ code: 'sign-in-again' });
    expect(issuer.live()).toEqual([]);
  });
});

describe('a lease that the index of callers hides', () => {
  test('is not served to a new sign-in, and ended by a later pass', async () => {
    const world = makeWorld();
    const { clock, process, issuer, ledger, signals } = world;
    const { token } = await process().getToken(signedIn('ann', clock.now()));
    await clock.advance(1_000);
    const hidden = { ...ledger, unfinishedOfCaller: async function* () {} };
    await process({ ledger: hidden }).shutOut(subject('ann'), { kind: 'sign-out' });
    await clock.advance(10_000);
    const next = await refused(world, signedIn('ann', clock.now()));
    expect([next === token, issuer.isLive(token)]).toEqual([false, true]);
    await clock.advance(60_000);
    await clock.drive(process({ ledger: hidden }).sweep());
    expect(issuer.isLive(token)).toBe(true);
    await clock.advance(120_000);
    await clock.drive(process().sweep());
    expect([issuer.isLive(token), issuer.isLive(next)]).toEqual([false, true]);
    expect(signals.get('index-lag')).toBeGreaterThan(0);
    expect(ledger.pendingBlocks()).toHaveLength(1);
    await clock.advance(2 * 86_400_000);
    // A pass at each sweep, at twice the time of the one before.
    for (let pass = 0; pass < 12; pass += 1) await clock.drive(process().sweep());
    expect(ledger.pendingBlocks()).toEqual([]);
  });
});

describe('a shared lease', () => {
  test.each([
    [false, { revoked: 0, pending: null, sharedLeft: 1 }],
    [true, { revoked: 1, pending: null }],
  ])('of a caller who is shut out is for the others (ended all the same: %p)', async (endShared, tally) => {
    const world = makeWorld();
    const { clock, process } = world;
    const [one, two] = [signedIn('shared/one', clock.now()), signedIn('shared/two', clock.now())];
    const { token } = await process().getToken(one);
    await clock.advance(1_000);
    const how = { kind: 'suspend', endShared } as const;
    expect(await process().shutOut(subject('shared/one'), how)).toEqual(tally);
    const next = await refused(world, two);
    expect([await refused(world, one), next === token]).toEqual(['suspended', !endShared]);
    expect(next).toMatch(/^token/);
  });
});

describe('a shared lease that the subject has only used, not minted', () => {
  test.each<[string, Revoker, boolean]>([
    ['a suspension by an operator', asOperator(), false],
    ['a suspension by an operator, which ends shared leases', asOperator(), true],
    ['an event', DEPROVISIONED, false],
  ])('is counted by %s, whoever minted it', async (_name, who, endShared) => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const [one, two] = [signedIn('shared/one', clock.now()), signedIn('shared/two', clock.now())];
    const { token } = await process().getToken(one);
    await clock.advance(1_000);
    expect((await process().getToken(two)).token).toBe(token);
    // No lease is found under the subject itself.
    const left = endShared ? { revoked: 1 } : { revoked: 0, sharedLeft: 1 };
    const how = { kind: 'suspend', endShared } as const;
    expect(await process().shutOut(subject('shared/two'), how, who)).toEqual({ pending: null, unmatched: 1, ...left });
    expect([issuer.isLive(token), await refused(world, two)]).toEqual([!endShared, 'suspended']);
    expect(await refused(world, one)).toMatch(/^token/);
  });

  test('that the index hides is ended by a later pass, where shared leases are meant', async () => {
    const world = makeWorld();
    const { clock, process, issuer, ledger } = world;
    const { token } = await process().getToken(signedIn('shared/one', clock.now()));
    await clock.advance(1_000);
    const hidden = { ...ledger, unfinishedOfSession: async function* () {} };
    const how = { kind: 'suspend', endShared: true } as const;
    await process({ ledger: hidden }).shutOut(subject('shared/two'), how);
    expect(issuer.isLive(token)).toBe(true);
    await clock.advance(130_000);
    await clock.drive(process().sweep());
    expect(issuer.isLive(token)).toBe(false);
  });

  test('is neither looked for nor counted at a logout, of which nobody hears the answer', async () => {
    const world = makeWorld();
    const { clock, process, ledger } = world;
    await process().getToken(signedIn('shared/one', clock.now()));
    const calls: string[] = [];
    ledger.beforeCall = (call) => void calls.push(call);
    const how = { kind: 'sign-out', issuedUpTo: clock.now() } as const;
    expect(await process().shutOut(subject('shared/two'), how, LOGOUT)).toEqual({ revoked: 0, pending: null });
    expect(calls).not.toContain('unfinishedOfSession');
  });
});

describe('a suspension', () => {
  test('dated at or before the last reinstatement is ignored, and ends nothing', async () => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const dated = clock.now();
    await process().shutOut(user('ann'), { kind: 'suspend' }, DEPROVISIONED, dated);
    await process().reinstate(user('ann'));
    const { token } = await process().getToken('ann');
    for (const asOf of [dated, clock.now()])
      expect(await process().shutOut(user('ann'), { kind: 'suspend' }, DEPROVISIONED, asOf)).toEqual({
        revoked: 0,
        pending: 0,
        ignored: 1,
      });
    expect([issuer.isLive(token), await refused(world, caller('ann'))]).toEqual([true, token]);
    await process().shutOut(user('ann'), { kind: 'suspend' }, DEPROVISIONED, clock.now() + 1);
    expect(await refused(world, caller('ann'))).toBe('suspended');
  });

  test('by an event of a clock that is ahead is lifted all the same, and ignored when it comes again', async () => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const dated = clock.now() + 200_000;
    const left = () => process().shutOut(user('ann'), { kind: 'suspend' }, DEPROVISIONED, dated);
    const { token } = await process().getToken('ann');
    await clock.advance(2_000);
    expect(await left()).toEqual({ revoked: 1, pending: 0 });
    expect([issuer.isLive(token), await refused(world, caller('ann'))]).toEqual([false, 'suspended']);
    await clock.advance(10_000);
    expect(await process().reinstate(user('ann'))).toEqual({ reinstated: 1 });
    const next = await process().getToken('ann');
    expect(next.lease.reservedAt).toBe(clock.now());
    await clock.advance(1_000);
    for (const wait of [1_000, 250_000]) {
      expect(await left()).toEqual({ revoked: 0, pending: 0, ignored: 1 });
      expect(issuer.isLive(next.token)).toBe(true);
      await clock.advance(wait);
    }
  });

  test('events out of order, and twice, leave the latest in force', async () => {
    const world = makeWorld();
    const { clock, process } = world;
    const [early, late] = [clock.now(), clock.now() + 20_000];
    const left = (dated: number) => process().shutOut(user('ann'), { kind: 'suspend' }, DEPROVISIONED, dated);
    await clock.advance(30_000);
    for (const dated of [late, early, late]) await left(dated);
    expect(await refused(world, caller('ann'))).toBe('suspended');
    expect([await process().reinstate(user('ann')), await process().reinstate(user('ann'))]).toEqual([
      { reinstated: 1 },
      { reinstated: 0 },
    ]);
    for (const dated of [early, late]) expect(await left(dated)).toMatchObject({ ignored: 1 });
    expect(await refused(world, caller('ann'))).toMatch(/^token/);
    await process().shutOut({ kind: 'org', orgId: 1 }, { kind: 'suspend' });
    expect(await process().reinstate(user('ann'))).toEqual({ reinstated: 0 });
    expect(await refused(world, caller('ann'))).toBe('suspended');
    expect(await process().reinstate({ kind: 'org', orgId: 1 })).toEqual({ reinstated: 1 });
    expect(await refused(world, caller('ann'))).toMatch(/^token/);
  });

  test('by a person holds, and is lifted by one, whatever the clocks of the others said', async () => {
    const world = makeWorld();
    const { clock, process } = world;
    const behind = { now: () => clock.now() - 30_000, sleep: (ms: number) => clock.sleep(ms) };
    await process().reinstate(user('ann'));
    const deadline = clock.now() + 20_000;
    const how = { kind: 'suspend' } as const;
    await process({ clock: behind }).shutOut(user('ann'), how, asOperator(), behind.now(), deadline);
    expect(await refused(world, caller('ann'))).toBe('suspended');
    await process({ clock: behind }).reinstate(user('ann'), deadline);
    expect(await refused(world, caller('ann'))).toMatch(/^token/);
  });

  test('says in the answer, a metric and a warning which names matched nothing', async () => {
    const warned: string[] = [];
    const log = { info() {}, error() {}, warn: (message: string) => void warned.push(message) };
    const { process, signals } = makeWorld({ log });
    await process().getToken('ann');
    const who = { kind: 'user', userNames: ['ann', 'anm'], subjects: [{ issuer: ISSUER, subject: 'nobody' }] } as const;
    expect(await process().shutOut(who, { kind: 'suspend' }, DEPROVISIONED)).toEqual({
      revoked: 1,
      pending: null,
      unmatched: 2,
    });
    expect([signals.get('unmatched-name'), warned.length]).toEqual([2, 1]);
  });

  test('shuts out operators with an access token too, but an operator can always lift one of all', async () => {
    const { process } = makeWorld();
    await process().shutOut({ kind: 'all' }, { kind: 'suspend' });
    expect(await process().reinstate({ kind: 'all' })).toEqual({ reinstated: 1 });
    await process().shutOut(subject('ops'), { kind: 'suspend' });
    await expect(process().revoke(asOperator(), { kind: 'org', orgId: 1 })).rejects.toMatchObject({
      code: 'suspended',
    });
  });
});

describe('what is minted while a block is being written, for whom it shuts out, ends too', () => {
  /** The request of an operator has come, and the table answers two seconds later. */
  const slowly = ({ process, clock, ledger }: World) => {
    const raiseBlock: typeof ledger.raiseBlock = async (...args) => {
      await clock.sleep(2_000);
      return ledger.raiseBlock(...args);
    };
    return process({ ledger: { ...ledger, raiseBlock } });
  };

  test.each<[string, WhoSelection, 'sign-out' | 'suspend', Revoker]>([
    ['a sign-out of all', { kind: 'all' }, 'sign-out', asOperator()],
    ['a suspension of an org', { kind: 'org', orgId: 1 }, 'suspend', asOperator()],
    ['a logout', subject('ann'), 'sign-out', LOGOUT],
  ])('by %s', async (_name, selection, kind, who) => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    await clock.advance(300);
    const ann = signedIn('ann', clock.now() - 60_000);
    const how = who === LOGOUT ? { kind, issuedUpTo: clock.now() } : { kind };
    const asked = slowly(world).shutOut(selection, how, who);
    await clock.advance(1_500);
    const { token } = await process().getToken(ann);
    await clock.drive(asked);
    expect(await refused(world, ann)).toBe(kind === 'suspend' ? 'suspended' : 'sign-in-again');
    await clock.advance(60_000);
    await clock.drive(process().sweep());
    expect(issuer.isLive(token)).toBe(false);
  });

  test('by an event that comes late: the suspension ends what was minted since, and the event once more nothing', async () => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const dated = clock.now();
    await clock.advance(60_000);
    const { token } = await process().getToken('ann');
    const tally = { revoked: 1, pending: 0 };
    expect(await process().shutOut(user('ann'), { kind: 'suspend' }, DEPROVISIONED, dated)).toEqual(tally);
    expect(issuer.isLive(token)).toBe(false);
    await process().reinstate(user('ann'));
    const next = await process().getToken('ann');
    await process().shutOut(user('ann'), { kind: 'suspend' }, DEPROVISIONED, dated);
    expect(issuer.isLive(next.token)).toBe(true);
  });
});

describe('whoever only revokes', () => {
  test.each<[string, (world: World) => Promise<unknown>]>([
    ['a caller', (world) => world.process().revoke('ann')],
    ['a schedule', (world) => world.process().revoke(EVENT, { kind: 'all' })],
    ['a schedule for one user', (world) => world.process().revoke(EVENT, user('ann'))],
    ['an operator who keeps the sign-in', (world) => world.process().revoke(asOperator(), subject('ann'))],
  ])('%s ends what lives and shuts nobody out', async (_name, revoke) => {
    const world = makeWorld();
    const { clock, process, issuer } = world;
    const ann = signedIn('ann', clock.now());
    const { token } = await process().getToken(ann);
    await clock.advance(2_000);
    await revoke(world);
    await clock.drive(process().sweep());
    expect(issuer.isLive(token)).toBe(false);
    expect(await refused(world, ann)).toMatch(/^token/);
  });
});

describe('the list of blocks', () => {
  test('shows what is in force and until when, page by page, and nothing else', async () => {
    const { clock, process } = makeWorld();
    await process().shutOut({ kind: 'org', orgId: 7 }, { kind: 'suspend' });
    await process().shutOut(user('ann'), { kind: 'suspend' });
    await process().shutOut(subject('bob'), { kind: 'sign-out' });
    await process().shutOut(user('cy'), { kind: 'suspend' });
    await process().reinstate(user('cy'));
    await process().revoke(EVENT, { kind: 'all' });
    const list = async () => {
      const found = [];
      for (let cursor: string | undefined = undefined, more = true; more;) {
        const { blocks, next } = await process().listBlocks(cursor, Infinity);
        found.push(...blocks);
        [cursor, more] = [next, next !== undefined];
      }
      return found;
    };
    const issuedUpTo = clock.now() + 5_000;
    const scope: BlockScope = { kind: 'subject', issuer: ISSUER, subject: 'sub-bob' };
    const all = [
      { scope: { kind: 'org', orgId: 7 }, suspendedSince: clock.now() },
      { scope: { kind: 'user', user: 'ann' }, suspendedSince: clock.now() },
      { scope, signedOut: { issuedUpTo, until: issuedUpTo + 86_400_000 } },
    ];
    const found = await list();
    expect(found).toHaveLength(3);
    expect(found).toEqual(expect.arrayContaining(all));
    clock.set(issuedUpTo + 86_400_000);
    expect(await list()).toHaveLength(2);
    await expect(process().listBlocks('nonsense', Infinity)).rejects.toMatchObject({ code: 'invalid-request' });
  });
});
