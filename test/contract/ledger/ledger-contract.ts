/** What any token ledger promises (broker/ports.ts), as tests that an implementation runs on itself. */
import { randomUUID } from 'node:crypto';
import {
  type Lease,
  type LeaseKey,
  type LeaseState,
  MAY_ENTER_FROM,
  isUnfinished,
} from '../../../functions/broker/lease.ts';
import type { Change, Reservation, TokenLedger } from '../../../functions/broker/ports.ts';
import { MINUTE, PATHS, START, STATES, type Subject, type TestClock, collect, keyOf, reservation } from './fixtures.ts';

export function describeLedger(name: string, start: () => Promise<Subject>): void {
  describe(name, () => {
    let subject: Subject;
    let ledger: TokenLedger;
    let clock: TestClock;
    let deadline: number;

    beforeAll(async () => {
      subject = await start();
      ({ ledger, clock } = subject);
      deadline = clock.now() + 1_000_000_000;
    });
    afterAll(() => subject.close());

    async function inState(state: LeaseState, over: Partial<Reservation> = {}): Promise<LeaseKey> {
      const row = reservation(over);
      await ledger.reserve(row, deadline);
      for (const to of PATHS[state]) {
        const change: Change = {
          to,
          dueAt: START + MINUTE,
          ...(to === 'live' && { token: `token-${row.fingerprint}` }),
        };
        expect(await ledger.transition(row, change, deadline)).toMatchObject({ state: to });
      }
      return keyOf(row);
    }

    async function dueRows(until: number, limit = 100): Promise<Lease[]> {
      const rows: Lease[] = [];
      for (let shard = 0; shard < ledger.shards; shard += 1) {
        let cursor: string | undefined;
        let last = 0;
        do {
          const page = await ledger.due(shard, until, limit, cursor, deadline);
          expect(page.leases.length).toBeLessThanOrEqual(limit);
          for (const lease of page.leases) {
            expect(lease.dueAt).toBeGreaterThanOrEqual(last);
            last = lease.dueAt ?? 0;
          }
          rows.push(...page.leases);
          cursor = page.next;
        } while (cursor !== undefined);
      }
      return rows;
    }

    describe('a reservation', () => {
      it('is a reserved row with all its facts, due at its mint deadline, and without a token', async () => {
        const facts = {
          shared: true,
          orgId: 0,
          kind: 'custom',
          userName: 'Alice',
          entitlements: 'd',
          kept: 3,
        } as const;
        const row = reservation(facts);
        expect(await ledger.reserve(row, deadline)).toBe(true);
        const lease = await ledger.get(keyOf(row), deadline);
        expect(lease).toEqual({
          ...row,
          leaseId: expect.any(String) as string,
          state: 'reserved',
          sealed: false,
          attempts: 0,
          dueAt: row.mintDeadlineAt,
        });
        expect(await ledger.token(keyOf(row), deadline)).toBeUndefined();
      });

      it('has one winner among fifty at once', async () => {
        const row = reservation();
        const ledgers = [ledger, subject.other(), subject.other()];
        const wins = await Promise.all(
          Array.from({ length: 50 }, (_, i) => (ledgers[i % 3] ?? ledger).reserve(row, deadline)),
        );
        expect(wins.filter(Boolean)).toHaveLength(1);
      });

      it.each(STATES)('never replaces a row that is %s', async (state) => {
        const key = await inState(state);
        const before = await ledger.get(key, deadline);
        expect(await ledger.reserve(reservation({ ...key, orgId: 99 }), deadline)).toBe(false);
        expect(await ledger.get(key, deadline)).toEqual(before);
      });
    });

    describe('the newest generations', () => {
      it('come first, by number and not by text, and no more than asked', async () => {
        const { fingerprint } = reservation();
        for (const generation of [9, 10, 100, 2, 1_000_000_000]) {
          await ledger.reserve(reservation({ fingerprint, generation }), deadline);
        }
        const newest = await ledger.newest('alice', fingerprint, 4, deadline);
        expect(newest.map((lease) => lease.generation)).toEqual([1_000_000_000, 100, 10, 9]);
      });

      it('are those of the fingerprint and user alone', async () => {
        const fingerprint = `same-${randomUUID()}`;
        await ledger.reserve(reservation({ fingerprint }), deadline);
        await ledger.reserve(reservation({ fingerprint: `${fingerprint}x`, generation: 2 }), deadline);
        await ledger.reserve(reservation({ fingerprint, user: 'alice2', generation: 3 }), deadline);
        const newest = await ledger.newest('alice', fingerprint, 5, deadline);
        expect(newest.map((lease) => lease.generation)).toEqual([1]);
        expect(await ledger.newest('alice', 'never-seen', 5, deadline)).toEqual([]);
      });
    });

    describe('a transition', () => {
      const cases = STATES.flatMap((from) => STATES.map((to) => ({ from, to })));
      const legal = ({ from, to }: { from: LeaseState; to: LeaseState }) =>
        (MAY_ENTER_FROM[to] as readonly LeaseState[]).includes(from);

      it.each(cases.filter(legal))('$from -> $to happens', async ({ from, to }) => {
        const key = await inState(from);
        expect(await ledger.transition(key, { to, dueAt: null }, deadline)).toMatchObject({ ...key, state: to });
        expect(await ledger.get(key, deadline)).toMatchObject({ state: to });
      });

      it.each(cases.filter((one) => !legal(one)))('$from -> $to is refused', async ({ from, to }) => {
        const key = await inState(from);
        const before = await ledger.get(key, deadline);
        expect(await ledger.transition(key, { to, dueAt: START, attempts: 9 }, deadline)).toBeUndefined();
        expect(await ledger.get(key, deadline)).toEqual(before);
      });

      it('may be narrowed to some states, never widened', async () => {
        const key = await inState('live');
        const narrowed: Change = { to: 'revoking', from: ['reserved'], dueAt: START };
        expect(await ledger.transition(key, narrowed, deadline)).toBeUndefined();
        const widened: Change = { to: 'failed', from: ['live'], dueAt: null };
        expect(await ledger.transition(key, widened, deadline)).toBeUndefined();
        const fits: Change = { to: 'revoking', from: ['live', 'orphaned'], dueAt: START };
        expect(await ledger.transition(key, fits, deadline)).toMatchObject({ state: 'revoking' });
      });

      it('makes no row of a missing one', async () => {
        const key = keyOf(reservation());
        expect(await ledger.transition(key, { to: 'live', dueAt: START, token: 't' }, deadline)).toBeUndefined();
        expect(await ledger.get(key, deadline)).toBeUndefined();
      });

      it('sets what it says and keeps the rest', async () => {
        const row = reservation();
        await ledger.reserve(row, deadline);
        const facts = {
          issuedAt: START + 1,
          expiresAt: START + 2,
          endsAt: START + 3,
          upstreamCreatedAt: START + 4,
          lifetimeSeconds: 300,
          tokenType: 'Bearer',
        };
        const live = await ledger.transition(row, { to: 'live', dueAt: START + 3, token: 'tok', ...facts }, deadline);
        const tokenDigest = await ledger.digest('tok');
        const expected = { ...row, ...facts, state: 'live', sealed: true, tokenDigest, attempts: 0, dueAt: START + 3 };
        expect(live).toEqual({ ...expected, leaseId: live?.leaseId });
        expect(await ledger.get(row, deadline)).toEqual(live);
        const revoking = await ledger.transition(row, { to: 'revoking', dueAt: START + 9, attempts: 2 }, deadline);
        expect(revoking).toEqual({ ...live, state: 'revoking', attempts: 2, dueAt: START + 9 });
      });

      it('lets one of many sweeps claim a row at its due time', async () => {
        const key = await inState('revoking');
        const claim: Change = { to: 'revoking', dueAt: START + 5 * MINUTE, ifDueAt: START + MINUTE };
        const ledgers = [ledger, subject.other()];
        const claims = await Promise.all(
          Array.from({ length: 10 }, (_, i) => (ledgers[i % 2] ?? ledger).transition(key, claim, deadline)),
        );
        expect(claims.filter(Boolean)).toHaveLength(1);
      });

      it('has one winner between live and a revocation that came first', async () => {
        const row = reservation();
        await ledger.reserve(row, deadline);
        await subject.other().transition(row, { to: 'revoking', dueAt: START }, deadline);
        expect(await ledger.transition(row, { to: 'live', dueAt: START, token: 'late' }, deadline)).toBeUndefined();
        expect(await ledger.token(row, deadline)).toBeUndefined();
      });
    });

    describe('a token', () => {
      it('comes back as it was put in, to another sandbox too', async () => {
        const row = reservation();
        await ledger.reserve(row, deadline);
        const token = `ÄÖ-${'x'.repeat(3_000)}`;
        await ledger.transition(row, { to: 'live', dueAt: START, token }, deadline);
        expect(await ledger.token(row, deadline)).toBe(token);
        expect(await subject.other().token(row, deadline)).toBe(token);
      });

      it.each(STATES.filter((state) => !isUnfinished(state)))('is not kept once the row is %s', async (state) => {
        const key = await inState(state === 'failed' ? 'reserved' : 'live');
        await ledger.transition(key, { to: state, dueAt: null }, deadline);
        expect(await ledger.get(key, deadline)).toMatchObject({ state, sealed: false });
        expect(await ledger.token(key, deadline)).toBeUndefined();
      });

      it('of a lease that was read is the one its row held then, though the row has ended since', async () => {
        const key = await inState('live');
        const [lease] = await ledger.newest(key.user, key.fingerprint, 1, deadline);
        await subject.other().transition(key, { to: 'revoked', dueAt: null }, deadline);
        expect(await ledger.token(lease ?? key, deadline)).toEqual(expect.any(String));
        expect(await ledger.token(key, deadline)).toBeUndefined();
        const [ended] = await ledger.newest(key.user, key.fingerprint, 1, deadline);
        expect(await ledger.token(ended ?? key, deadline)).toBeUndefined();
      });

      it('answered for nobody keeps that beside the user asked for', async () => {
        const row = { ...reservation(), userName: 'Asked' };
        await ledger.reserve(row, deadline);
        await ledger.transition(row, { to: 'revoking', dueAt: START, token: 't', answeredUser: '' }, deadline);
        expect(await subject.other().get(keyOf(row), deadline)).toMatchObject({ userName: 'Asked', answeredUser: '' });
      });

      it('has a digest that tells tokens apart and is the same everywhere', async () => {
        expect(await ledger.digest('one')).toBe(await subject.other().digest('one'));
        expect(await ledger.digest('one')).not.toBe(await ledger.digest('two'));
        expect(await ledger.digest('one')).toMatch(/^[\w-]{43}$/);
      });
    });

    it('finds the rows of a token by its digest, ended or not, and no others', async () => {
      const row = reservation();
      await ledger.reserve(row, deadline);
      await ledger.transition(row, { to: 'live', dueAt: START, token: 'to be found' }, deadline);
      const found = async (token: string) => collect(ledger.withDigest(await ledger.digest(token), deadline));
      expect(await found('to be found')).toMatchObject([{ ...keyOf(row), state: 'live' }]);
      await ledger.transition(row, { to: 'revoked', dueAt: null }, deadline);
      expect(await found('to be found')).toMatchObject([{ ...keyOf(row), state: 'revoked' }]);
      expect(await found('unknown')).toEqual([]);
    });

    describe('a leaseId', () => {
      it('leads any sandbox to its row, and says nothing', async () => {
        const key = await inState('live', { user: 'grace.hopper' });
        const lease = await ledger.get(key, deadline);
        const leaseId = lease?.leaseId ?? '';
        expect(await subject.other().byLeaseId(leaseId, deadline)).toEqual(lease);
        for (const form of [leaseId, Buffer.from(leaseId, 'base64url').toString('latin1')]) {
          expect(form).not.toContain('grace');
          expect(form).not.toContain(key.fingerprint.slice(0, 12));
        }
      });

      it.each(['', 'x', 'not ours', 'AAAA', 'A'.repeat(200), '../../etc', 'ä', '\u0000'])(
        'that is not ours (%j) leads nowhere',
        async (leaseId) => {
          expect(await ledger.byLeaseId(leaseId, deadline)).toBeUndefined();
        },
      );

      it('that was altered, or whose row is gone, leads nowhere', async () => {
        const lease = await ledger.get(await inState('live'), deadline);
        const leaseId = lease?.leaseId ?? '';
        for (let i = 0; i < leaseId.length; i += 11) {
          const altered = `${leaseId.slice(0, i)}${leaseId[i] === 'A' ? 'B' : 'A'}${leaseId.slice(i + 1)}`;
          expect(await ledger.byLeaseId(altered, deadline)).toBeUndefined();
        }
        expect(await ledger.byLeaseId(`${leaseId}=`, deadline)).toBeUndefined();
      });
    });

    describe('unfinished leases', () => {
      it('of a user are all that may still be alive, whatever grant and caller', async () => {
        const user = `user-${randomUUID()}`;
        const expected: string[] = [];
        for (const state of STATES) {
          const { fingerprint } = await inState(state, { user, caller: { issuer: 'i', subject: state } });
          if (isUnfinished(state)) expected.push(fingerprint);
        }
        const found = await collect(ledger.unfinishedOfUser(user, deadline));
        expect(found.map((lease) => lease.fingerprint).sort()).toEqual(expected.sort());
      });

      it('of a caller are found over all users, and nobody else sees them', async () => {
        const caller = { issuer: 'https://issuer.example', subject: randomUUID() };
        const expected: string[] = [];
        for (const state of STATES) {
          const { fingerprint } = await inState(state, { user: `user-${state}`, caller });
          if (isUnfinished(state)) expected.push(fingerprint);
        }
        const found = await collect(ledger.unfinishedOfCaller(caller, deadline));
        expect(found.map((lease) => lease.fingerprint).sort()).toEqual(expected.sort());
        const stranger = { issuer: 'https://other.example', subject: caller.subject };
        expect(await collect(ledger.unfinishedOfCaller(stranger, deadline))).toEqual([]);

        const without = (known: readonly LeaseKey[]) => collect(ledger.unfinishedOfCaller(caller, deadline, known));
        expect(await without(found.slice(1))).toEqual(found.slice(0, 1));
        expect(await without(found)).toEqual([]);
        expect(await without(found.map((lease) => ({ ...lease, generation: 7 })))).toHaveLength(found.length);
      });

      it('are all found where there are more than one page', async () => {
        const user = `busy-${randomUUID()}`;
        const caller = { issuer: 'i', subject: user };
        const rule = 'r'.repeat(9_000);
        // One after the other: a busy machine must not run hundreds of writes into the client's time limit.
        for (let generation = 1; generation <= 250; generation += 1) {
          await ledger.reserve(reservation({ user, caller, rule, generation, fingerprint: 'one' }), deadline);
        }
        expect(new Set((await collect(ledger.unfinishedOfUser(user, deadline))).map((l) => l.generation)).size).toBe(
          250,
        );
        expect(
          new Set((await collect(ledger.unfinishedOfCaller(caller, deadline))).map((l) => l.generation)).size,
        ).toBe(250);
      });
    });

    describe('the due index', () => {
      it('gives what is due, oldest first in each shard, each row once, over pages of any size', async () => {
        const user = `due-${randomUUID()}`;
        for (let i = 1; i <= 40; i += 1) {
          // Every third time is shared by several rows: pages must not lose any at the seam.
          const row = reservation({ user, fingerprint: `f${i}`, mintDeadlineAt: 1_000 + 7 * ((i * 31) % 13) });
          await ledger.reserve(row, deadline);
        }
        for (const limit of [1, 3, 100]) {
          const rows = (await dueRows(1_000 + 7 * 6, limit)).filter((lease) => lease.user === user);
          const expected = Array.from({ length: 40 }, (_, i) => i + 1).filter((i) => (i * 31) % 13 <= 6);
          expect(rows.map((lease) => lease.fingerprint).sort()).toEqual(expected.map((i) => `f${i}`).sort());
          expect(rows[0]).toEqual(await ledger.get(rows[0] ?? reservation(), deadline));
        }
      });

      it('spreads the rows of one user over its shards', async () => {
        const user = `spread-${randomUUID()}`;
        for (let i = 1; i <= 64; i += 1) {
          await ledger.reserve(reservation({ user, generation: i, fingerprint: 'one', mintDeadlineAt: 5 }), deadline);
        }
        for (let shard = 0; shard < ledger.shards; shard += 1) {
          const { leases } = await ledger.due(shard, 5, 100, undefined, deadline);
          expect(leases.filter((lease) => lease.user === user).length).toBeGreaterThan(0);
        }
      });

      it.each(STATES)('knows a row that is %s only while it is unfinished', async (state) => {
        const key = await inState(state);
        const found = (await dueRows(Infinity)).filter((lease) => lease.fingerprint === key.fingerprint);
        expect(found).toHaveLength(isUnfinished(state) ? 1 : 0);
      });

      it('lets go of a row whose due time is null, and takes it back', async () => {
        const key = await inState('live');
        const isDue = async () => (await dueRows(Infinity)).some((lease) => lease.fingerprint === key.fingerprint);
        await ledger.transition(key, { to: 'revoking', dueAt: null }, deadline);
        expect(await isDue()).toBe(false);
        await ledger.transition(key, { to: 'revoking', dueAt: START }, deadline);
        expect(await isDue()).toBe(true);
      });

      it('refuses a cursor that is none', async () => {
        await expect(ledger.due(0, START, 10, 'nonsense', deadline)).rejects.toMatchObject({ code: 'invalid-request' });
      });
    });

    describe('a deadline that has passed', () => {
      const row = reservation();
      const calls: Record<string, (past: number) => Promise<unknown>> = {
        newest: (past) => ledger.newest('alice', 'f', 1, past),
        get: (past) => ledger.get(row, past),
        unfinishedOfUser: (past) => collect(ledger.unfinishedOfUser('alice', past)),
        unfinishedOfCaller: (past) => collect(ledger.unfinishedOfCaller(row.caller, past)),
        reserve: (past) => ledger.reserve(row, past),
        transition: (past) => ledger.transition(row, { to: 'live', dueAt: null }, past),
        token: (past) => ledger.token(row, past),
        blocksOn: (past) => ledger.blocksOn({ orgId: 1 }, past),
        recheck: (past) => ledger.recheck(row, { ...row.caller, issuedAt: 0 }, past),
        raiseBlock: (past) => ledger.raiseBlock({ kind: 'org', orgId: 80 }, { before: 9 }, past),
        widestBlocks: (past) => ledger.widestBlocks(past),
        dueBlocks: (past) => ledger.dueBlocks(0, START, 1, undefined, past),
        unfinishedOfSession: (past) => collect(ledger.unfinishedOfSession('i', 's', past)),
        advanceBlock: (past) =>
          ledger.advanceBlock({ scope: { kind: 'all' }, before: 300, pending: true }, 'x', START, past),
        due: (past) => ledger.due(0, START, 1, undefined, past),
      };
      it.each(Object.keys(calls))('ends %s before anything is done', async (name) => {
        await expect(calls[name]?.(clock.now())).rejects.toMatchObject({ code: 'ledger-unavailable' });
        expect(await ledger.get(row, deadline)).toBeUndefined();
        expect(await ledger.blocksOn({ orgId: 80 }, deadline)).toEqual([]);
      });
    });
  });
}
