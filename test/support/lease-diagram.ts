/** Draws the lease state machine as a Mermaid diagram, from its table. `node test/support/lease-diagram.ts` prints it. */
import { FINISHED, type LeaseState, MAY_ENTER_FROM, UNFINISHED } from '../../functions/broker/lease.ts';

/** The label of each transition. A transition of the table that has no label here is an error. */
const WORDS: Readonly<Record<string, string>> = {
  'reserved live': 'minted, token sealed',
  'reserved failed': 'mint refused',
  'reserved orphaned': 'reply lost, or minting process gone',
  'reserved revoking': 'revoked while minting',
  'reserved revoked': 'withheld, confirmed dead',
  'live revoking': 'revocation accepted',
  'live revoked': 'withheld, confirmed dead',
  'live expired': 'token expired',
  'revoking revoking': 'not confirmed, retried later',
  'revoking revoked': 'ThoughtSpot confirmed',
  'revoking orphaned': 'no token to revoke with',
  'revoking expired': 'token expired',
  'orphaned revoking': 'minting process returned with the token',
  'orphaned revoked': 'minting process returned, token confirmed dead',
  'orphaned expired': 'latest possible end passed',
};

export function leaseDiagram(): string {
  const steps = [...UNFINISHED, ...FINISHED].flatMap((to: LeaseState) =>
    MAY_ENTER_FROM[to].map((from) => {
      const words = WORDS[`${from} ${to}`];
      if (words === undefined) throw new Error(`no words for the step from ${from} to ${to}`);
      return `  ${from} --> ${to}: ${words}`;
    }),
  );
  const ends = FINISHED.map((state) => `  ${state} --> [*]`);
  return ['```mermaid', 'stateDiagram-v2', '  [*] --> reserved', ...steps, ...ends, '```'].join('\n');
}

if (process.argv[1] === import.meta.filename) console.log(leaseDiagram());
