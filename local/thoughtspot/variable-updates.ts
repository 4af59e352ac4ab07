/**
 * The variables that mints of custom tokens are updating at this moment. From 26.9 on, a mint that would update one of
 * them is refused with 409 and applies nothing (wire facts 3.8: per variable, so mints for different users collide).
 */
export class VariableUpdates {
  readonly #running = new Set<string>();

  /** The first of the variables that another mint is updating. */
  conflict(names: readonly string[]): string | undefined {
    return names.find((name) => this.#running.has(name));
  }

  /** Marks the variables as being updated until the function that it answers is called. */
  begin(names: readonly string[]): () => void {
    for (const name of names) this.#running.add(name);
    return () => {
      for (const name of names) this.#running.delete(name);
    };
  }
}
