/** Writes that DynamoDB has done and whose answers are lost: the SDK sends them again. Needs the fault switch of the endpoint. */
import type { AwsEndpoint } from '../../../local/aws/json-endpoint.ts';
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { type LedgerStand, startLedgerStand } from '../../support/dynalite.ts';
import { START, TestClock } from './fixtures.ts';

const FAR = START + 1_000_000_000;
const describeHere = process.env['LEDGER_ENDPOINT'] === undefined ? describe : describe.skip;

describeHere('a write whose answer is lost, and which is sent again,', () => {
  let stand: LedgerStand;
  let endpoint: AwsEndpoint;
  let ledger: TokenLedger;
  beforeAll(async () => {
    stand = await startLedgerStand(new TestClock());
    if (!stand.endpoint) throw new Error('needs the local endpoint');
    ({ endpoint } = stand);
    ({ ledger } = stand.sandbox());
  });
  afterAll(() => stand.close());

  /** How often the table was updated while the first answer was lost. */
  async function losingOne(work: () => Promise<unknown>): Promise<number> {
    let calls = 0;
    endpoint.faults.inject(({ operation }) => {
      if (operation !== 'UpdateItem') return undefined;
      calls += 1;
      return calls === 1 ? { kind: 'reset', when: 'after' } : undefined;
    });
    await work();
    endpoint.faults.clear();
    return calls;
  }

  it('raises a block once, and says how it was before', async () => {
    const scope = { kind: 'user', user: 'ann' } as const;
    await ledger.raiseBlock(scope, { suspendedAt: START, before: START, always: true }, FAR);
    const raising = { reinstatedAt: START + 500, before: START + 500, always: true };
    let raised: unknown;
    expect(await losingOne(async () => (raised = await ledger.raiseBlock(scope, raising, FAR)))).toBe(2);
    expect(raised).toMatchObject({
      was: { before: START, suspendedAt: START },
      block: { before: START + 500, reinstatedAt: START + 500 },
    });
  });

  it('counts the mints of an org once', async () => {
    expect(await losingOne(() => ledger.countOrgMints(71, new Map([[7, 3]]), [], FAR))).toBe(2);
    const { orgMints } = await ledger.standing({ caller: { issuer: 'i', subject: 's' }, orgId: 71 }, FAR);
    expect([...orgMints]).toEqual([[7, 3]]);
  });
});
