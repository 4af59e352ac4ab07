/** The lease machine as a Mermaid diagram, drawn from its table. `node test/support/lease-diagram.ts` prints it. */
import { FINISHED, type LeaseState, MAY_ENTER_FROM, UNFINISHED } from '../../functions/broker/lease.ts';

/** What each step means; a step of the table without words here fails the drawing. */
const WORDS: Readonly<Record<string, string>> = {
  'reserved live': 'minted, token sealed',
  'reserved failed': 'mint refused',
  'reserved orphaned': 'reply lost, or minter gone',
  'reserved revoking': 'revoked while minting',
  'reserved revoked': 'withheld, and confirmed dead',
  'live revoking': 'revocation accepted',
  'live revoked': 'withheld, and confirmed dead',
  'live expired': 'ended by its own time',
  'revoking revoking': 'failed, tried again later',
  'revoking revoked': 'ThoughtSpot confirmed',
  'revoking orphaned': 'no token to revoke with',
  'revoking expired': 'ended by its own time',
  'orphaned revoking': 'minter came back with the token',
  'orphaned revoked': 'minter came back, confirmed dead',
  'orphaned expired': 'latest possible end',
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
