/**
 * The ledger port in memory, with the behaviour of the DynamoDB ledger: both pass test/contract/ledger/ledger-contract.ts.
 * Tokens are apart from the rows, as opaque as sealed ones. `beforeCall` and `afterCall` get the name and the arguments of
 * every port call. They throw to crash or fail there, and return a promise to stall. A throw in `beforeCall` means that
 * nothing was written; a throw in `afterCall`, that it was written and the answer is lost. It is fast with a million rows.
 */
import { createHash, createSecretKey } from 'node:crypto';
import { type Block, type BlockScope, EVER, noBlock, raised, scopesOn } from '../../functions/broker/blocks.ts';
import { Failure } from '../../functions/broker/failure.ts';
import {
  type CallerId,
  type Lease,
  type LeaseKey,
  SHARED,
  isPerEntitlement,
  isUnfinished,
  normaliseUser,
  sameCaller,
} from '../../functions/broker/lease.ts';
import type { Change, Clock, HeldUser, Reservation, TokenLedger, UserHold } from '../../functions/broker/ports.ts';
import { type Handles, makeHandles } from '../../functions/ledger/handles.ts';
import type { Mark, Ring } from '../../functions/broker/mint-counts.ts';
import { LEDGER_TABLE } from '../../functions/contract/table.ts';
import { callerDigest, dueShardName, dueShardOf, leaseItemKey, sessionDigest } from '../../functions/ledger/item.ts';
import { statesThatAllow } from '../../functions/ledger/writes.ts';
import { SortedList } from './sorted-list.ts';
import { LaggingIndexes, type Unsteadiness } from './unsteady-store.ts';

export type LedgerCall = keyof Omit<TokenLedger, 'shards'>;
export type LedgerHook = (call: LedgerCall, args: readonly unknown[]) => void | Promise<void>;

export interface MemoryLedgerOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly shards?: number;
  readonly beforeCall?: LedgerHook;
  readonly afterCall?: LedgerHook;
  /** What is found by an index lags by this; absent: never. */
  readonly unsteady?: Unsteadiness | undefined;
}

export interface MemoryLedger extends TokenLedger {
  /** Every row, including finished rows. For assertions, so it calls no hook. */
  rows(): AsyncIterable<Lease>;
  /** What the rows say at this moment. */
  facts(): readonly Row['facts'][];
  /** The token of a row as ThoughtSpot knows it, for assertions; undefined once the row is finished. */
  tokenOf(key: LeaseKey): string | undefined;
  /** Blocks whose cut-off is not worked off. For assertions. */
  pendingBlocks(): readonly Block[];
  /** Number of rows in the due index. */
  dueCount(): number;
  /** The hooks may be set at any time. */
  beforeCall: LedgerHook | undefined;
  afterCall: LedgerHook | undefined;
}

/** The facts are replaced as a whole, never changed in place, because a million objects of one shape need little memory. */
interface Row {
  facts: Omit<Lease, 'leaseId' | 'sealed' | 'dueAt'>;
  dueAt: number | undefined;
  token: string | undefined;
  /** Where a sign-out of the session, or of whoever shares the lease, finds it. */
  readonly session: string | undefined;
}
type Due = readonly [dueAt: number, user: string, fingerprint: string, generation: number];

const byDue = (one: Due, other: Due): number => {
  for (let i = 0; i < 4; i += 1) {
    const a = one[i] ?? 0;
    const b = other[i] ?? 0;
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
};
/** A cursor is the entry that a page ended with. */
function dueOf(cursor: string): Due {
  try {
    const [at, user, fingerprint, generation] = JSON.parse(cursor) as Due;
    return [at, user, fingerprint, generation];
  } catch {
    throw new Failure('invalid-request', { errors: [{ field: 'cursor', detail: 'is not a cursor of the ledger' }] });
  }
}
const callerKey = ({ issuer, subject }: CallerId) => JSON.stringify([issuer, subject]);
const sameMark = (one: Mark, other: Mark) => one.id === other.id && one.at === other.at && one.until === other.until;
const scopeKey = (scope: BlockScope) => JSON.stringify(Object.entries(scope).sort());
const isWide = ({ kind }: BlockScope) => kind !== 'user' && kind !== 'subject' && kind !== 'session';

/** More than a sweep of a million rows takes. */
const MOST_LOOKS_AT_ONE_TIME = 20_000;

export function makeMemoryLedger(options: MemoryLedgerOptions): MemoryLedger {
  const { clock, shards = 16 } = options;
  const digestKey = createSecretKey(createHash('sha256').update('memory ledger').digest());
  const handlesUntil = makeHandles({ environment: 'memory', digestKey: async () => digestKey });
  const handles = () => handlesUntil(Infinity);
  const users = new Map<string, Map<string, Map<number, Row>>>();
  const callers = new Map<string, Set<Row>>();
  const ofCaller = (caller: CallerId) => callers.get(callerKey(caller)) ?? [];
  const dueShards = Array.from({ length: shards }, () => new SortedList<Due>(byDue));
  const sessions = new Map<string, Set<Row>>();
  const blocks = new Map<string, Block & { readonly dueAt: number }>();

  const holds = new Map<string, UserHold & HeldUser>();
  let writes = 0;
  const holdKey = ({ userName, orgId }: HeldUser) => `${normaliseUser(userName)}#${orgId}`;
  const setHold = ({ userName, orgId }: HeldUser, { digest, subject, until, mixedUntil }: Omit<UserHold, 'write'>) => {
    const mixed = mixedUntil === undefined ? {} : { mixedUntil };
    writes += 1;
    const hold = { userName, orgId, digest, subject, until, ...mixed, write: String(writes) };
    holds.set(holdKey(hold), hold);
  };

  const rings = new Map<string, Ring>();
  const orgMints = new Map<number, Map<number, number>>();
  const shown = ({ dueAt: _, ...block }: Block & { readonly dueAt: number }): Block => block;
  const blocksOn = (concerned: Parameters<typeof scopesOn>[0]) =>
    scopesOn(concerned).flatMap((scope) => {
      const block = blocks.get(scopeKey(scope));
      return block ? [shown(block)] : [];
    });

  const find = (key: LeaseKey) => users.get(key.user)?.get(key.fingerprint)?.get(key.generation);
  const shardOf = (key: LeaseKey) => {
    let hash = 0;
    for (const character of `${key.user}${key.fingerprint}${key.generation}`) {
      hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
    }
    return dueShards[hash % shards] as SortedList<Due>;
  };
  const dueEntry = ({ facts }: Row, at: number): Due => [at, facts.user, facts.fingerprint, facts.generation];
  /** Tokens as they were when the lease was read, which is what the DynamoDB ledger returns too. */
  const tokenOfRead = new WeakMap<LeaseKey, string>();
  const leaseOf = async ({ facts, dueAt, token }: Row): Promise<Lease> => {
    const lease = {
      ...facts,
      leaseId: (await handles()).leaseId(facts),
      sealed: token !== undefined,
      ...(dueAt !== undefined && { dueAt }),
    };
    if (token !== undefined) tokenOfRead.set(lease, token);
    return lease;
  };

  function setDue(row: Row, at: number | undefined): void {
    const shard = shardOf(row.facts);
    if (row.dueAt !== undefined) shard.remove(dueEntry(row, row.dueAt));
    if (at !== undefined) shard.add(dueEntry(row, at));
    row.dueAt = at;
  }

  function setCaller(row: Row): void {
    const key = callerKey(row.facts.caller);
    const rows = callers.get(key) ?? new Set();
    if (isUnfinished(row.facts.state)) rows.add(row);
    else rows.delete(row);
    if (rows.size > 0) callers.set(key, rows);
    else callers.delete(key);
  }

  const { unsteady } = options;
  const { due: dueIndex, caller: callerIndex, session: sessionIndex, token: tokenIndex } = LEDGER_TABLE.indexes;
  const lagging = unsteady && {
    leases: new LaggingIndexes<Row>(unsteady),
    blocks: new LaggingIndexes<string>(unsteady),
  };
  const blockShard = (shard: number) => `block#${shard}`;

  /** Keeps in mind how a row is in the indexes. */
  function written(row: Row): void {
    if (!lagging) return;
    const { facts, dueAt, session } = row;
    const key = leaseItemKey(facts);
    const due = dueAt === undefined ? {} : { dueShard: dueShardName(dueShardOf(key, shards)), dueAt };
    const found = isUnfinished(facts.state) ? { callerDigest: callerDigest(facts.caller), sessionDigest: session } : {};
    lagging.leases.written({ ...key, ...due, ...found, tokenDigest: facts.tokenDigest }, row);
  }

  function setBlock(block: Block & { readonly dueAt: number }): void {
    const name = scopeKey(block.scope);
    blocks.set(name, block);
    if (!isWide(block.scope))
      lagging?.blocks.written({ pk: name, sk: 'block', dueShard: blockShard(0), dueAt: block.dueAt }, name);
  }

  let lookedAt = NaN;
  let looks = 0;
  /** A loop that reads again without letting time pass would never end, so it fails instead. */
  function countLook(name: LedgerCall): void {
    if (name !== 'newest' && name !== 'due') return;
    looks = clock.now() === lookedAt ? looks + 1 : 1;
    lookedAt = clock.now();
    if (looks > MOST_LOOKS_AT_ONE_TIME) throw new Error(`${name} was called again and again without any time passing`);
  }

  /** One port call, with its hooks, and with the deadline that the DynamoDB ledger enforces too. */
  async function call<T>(name: LedgerCall, args: readonly unknown[], deadline: number, work: () => T | Promise<T>) {
    countLook(name);
    await ledger.beforeCall?.(name, args);
    if (clock.now() >= deadline) throw new Failure('ledger-unavailable', { reason: `${name}: deadline has passed` });
    const result = await work();
    await ledger.afterCall?.(name, args);
    return result;
  }

  async function* each(rows: readonly Row[]): AsyncGenerator<Lease> {
    for (const row of rows) if (isUnfinished(row.facts.state)) yield await leaseOf(row);
  }

  const ledger: MemoryLedger = {
    shards,
    beforeCall: options.beforeCall,
    afterCall: options.afterCall,

    newest: (user, fingerprint, limit, deadline) =>
      call('newest', [user, fingerprint, limit], deadline, () => {
        const generations = [...(users.get(user)?.get(fingerprint)?.values() ?? [])];
        generations.sort((one, other) => other.facts.generation - one.facts.generation);
        return Promise.all(generations.slice(0, limit).map(leaseOf));
      }),

    get: (key, deadline) =>
      call('get', [key], deadline, () => {
        const row = find(key);
        return row && leaseOf(row);
      }),

    async *unfinishedOfUser(user, deadline, caller) {
      const rows = await call('unfinishedOfUser', [user], deadline, () =>
        [...(users.get(user)?.values() ?? [])]
          .flatMap((generations) => [...generations.values()])
          .filter(({ facts }) => caller === undefined || sameCaller(facts.caller, caller)),
      );
      yield* each(rows);
    },

    async *withDigest(digest, deadline) {
      yield* await call('withDigest', [digest], deadline, async () => {
        const found: Lease[] = [];
        if (lagging) return Promise.all(lagging.leases.find(tokenIndex, { partition: digest }).found.map(leaseOf));
        for await (const row of ledger.rows()) if (row.tokenDigest === digest) found.push(row);
        return found;
      });
    },

    async *unfinishedOfCaller(caller, deadline, known = []) {
      const leftOut = new Set(known.map(find));
      const rows = await call('unfinishedOfCaller', [caller], deadline, () =>
        [...(lagging?.leases.find(callerIndex, { partition: callerDigest(caller) }).found ?? ofCaller(caller))].filter(
          (row) => !leftOut.has(row),
        ),
      );
      yield* each(rows);
    },

    async *unfinishedOfSession(issuer, session, deadline) {
      const rows = await call('unfinishedOfSession', [issuer, session], deadline, () => {
        const partition = sessionDigest(issuer, session);
        const shown = lagging?.leases.find(sessionIndex, { partition }).found;
        return [...(shown ?? sessions.get(JSON.stringify([issuer, session])) ?? [])];
      });
      yield* each(rows);
    },

    byLeaseId: (leaseId, deadline) =>
      call('byLeaseId', [leaseId], deadline, async () => {
        const key = (await handles()).leaseKey(leaseId);
        const row = key && find(key);
        return row && leaseOf(row);
      }),

    digest: async (token) => (await handles()).tokenDigest(token),

    reserve: (reservation: Reservation, deadline) =>
      call('reserve', [reservation], deadline, () => {
        if (find(reservation)) return false;
        const { user, fingerprint, generation } = reservation;
        const { session, ...given } = reservation;
        const facts = { ...given, caller: { ...reservation.caller }, state: 'reserved' as const, attempts: 0 };
        const found = facts.shared ? SHARED : { issuer: facts.caller.issuer, session };
        const digest = found.session === undefined ? undefined : sessionDigest(found.issuer, found.session);
        const row: Row = { facts, dueAt: undefined, token: undefined, session: digest };
        const fingerprints = users.get(user) ?? new Map<string, Map<number, Row>>();
        const generations = fingerprints.get(fingerprint) ?? new Map<number, Row>();
        users.set(user, fingerprints.set(fingerprint, generations.set(generation, row)));
        setDue(row, facts.mintDeadlineAt);
        setCaller(row);
        written(row);
        if (found.session !== undefined) {
          const key = JSON.stringify([found.issuer, found.session]);
          sessions.set(key, (sessions.get(key) ?? new Set()).add(row));
        }
        return true;
      }),

    transition: (key, change, deadline) =>
      call('transition', [key, change], deadline, async () => {
        const { tokenDigest } = await handles();
        // No await between the condition and the write: a write of one item is atomic, as in DynamoDB.
        const row = find(key);
        if (!row || !statesThatAllow(change).includes(row.facts.state)) return undefined;
        if (change.ifDueAt !== undefined && row.dueAt !== change.ifDueAt) return undefined;
        apply(row, change, tokenDigest);
        return leaseOf(row);
      }),

    token: (key, deadline) => call('token', [key], deadline, () => tokenOfRead.get(key) ?? find(key)?.token),

    recheck: (key, caller, deadline) =>
      call('recheck', [key], deadline, async () => {
        const row = find(key);
        const { user, orgId } = key;
        return { lease: row && (await leaseOf(row)), blocks: blocksOn({ caller, user, orgId }) };
      }),

    blocksOn: (concerned, deadline) => call('blocksOn', [concerned], deadline, () => blocksOn(concerned)),

    standing: (concerned, deadline) =>
      call('standing', [concerned], deadline, () => ({
        blocks: blocksOn(concerned),
        ring: rings.get(callerKey(concerned.caller)) ?? { marks: [] },
        orgMints: new Map(orgMints.get(concerned.orgId)),
      })),

    addMark: (caller, { epoch }, mark, most, deadline) =>
      call('addMark', [caller, mark, most], deadline, () => {
        const old = rings.get(callerKey(caller)) ?? { marks: [] };
        if (old.epoch !== epoch || (old.marks.length > 0 && old.marks.length >= most)) return false;
        const others = old.marks.filter((each) => !sameMark(each, mark));
        rings.set(callerKey(caller), { ...old, marks: [...others, mark] });
        return true;
      }),

    replaceMarks: (caller, seen, marks, deadline) =>
      call('replaceMarks', [caller, marks], deadline, () => {
        const old = rings.get(callerKey(caller));
        if (old?.epoch !== seen.epoch || old?.marks.length !== seen.marks.length) return false;
        writes += 1;
        rings.set(callerKey(caller), { marks: [...marks], epoch: String(writes) });
        return true;
      }),

    countOrgMints: (orgId, mints, over, deadline) =>
      call('countOrgMints', [orgId, mints, over], deadline, () => {
        const spans = orgMints.get(orgId) ?? new Map<number, number>();
        for (const span of over) spans.delete(span);
        for (const [span, count] of mints) spans.set(span, (spans.get(span) ?? 0) + count);
        orgMints.set(orgId, spans);
      }),

    raiseBlock: (scope, raising, deadline) =>
      call('raiseBlock', [scope, raising], deadline, () => {
        const old = blocks.get(scopeKey(scope));
        const was = old ? shown(old) : noBlock(scope);
        const block = raised(was, raising);
        if (!block) return { was, block: was };
        const dueAt = block.before > was.before ? (raising.dueAt ?? EVER) : (old?.dueAt ?? EVER);
        setBlock({ ...block, dueAt });
        return { was, block };
      }),

    widestBlocks: (deadline) =>
      call('widestBlocks', [], deadline, () => [...blocks.values()].filter(({ scope }) => isWide(scope)).map(shown)),

    dueBlocks: (shard, until, limit, cursor, deadline) =>
      call('dueBlocks', [shard, until, limit, cursor], deadline, () => {
        if (lagging) {
          const asked = { partition: blockShard(shard), upTo: until, limit, cursor };
          const { found, ...next } = lagging.blocks.find(dueIndex, asked);
          const due = found.flatMap((name) => blocks.get(name) ?? []).filter(({ dueAt }) => dueAt <= until);
          return { blocks: due.map(shown), ...next };
        }
        const all = shard > 0 ? [] : [...blocks].filter(([, { scope, dueAt }]) => !isWide(scope) && dueAt <= until);
        const keyOf = ([key, { dueAt }]: (typeof all)[number]) => `${String(dueAt).padStart(16, '0')} ${key}`;
        const rest = all.map((entry) => [keyOf(entry), entry[1]] as const).filter(([key]) => key > (cursor ?? ''));
        rest.sort(([one], [other]) => (one < other ? -1 : 1));
        const next = rest.length > limit ? { next: rest[limit - 1]?.[0] ?? '' } : {};
        return { blocks: rest.slice(0, limit).map(([, block]) => shown(block)), ...next };
      }),

    advanceBlock: ({ scope, before }, cursor, dueAt, deadline) =>
      call('advanceBlock', [scope, cursor, dueAt], deadline, () => {
        const old = blocks.get(scopeKey(scope));
        if (!old?.pending || old.before !== before) return;
        const progress = cursor === null ? { pending: false } : { cursor };
        setBlock({ ...old, ...progress, dueAt });
      }),

    pendingBlocks: () => [...blocks.values()].filter(({ pending }) => pending).map(shown),

    holdUser: (user, request, endedBefore, deadline) =>
      call('holdUser', [user, request], deadline, () => {
        const old = holds.get(holdKey(user));
        const same = old?.digest === request.digest && old.subject === request.subject && old.until <= request.until;
        if (old && old.until >= endedBefore && !same) return false;
        setHold(user, { ...(old?.mixedUntil !== undefined && { mixedUntil: old.mixedUntil }), ...request });
        return true;
      }),

    userHold: (user, deadline) =>
      call('userHold', [user], deadline, () => {
        const { userName: _userName, orgId: _orgId, ...hold } = holds.get(holdKey(user)) ?? {};
        return 'write' in hold ? hold : undefined;
      }),

    replaceUserHold: (user, read, next, deadline) =>
      call('replaceUserHold', [user, next], deadline, () => {
        if (holds.get(holdKey(user))?.write !== read.write) return false;
        setHold(user, next);
        return true;
      }),

    usersUnusedSince: (before, limit, cursor, deadline) =>
      call('usersUnusedSince', [before, limit, cursor], deadline, () => {
        const keys = [...holds.keys()].sort().filter((key) => cursor === undefined || key > cursor);
        const here = keys.slice(0, limit).flatMap((key) => holds.get(key) ?? []);
        const users = here.filter(({ userName, until }) => isPerEntitlement(userName) && until < before);
        const next = keys.length > limit ? { next: keys[limit - 1] as string } : {};
        return { users: users.map(({ userName, orgId, until }) => ({ userName, orgId, until })), ...next };
      }),

    due: (shard, until, limit, cursor, deadline) =>
      call('due', [shard, until, limit, cursor], deadline, async () => {
        if (lagging) {
          const asked = { partition: dueShardName(shard), upTo: until, limit, cursor };
          const { found, ...next } = lagging.leases.find(dueIndex, asked);
          const due = found.filter(({ dueAt = Infinity }) => dueAt <= until);
          due.sort(({ dueAt: one = 0 }, { dueAt: other = 0 }) => one - other);
          return { leases: await Promise.all(due.map(leaseOf)), ...next };
        }
        const leases: Lease[] = [];
        let last: Due | undefined;
        for (const entry of dueShards[shard]?.after(cursor === undefined ? undefined : dueOf(cursor)) ?? []) {
          if (entry[0] > until) break;
          if (leases.length === limit && last) return { leases, next: JSON.stringify(last) };
          const row = find({ user: entry[1], fingerprint: entry[2], generation: entry[3] });
          if (row) leases.push(await leaseOf(row));
          last = entry;
        }
        return { leases };
      }),

    async *rows() {
      for (const fingerprints of users.values()) {
        for (const generations of fingerprints.values()) {
          for (const row of generations.values()) yield await leaseOf(row);
        }
      }
    },
    facts: () =>
      [...users.values()].flatMap((fingerprints) =>
        [...fingerprints.values()].flatMap((generations) => [...generations.values()].map(({ facts }) => facts)),
      ),
    tokenOf: (key) => find(key)?.token,
    dueCount: () => dueShards.reduce((sum, shard) => sum + shard.size, 0),
  };

  function apply(row: Row, change: Change, tokenDigest: Handles['tokenDigest']): void {
    const { to, from: _from, ifDueAt: _ifDueAt, dueAt: nextDueAt, token, ...facts } = change;
    const digest = token !== undefined && { tokenDigest: tokenDigest(token) };
    row.facts = { ...row.facts, ...facts, ...digest, state: to };
    const unfinished = isUnfinished(to);
    row.token = unfinished ? (token ?? row.token) : undefined;
    setDue(row, unfinished ? (nextDueAt ?? undefined) : undefined);
    setCaller(row);
    written(row);
  }

  return ledger;
}
