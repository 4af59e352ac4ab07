import { startLedgerStand } from '../../support/dynalite.ts';
import { TestClock } from './fixtures.ts';
import { describeBlocks } from './blocks-contract.ts';
import { describeLedger } from './ledger-contract.ts';
import { describeMintCounts } from './mint-counts-contract.ts';
import { describeUserHolds } from './user-holds-contract.ts';

const where = process.env['LEDGER_ENDPOINT'] ?? 'dynalite';
const start = async () => {
  const clock = new TestClock();
  const stand = await startLedgerStand(clock);
  const { ledger, dataKeys } = stand.sandbox();
  await dataKeys.warm(clock.now() + 60_000);
  return { ledger, clock, other: () => stand.sandbox().ledger, close: () => stand.close() };
};
describeLedger(`the ledger on DynamoDB's protocol (${where})`, start);
describeUserHolds(`holds on DynamoDB's protocol (${where})`, start);
describeBlocks(`blocks on DynamoDB's protocol (${where})`, start);
describeMintCounts(`counts of mints on DynamoDB's protocol (${where})`, start);
