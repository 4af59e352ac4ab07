import { jsonPath, PolicyError, type PolicyFault } from './policy-error.ts';

/** Gathers what is wrong with a document, so that its author hears of everything at once. */
export class Faults {
  readonly #found: PolicyFault[] = [];

  add(path: readonly PropertyKey[], problem: string): void {
    this.#found.push({ path: jsonPath(path), problem });
  }

  /** Throws PolicyError if anything was added. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw new PolicyError(this.#found);
  }
}
