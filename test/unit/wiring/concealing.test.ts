import { Failure } from '../../../functions/broker/failure.ts';
import type { MintOutcome } from '../../../functions/broker/ports.ts';
import { concealingToken } from '../../../functions/wiring/ledger.ts';
import { concealingMint } from '../../../functions/wiring/thoughtspot.ts';

const KEY = { user: 'alice', fingerprint: 'f', generation: 1 };

describe('a token is registered with the redaction before anybody else holds it', () => {
  test('when ThoughtSpot mints it', async () => {
    const concealed: string[] = [];
    const minted = { token: 't', userName: 'alice', lifetimeMs: 1, longestLifetimeMs: 1, tokenType: 'Bearer' };
    const outcomes: MintOutcome[] = [
      { outcome: 'minted', minted },
      { outcome: 'not-minted', failure: new Failure('upstream-busy') },
    ];
    for (const outcome of outcomes) {
      const mint = concealingMint({ mint: async () => outcome }, (secret) => concealed.push(secret));
      expect(await mint({} as never, 0)).toBe(outcome);
    }
    expect(concealed).toEqual(['t']);
  });

  test('when the ledger opens it', async () => {
    const concealed: string[] = [];
    for (const token of ['t', undefined]) {
      const open = concealingToken({ token: async () => token }, (secret) => concealed.push(secret));
      expect(await open(KEY, 0)).toBe(token);
    }
    expect(concealed).toEqual(['t']);
  });
});
