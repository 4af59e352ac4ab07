/** What any token ledger promises of blocks and cut-offs, as tests that an implementation runs on itself. */
import { randomUUID } from 'node:crypto';
import {
  type Block,
  BLOCK_SHARDS,
  type BlockScope,
  cutOffOf,
  EVER,
  isSuspended,
} from '../../../functions/broker/blocks.ts';
import { SHARED } from '../../../functions/broker/lease.ts';
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { type Subject, START, collect, keyOf, reservation } from './fixtures.ts';

export function describeBlocks(name: string, start: () => Promise<Subject>): void {
  describe(name, () => {
    let subject: Subject;
    let ledger: TokenLedger;
    let deadline: number;

    beforeAll(async () => {
      subject = await start();
      ({ ledger } = subject);
      deadline = subject.clock.now() + 1_000_000_000;
    });
    afterAll(() => subject.close());

    const org = (orgId: number) => ({ kind: 'org', orgId }) as const;
    const cutOffFor = async (orgId: number, of = ledger) => cutOffOf(await of.blocksOn({ orgId }, deadline), true);
    const raise = (scope: BlockScope, before: number, always = false) =>
      ledger.raiseBlock(scope, { before, always }, deadline);
    const pendingOf = async (orgId: number) =>
      (await ledger.widestBlocks(deadline)).find(
        ({ scope, pending }) => pending && scope.kind === 'org' && scope.orgId === orgId,
      );

    describe('cut-offs', () => {
      it('cover their org, and no other', async () => {
        expect(await cutOffFor(70)).toBe(0);
        await raise(org(70), 500);
        expect(await cutOffFor(70, subject.other())).toBe(500);
        expect(await cutOffFor(7)).toBe(0);
      });

      it('are only ever raised, whoever comes last', async () => {
        await Promise.all([300, 900, 600, 900, 1].map((before) => raise(org(71), before)));
        expect(await cutOffFor(71)).toBe(900);
        await raise(org(71), 899);
        expect(await cutOffFor(71)).toBe(900);
      });

      it('are pending until worked off, and remember how far', async () => {
        const cutOff = { scope: org(72), before: 500, pending: true };
        await raise(org(72), 500);
        expect(await pendingOf(72)).toEqual(cutOff);
        await ledger.advanceBlock(cutOff, 'half', EVER, deadline);
        expect(await pendingOf(72)).toMatchObject({ cursor: 'half' });
        await raise(org(72), 500);
        expect(await pendingOf(72)).toMatchObject({ cursor: 'half' });
        await ledger.advanceBlock(cutOff, null, EVER, deadline);
        expect(await pendingOf(72)).toBeUndefined();
        await raise(org(72), 500);
        await ledger.advanceBlock(cutOff, 'late', EVER, deadline);
        expect(await pendingOf(72)).toBeUndefined();
        expect(await cutOffFor(72)).toBe(500);
      });

      it.each<BlockScope>([
        { kind: 'policy', policyVersion: 'v#1' },
        { kind: 'rule', rule: 'all' },
      ])('of what the policy gave, %j, are pending until worked off, and in the way of nobody', async (scope) => {
        const cutOff = { scope, before: 500, pending: true };
        await raise(scope, 500);
        expect(await ledger.widestBlocks(deadline)).toContainEqual(cutOff);
        expect(await ledger.blocksOn({ orgId: 1 }, deadline)).toEqual([]);
        await ledger.advanceBlock(cutOff, null, EVER, deadline);
        expect(await ledger.widestBlocks(deadline)).toContainEqual({ ...cutOff, pending: false });
      });

      it('begin anew when raised, and a sweep of the older one no longer counts', async () => {
        const cutOff = { scope: org(73), before: 500, pending: true };
        await raise(org(73), 500);
        await ledger.advanceBlock(cutOff, 'half', EVER, deadline);
        await raise(org(73), 600);
        expect(await pendingOf(73)).toEqual({ scope: org(73), before: 600, pending: true });
        await ledger.advanceBlock(cutOff, null, EVER, deadline);
        expect(await pendingOf(73)).toMatchObject({ before: 600 });
      });

      it('are raised above the stored one by whoever means what there is now, even all at once', async () => {
        await raise(org(76), 500);
        await ledger.advanceBlock({ scope: org(76), before: 500, pending: true }, null, EVER, deadline);
        await raise(org(76), 300, true);
        expect(await pendingOf(76)).toEqual({ scope: org(76), before: 501, pending: true });
        await Promise.all([1, 2, 3].map(() => raise(org(76), 300, true)));
        expect(await cutOffFor(76)).toBe(504);
        await raise(org(76), 900, true);
        expect(await cutOffFor(76)).toBe(900);
      });
    });

    describe('blocks', () => {
      const issuer = 'https://issuer.example';
      /** Somebody new, and every scope that is about them. */
      function somebody() {
        const id = randomUUID();
        const caller = { issuer, subject: `sub-${id}`, session: `sid-${id}`, issuedAt: START };
        const user = `user-${id}`;
        const scopes = {
          user: { kind: 'user', user },
          'user in org': { kind: 'user', user, orgId: 90 },
          subject: { kind: 'subject', issuer, subject: caller.subject },
          session: { kind: 'session', issuer, session: caller.session },
        } as const satisfies Record<string, BlockScope>;
        return { caller, user, scopes };
      }
      const NAMES = ['user', 'user in org', 'subject', 'session'] as const;
      const listed = async (until = EVER): Promise<Block[]> => {
        const found: Block[] = [];
        for (let shard = 0; shard < BLOCK_SHARDS; shard += 1) {
          let cursor: string | undefined;
          do {
            const page = await ledger.dueBlocks(shard, until, 2, cursor, deadline);
            found.push(...page.blocks);
            cursor = page.next;
          } while (cursor !== undefined);
        }
        return found;
      };
      const isListed = async (scope: BlockScope, until = EVER) =>
        (await listed(until)).some((block) => JSON.stringify(block.scope) === JSON.stringify(scope));

      it.each(NAMES)(
        'on a %s are found by whomever they are about, in every read, and by nobody else',
        async (kind) => {
          const { caller, user, scopes } = somebody();
          const scope = scopes[kind];
          const { was, block } = await ledger.raiseBlock(scope, { signedOut: START, before: 1, dueAt: 7 }, deadline);
          expect([was, block]).toEqual([
            { scope, before: 0, pending: false },
            { scope, before: 1, signedOut: START, pending: true },
          ]);
          const row = { ...reservation({ user, caller }), orgId: 90 };
          const other = subject.other();
          expect(await other.blocksOn({ caller, user, orgId: 90 }, deadline)).toEqual([block]);
          expect((await other.standing({ caller, user, orgId: 90 }, deadline)).blocks).toEqual([block]);
          expect(await other.recheck(row, caller, deadline)).toEqual({ lease: undefined, blocks: [block] });
          await ledger.reserve(row, deadline);
          expect(await other.recheck(row, caller, deadline)).toMatchObject({ lease: keyOf(row), blocks: [block] });
          const stranger = somebody();
          expect(await other.blocksOn({ ...stranger, orgId: 90 }, deadline)).toEqual([]);
          const elsewhere = await other.blocksOn({ caller, user, orgId: 91 }, deadline);
          expect(elsewhere).toEqual(kind === 'user in org' ? [] : [block]);
          expect(await ledger.widestBlocks(deadline)).not.toContainEqual(block);
        },
      );

      it('of two issuers that use one name are two', async () => {
        const { caller, scopes } = somebody();
        await ledger.raiseBlock({ ...scopes.subject, issuer: 'https://other.example' }, { suspendedAt: 5 }, deadline);
        await ledger.raiseBlock({ ...scopes.session, issuer: 'https://other.example' }, { suspendedAt: 5 }, deadline);
        expect(await ledger.blocksOn({ caller, orgId: 92 }, deadline)).toEqual([]);
      });

      it('hold a sign-out, a suspension and its end beside each other, each only raised', async () => {
        const { scopes } = somebody();
        const scope = scopes.user;
        const change = async (raising: Parameters<TokenLedger['raiseBlock']>[1]) =>
          (await ledger.raiseBlock(scope, raising, deadline)).block;
        expect(await change({ suspendedAt: 100, before: 100 })).toMatchObject({ suspendedAt: 100, before: 100 });
        expect(await change({ signedOut: 90 })).toMatchObject({ signedOut: 90, suspendedAt: 100 });
        expect(isSuspended(await change({ signedOut: 80, before: 900 }))).toBe(true);
        expect(await change({ reinstatedAt: 50, always: true })).toMatchObject({ suspendedAt: 100, reinstatedAt: 100 });
        // Delivered again, and another one that is as old: both are ignored, their cut-offs too.
        for (const suspendedAt of [100, 60]) {
          const after = await change({ suspendedAt, before: 900 });
          expect([isSuspended(after), after.before]).toEqual([false, 100]);
        }
        expect(isSuspended(await change({ suspendedAt: 101 }))).toBe(true);
        await change({ reinstatedAt: 500, always: true });
        expect(await change({ suspendedAt: 400, always: true })).toMatchObject({ suspendedAt: 501, reinstatedAt: 500 });
      });

      it('that many change at once lose no change', async () => {
        const { scopes } = somebody();
        const { session } = scopes;
        await Promise.all([
          ...[5, 9, 7].map((signedOut) => ledger.raiseBlock(session, { signedOut }, deadline)),
          subject.other().raiseBlock(session, { suspendedAt: 3 }, deadline),
          subject.other().raiseBlock(session, { reinstatedAt: 2 }, deadline),
        ]);
        const { block } = await ledger.raiseBlock(session, {}, deadline);
        expect(block).toMatchObject({ signedOut: 9, suspendedAt: 3, reinstatedAt: 2 });
      });

      it('are due while their cut-off is pending, and listed whether or not', async () => {
        const { scopes } = somebody();
        const scope = scopes.subject;
        const { block } = await ledger.raiseBlock(scope, { signedOut: 5, before: 300, dueAt: 1_000 }, deadline);
        expect([await isListed(scope, 999), await isListed(scope, 1_000)]).toEqual([false, true]);
        await ledger.advanceBlock(block, 'half', 2_000, deadline);
        expect([await isListed(scope, 1_999), await isListed(scope, 2_000)]).toEqual([false, true]);
        expect((await listed(2_000)).find(({ before, cursor }) => before === 300 && cursor === 'half')).toBeDefined();
        // Neither an end of a suspension nor what is seen again disturbs the work.
        await ledger.raiseBlock(scope, { reinstatedAt: 9 }, deadline);
        await ledger.raiseBlock(scope, { before: 300, dueAt: 1 }, deadline);
        expect([await isListed(scope, 1_999), await isListed(scope, 2_000)]).toEqual([false, true]);
        await ledger.advanceBlock(block, null, EVER, deadline);
        expect([await isListed(scope, 9e12), await isListed(scope)]).toEqual([false, true]);
        await ledger.raiseBlock(scope, { before: 301, dueAt: 3_000 }, deadline);
        await ledger.advanceBlock(block, null, EVER, deadline);
        expect(await isListed(scope, 3_000)).toBe(true);
      });

      it('on a session lead to its unfinished leases, whoever holds them', async () => {
        const { caller, user } = somebody();
        const { session } = caller;
        const row = { ...reservation({ user, caller: { issuer, subject: caller.subject } }), session };
        const ended = { ...reservation({ user, caller: { issuer, subject: caller.subject } }), session };
        await ledger.reserve(row, deadline);
        await ledger.reserve(ended, deadline);
        await ledger.reserve({ ...reservation({ user }), session: 'another' }, deadline);
        await ledger.transition(ended, { to: 'failed', dueAt: null }, deadline);
        const found = await collect(subject.other().unfinishedOfSession(issuer, session, deadline));
        expect(found.map(keyOf)).toEqual([keyOf(row)]);
        expect(await collect(ledger.unfinishedOfSession('https://other.example', session, deadline))).toEqual([]);
      });
    });

    it('on one caller lead to the unfinished shared leases, whoever has minted them, at whatever issuer', async () => {
      const row = { ...reservation({ shared: true }), session: 'of the minter' };
      const other = reservation({ shared: true, caller: { issuer: 'https://other.example', subject: 'x' } });
      const ended = reservation({ shared: true });
      for (const each of [row, other, ended, reservation()]) await ledger.reserve(each, deadline);
      await ledger.transition(ended, { to: 'failed', dueAt: null }, deadline);
      const found = (await collect(subject.other().unfinishedOfSession(SHARED.issuer, SHARED.session, deadline))).map(
        keyOf,
      );
      expect(found).toEqual(expect.arrayContaining([keyOf(row), keyOf(other)]));
      expect(found).not.toContainEqual(keyOf(ended));
      expect(await collect(ledger.unfinishedOfSession(row.caller.issuer, row.session, deadline))).toEqual([]);
    });

    // Last: it is on everybody from here on.
    it('a cut-off for all covers every org, and the higher one counts', async () => {
      await raise(org(74), 400);
      await raise({ kind: 'all' }, 300);
      expect(await cutOffFor(74)).toBe(400);
      expect(await cutOffFor(75)).toBe(300);
      const all = { scope: { kind: 'all' }, before: 300, pending: true };
      expect(await ledger.widestBlocks(deadline)).toContainEqual(all);
    });
  });
}
