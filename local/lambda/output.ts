/** What the sandboxes print, line by line: kept for the demo page and audit views, and searched for secrets by tests. */

export interface OutputLine {
  /** Name of the function, or of the part of the local set that speaks. */
  readonly source: string;
  readonly stream: 'stdout' | 'stderr' | 'platform';
  readonly text: string;
  /** Epoch ms at which the line was read. */
  readonly at: number;
}

export type OutputListener = (line: OutputLine) => void;

/** A bounded buffer of lines: past `limit` the oldest go. */
export class OutputLog {
  readonly #lines: OutputLine[] = [];
  readonly #listeners = new Set<OutputListener>();
  readonly #limit: number;

  constructor(limit = 20_000) {
    this.#limit = limit;
  }

  append(source: string, stream: OutputLine['stream'], text: string): void {
    const line = { source, stream, text, at: Date.now() };
    this.#lines.push(line);
    if (this.#lines.length > this.#limit) this.#lines.splice(0, this.#lines.length - this.#limit);
    for (const listener of this.#listeners) listener(line);
  }

  /** Calls `listener` for every line from now on, until the returned function is called. */
  listen(listener: OutputListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lines(): readonly OutputLine[] {
    return this.#lines;
  }

  /** Everything that is still in the buffer, one line each. */
  text(): string {
    return this.#lines.map((line) => line.text).join('\n');
  }

  /** Resolves with the first line, past or to come, that `matches` accepts. */
  waitFor(matches: (line: OutputLine) => boolean): Promise<OutputLine> {
    const seen = this.#lines.find(matches);
    if (seen) return Promise.resolve(seen);
    return new Promise((resolve) => {
      const stop = this.listen((line) => {
        if (!matches(line)) return;
        stop();
        resolve(line);
      });
    });
  }
}

/** Cuts a stream of chunks into lines; the returned function takes chunks, and `undefined` for the end. */
export function lineSplitter(emit: (line: string) => void): (chunk: string | undefined) => void {
  let rest = '';
  return (chunk) => {
    if (chunk === undefined) {
      if (rest !== '') emit(rest);
      rest = '';
      return;
    }
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) emit(line);
  };
}
