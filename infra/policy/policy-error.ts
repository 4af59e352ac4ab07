/** One fault of a policy document: where, what was found, what is allowed. */
export interface PolicyFault {
  /** JSON path, as in `rules[2].grants[0].validity.minSeconds`; `document` for the whole. */
  readonly path: string;
  readonly problem: string;
  /** The path's steps; absent where the text of the document could not be read. */
  readonly at?: readonly PropertyKey[];
}

/** The fault at a path. */
export const faultAt = (at: readonly PropertyKey[], problem: string): PolicyFault => ({
  path: jsonPath(at),
  problem,
  at,
});

/** The only error that a check throws. It contains every fault that was found, not just the first. */
export class PolicyError extends Error {
  readonly faults: readonly PolicyFault[];

  constructor(faults: readonly PolicyFault[]) {
    const lines = faults.map(({ path, problem }) => `  ${path}: ${problem}`);
    super(`The policy has ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}:\n${lines.join('\n')}`);
    this.name = 'PolicyError';
    this.faults = faults;
  }
}

/** Collects the faults of a document, so that its author sees all of them at once. */
export class Faults {
  readonly #found: PolicyFault[] = [];

  add(path: readonly PropertyKey[], problem: string): void {
    this.#found.push(faultAt(path, problem));
  }

  /** Throws PolicyError if anything was added. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw new PolicyError(this.#found);
  }
}

/** Writes a path the way JSON editors do: names with a dot, others in brackets. */
export function jsonPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w$-]+$/.test(String(step))) text += text === '' ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text === '' ? 'document' : text;
}
