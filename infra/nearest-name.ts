/** The known name that a misspelt one is nearest to, letter case aside; undefined if none is near. */
export function nearestName(misspelt: string, known: readonly string[]): string | undefined {
  const [nearest] = known
    .map((name) => ({ name, edits: editsBetween(misspelt.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, edits }) => edits <= Math.ceil(name.length / 3))
    .sort((a, b) => a.edits - b.edits);
  return nearest?.name;
}

/** Which known name was probably meant, as the end of a sentence; empty if none is near. */
export function meant(misspelt: string, known: readonly string[]): string {
  const near = nearestName(misspelt, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** How many letters have to be added, left out or replaced to make one word of the other (Levenshtein). */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let at = 1; at <= to.length; at += 1) {
      const replaced = (row[at - 1] ?? 0) + (letter === to[at - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
