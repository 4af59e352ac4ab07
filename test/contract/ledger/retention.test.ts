/** What DynamoDB deletes by its time to live, and when: never a suspension that is in force, nor a user that the broker made. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { BlockScope, Raising } from '../../../functions/broker/blocks.ts';
import { type LedgerStand, startLedgerStand } from '../../support/dynalite.ts';
import { START, TestClock } from './fixtures.ts';

const MONTH_S = 30 * 86_400;
const FAR = START + 60_000;
let stand: LedgerStand;
beforeEach(async () => {
  stand = await startLedgerStand(new TestClock());
});
afterEach(() => stand.close());

/** Of the only row of that kind: epoch s; undefined: it is kept. */
async function endOf(isIt: (row: Record<string, AttributeValue>) => boolean): Promise<number | undefined> {
  const [row, ...more] = (await stand.scan()).filter(isIt);
  expect([row === undefined, more.length]).toEqual([false, 0]);
  return row?.['retention']?.N === undefined ? undefined : Number(row['retention'].N);
}
const isBlock = ({ pk }: Record<string, AttributeValue>) => pk?.S?.startsWith('block#') === true;
const after = (ms: number) => Math.ceil(ms / 1_000) + MONTH_S;

const ANN: BlockScope = { kind: 'user', user: 'ann' };
test.each<[string, BlockScope, readonly Raising[], number | undefined]>([
  ['a cut-off a month after its time', ANN, [{ before: START }], after(START)],
  [
    'a sign-out a month after the later of its times',
    ANN,
    [{ before: START, signedOut: START + 5_000 }],
    after(START + 5_000),
  ],
  ['a suspension never', ANN, [{ before: START, suspendedAt: START }], undefined],
  [
    'a suspension never, though it was a sign-out before',
    ANN,
    [{ signedOut: START }, { suspendedAt: START }],
    undefined,
  ],
  [
    'a suspension that was lifted a month later',
    ANN,
    [{ before: START, suspendedAt: START }, { reinstatedAt: START + 9_000 }],
    after(START + 9_000),
  ],
  [
    'one that was given again never',
    ANN,
    [{ suspendedAt: START }, { reinstatedAt: START + 1_000 }, { suspendedAt: START + 2_000 }],
    undefined,
  ],
])('DynamoDB deletes %s', async (_name, scope, raisings, end) => {
  const { ledger } = stand.sandbox();
  for (const raising of raisings) await ledger.raiseBlock(scope, { ...raising, always: true }, FAR);
  expect(await endOf(isBlock)).toBe(end);
});

test.each<[string, BlockScope]>([
  ['all', { kind: 'all' }],
  ['an org', { kind: 'org', orgId: 1 }],
])('DynamoDB never deletes a block on %s, of which there are few, and no index has it', async (_name, scope) => {
  const { ledger } = stand.sandbox();
  await ledger.raiseBlock(scope, { before: START, signedOut: START, always: true, dueAt: START }, FAR);
  const [row] = (await stand.scan()).filter(({ pk }) => pk?.S === 'cutoffs');
  expect(row).toBeDefined();
  for (const name of ['retention', 'dueAt', 'dueShard', 'scope']) expect(row).not.toHaveProperty(name);
});

test('DynamoDB deletes the cut-off of what the policy gave a month after its time', async () => {
  const { ledger } = stand.sandbox();
  await ledger.raiseBlock({ kind: 'rule', rule: 'members' }, { before: START }, FAR);
  expect(await endOf(({ pk }) => pk?.S === 'cutoffs')).toBe(after(START));
});

test('DynamoDB deletes the hold on a user a month after its end, but not that of a user that the broker made', async () => {
  const { ledger } = stand.sandbox();
  const hold = { digest: 'd', subject: 's', until: START };
  await ledger.holdUser({ userName: 'ann', orgId: 1 }, hold, 0, FAR);
  expect(await endOf(({ pk }) => pk?.S === 'holds')).toBe(after(START));
  await stand.close();
  stand = await startLedgerStand(new TestClock());
  await stand.sandbox().ledger.holdUser({ userName: 'ann~abcdefghijklmnop', orgId: 1 }, hold, 0, FAR);
  expect(await endOf(({ pk }) => pk?.S === 'holds')).toBeUndefined();
});

test('DynamoDB deletes the counts of mints a month after the last one', async () => {
  const { ledger } = stand.sandbox();
  const mark = { id: 'a', at: START, until: START };
  await ledger.addMark({ issuer: 'i', subject: 's' }, { marks: [] }, mark, 1, FAR);
  expect(await endOf(({ pk }) => pk?.S?.startsWith('ring#') === true)).toBe(after(START));
});
