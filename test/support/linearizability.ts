/**
 * Whether what several clients saw can be explained by one order in which everything happened at one moment each, between
 * being asked and being answered (linearizability; the search of Wing and Gong, which remembers where it has been).
 */
export interface Operation<State> {
  readonly what: string;
  /** When it was asked and answered, ms. `Infinity`: nobody knows; it may happen at any time from then on, or never. */
  readonly from: number;
  readonly to: number;
  /** The state after it; undefined: it cannot have been answered so in this state. */
  readonly apply: (state: State) => State | undefined;
}

/** The longest order that explains something, and what it cannot explain; undefined: all of it has an order. */
export interface Unexplained {
  readonly order: readonly string[];
  readonly left: readonly string[];
}

/** `keyOf`: the same text for states that are the same. */
export function unexplained<State>(
  operations: readonly Operation<State>[],
  initial: State,
  keyOf: (state: State) => string,
): Unexplained | undefined {
  const all = [...operations].sort((one, other) => one.from - other.from);
  const known = all.filter(({ to }) => to < Infinity).length;
  const seen = new Set<string>();
  let longest: readonly number[] = [];
  const stack: { readonly order: readonly number[]; readonly state: State }[] = [{ order: [], state: initial }];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const { order, state } = node;
    const done = new Set(order);
    if (order.filter((at) => (all[at]?.to ?? 0) < Infinity).length === known) return undefined;
    if (order.length > longest.length) longest = order;
    const open = [...all.keys()].filter((at) => !done.has(at));
    // Whatever was answered before another was asked comes before it.
    const firstEnd = Math.min(...open.map((at) => all[at]?.to ?? Infinity));
    const next = open.filter((at) => (all[at]?.from ?? Infinity) <= firstEnd);
    // Those that are answered first are tried first: the last that is pushed.
    next.sort((one, other) => (all[other]?.to ?? 0) - (all[one]?.to ?? 0));
    for (const at of next) {
      const after = all[at]?.apply(state);
      if (after === undefined) continue;
      const reached = [...order, at];
      const key = `${[...reached].sort((one, other) => one - other).join()} ${keyOf(after)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      stack.push({ order: reached, state: after });
    }
  }
  const wordsOf = (at: number) => `${all[at]?.from.toFixed(0)}-${all[at]?.to.toFixed(0)} ms: ${all[at]?.what}`;
  const left = [...all.keys()].filter((at) => !longest.includes(at) && (all[at]?.to ?? 0) < Infinity);
  return { order: longest.map(wordsOf), left: left.map(wordsOf) };
}
