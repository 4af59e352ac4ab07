/** The port of what counts against limits (mint-limits.ts): a part of the ledger. Times are epoch ms. */
import type { Block, Concerned } from './blocks.ts';
import type { CallerId, Lease } from './lease.ts';

/** How much of what all share a caller and an org may use up. */
export interface Limits {
  readonly caller: { readonly mintsPerMinute: number; readonly liveLeases: number };
  readonly org: { readonly mintsPerMinute: number };
  /** Instead of `org`, by org number. */
  readonly orgs?: Readonly<Record<string, Limits['org']>>;
}

/** What holds for an org: its own limit, or that of all. */
export const limitOfOrg = ({ org, orgs = {} }: Limits, orgId: number): Limits['org'] => orgs[orgId] ?? org;

/** One mint of a caller (mint-limits.ts). `id`: of its row. `until`: its token is certainly over, epoch ms. */
export interface Mark {
  readonly id: string;
  readonly at: number;
  readonly until: number;
}

/** A caller's last mints. It only grows within an epoch, and every replacement begins another one. */
export interface Ring {
  readonly marks: readonly Mark[];
  /** Absent until the first replacement. */
  readonly epoch?: string;
}

/** What is read before a mint: every block on the caller, and what counts against the limits. */
export interface Standing {
  readonly blocks: readonly Block[];
  readonly ring: Ring;
  /** The org's mints, by number of their span of time. */
  readonly orgMints: ReadonlyMap<number, number>;
}

/** What is read again after a live write: the row, if it is there, and every block on it. */
export interface Rechecked {
  readonly lease: Lease | undefined;
  readonly blocks: readonly Block[];
}

export interface MintCounts {
  /** As `blocksOn`, with what counts against the limits of the caller and the org. One read. */
  standing(concerned: Concerned & { readonly caller: CallerId }, deadline: number): Promise<Standing>;
  /**
   * Adds a mark if the ring is of the same epoch and has fewer than `most`. One write; false: it is not or has not, or the
   * answer to the write was lost.
   */
  addMark(caller: CallerId, seen: Ring, mark: Mark, most: number, deadline: number): Promise<boolean>;
  /** Replaces the ring as it was seen; false if it has changed since, by this write too where its answer was lost. */
  replaceMarks(caller: CallerId, seen: Ring, marks: readonly Mark[], deadline: number): Promise<boolean>;
  /** Adds to the org's mints by span, and takes the spans that are `over` away. */
  countOrgMints(
    orgId: number,
    mints: ReadonlyMap<number, number>,
    over: readonly number[],
    deadline: number,
  ): Promise<void>;
}
