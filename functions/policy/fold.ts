/**
 * One spelling for all texts that any likely comparison takes for the same: NFKC, without regard to case, the dotted
 * and the dotless i as one letter, no space around. Stricter than `normaliseUser`, which names the ledger's partitions:
 * for finding what must not pass, never for telling two users apart. Idempotent.
 */
export function fold(text: string): string {
  // Lower case once more before upper case, since U+1E9E has no other upper case and would stay apart from "ss".
  const caseless = text.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().normalize('NFKC');
  return caseless.replaceAll('i\u0307', 'i').trim();
}
