import { makeMemoryLedger } from '../../support/memory-ledger.ts';
import { TestClock } from './fixtures.ts';
import { describeLedger } from './ledger-contract.ts';

describeLedger('the ledger in memory', async () => {
  const clock = new TestClock();
  const ledger = makeMemoryLedger({ clock, shards: 4 });
  return { ledger, clock, other: () => ledger, close: async () => {} };
});
