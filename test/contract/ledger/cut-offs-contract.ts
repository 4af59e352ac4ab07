/** What any token ledger promises of cut-offs, as tests that an implementation runs on itself. */
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { type Subject, reservation } from './fixtures.ts';

export function describeCutOffs(name: string, start: () => Promise<Subject>): void {
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

    describe('cut-offs', () => {
      const org = (orgId: number) => ({ kind: 'org', orgId }) as const;
      const pendingOf = async (orgId: number) =>
        (await ledger.pendingCutOffs(deadline)).find((one) => one.scope.kind === 'org' && one.scope.orgId === orgId);

      it('cover their org, and no other', async () => {
        expect(await ledger.cutOffFor(70, deadline)).toBe(0);
        await ledger.raiseCutOff(org(70), 500, deadline);
        expect(await subject.other().cutOffFor(70, deadline)).toBe(500);
        expect(await ledger.cutOffFor(7, deadline)).toBe(0);
      });

      it('are read together with one row of their org', async () => {
        const row = { ...reservation(), orgId: 79 };
        await ledger.raiseCutOff(org(79), 700, deadline);
        const nothing = await ledger.recheck(row, deadline);
        expect([nothing.lease, nothing.cutOff]).toEqual([undefined, 700]);
        await ledger.reserve(row, deadline);
        const { lease, cutOff } = await subject.other().recheck(row, deadline);
        expect([lease?.state, cutOff]).toEqual(['reserved', 700]);
      });

      it('are only ever raised, whoever comes last', async () => {
        await Promise.all([300, 900, 600, 900, 1].map((before) => ledger.raiseCutOff(org(71), before, deadline)));
        expect(await ledger.cutOffFor(71, deadline)).toBe(900);
        await ledger.raiseCutOff(org(71), 899, deadline);
        expect(await ledger.cutOffFor(71, deadline)).toBe(900);
      });

      it('are pending until worked off, and remember how far', async () => {
        await ledger.raiseCutOff(org(72), 500, deadline);
        const cutOff = await pendingOf(72);
        expect(cutOff).toEqual({ scope: org(72), before: 500, pending: true });
        await ledger.advanceCutOff({ scope: org(72), before: 500, pending: true }, 'half', deadline);
        expect(await pendingOf(72)).toMatchObject({ cursor: 'half' });
        await ledger.raiseCutOff(org(72), 500, deadline);
        expect(await pendingOf(72)).toMatchObject({ cursor: 'half' });
        await ledger.advanceCutOff({ scope: org(72), before: 500, pending: true }, null, deadline);
        expect(await pendingOf(72)).toBeUndefined();
        await ledger.raiseCutOff(org(72), 500, deadline);
        await ledger.advanceCutOff({ scope: org(72), before: 500, pending: true }, 'late', deadline);
        expect(await pendingOf(72)).toBeUndefined();
        expect(await ledger.cutOffFor(72, deadline)).toBe(500);
      });

      it('begin anew when raised, and a sweep of the older one no longer counts', async () => {
        await ledger.raiseCutOff(org(73), 500, deadline);
        await ledger.advanceCutOff({ scope: org(73), before: 500, pending: true }, 'half', deadline);
        await ledger.raiseCutOff(org(73), 600, deadline);
        expect(await pendingOf(73)).toEqual({ scope: org(73), before: 600, pending: true });
        await ledger.advanceCutOff({ scope: org(73), before: 500, pending: true }, null, deadline);
        expect(await pendingOf(73)).toMatchObject({ before: 600 });
      });

      it('are raised above the stored one by whoever means what there is now, even all at once', async () => {
        await ledger.raiseCutOff(org(76), 500, deadline);
        await ledger.advanceCutOff({ scope: org(76), before: 500, pending: true }, null, deadline);
        await ledger.raiseCutOff(org(76), 300, deadline, true);
        expect(await pendingOf(76)).toEqual({ scope: org(76), before: 501, pending: true });
        await Promise.all([1, 2, 3].map(() => ledger.raiseCutOff(org(76), 300, deadline, true)));
        expect(await ledger.cutOffFor(76, deadline)).toBe(504);
        await ledger.raiseCutOff(org(76), 900, deadline, true);
        expect(await ledger.cutOffFor(76, deadline)).toBe(900);
      });

      it('for all cover every org, the higher one counts', async () => {
        await ledger.raiseCutOff(org(74), 400, deadline);
        await ledger.raiseCutOff({ kind: 'all' }, 300, deadline);
        expect(await ledger.cutOffFor(74, deadline)).toBe(400);
        expect(await ledger.cutOffFor(75, deadline)).toBe(300);
        expect(await ledger.pendingCutOffs(deadline)).toContainEqual({
          scope: { kind: 'all' },
          before: 300,
          pending: true,
        });
      });
    });
  });
}
