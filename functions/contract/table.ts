/**
 * The ledger's table, except for its name: stack, local setup and tests create it from this, and the ledger reads and writes
 * with these names. functions/ledger/item.ts documents the rows.
 */
export interface KeyAttribute {
  readonly name: string;
  /** DynamoDB's scalar types: string, number. */
  readonly type: 'S' | 'N';
}

interface AnyIndex {
  readonly name: string;
  readonly partitionKey: KeyAttribute;
}
interface GlobalIndex extends AnyIndex {
  readonly scope: 'global';
  readonly sortKey?: KeyAttribute;
}
/** Has the table's partition key and strongly consistent reads, but can only be created together with the table. */
interface LocalIndex extends AnyIndex {
  readonly scope: 'local';
  readonly sortKey: KeyAttribute;
}
export type LedgerIndex = GlobalIndex | LocalIndex;

/**
 * An index holds keys, and what it finds is read again from the table. A write to an index costs by the size of what it
 * holds, and a row in it is written about six times: with the tokens in it, that would be the larger part of the cost.
 */
export const INDEX_PROJECTION = 'KEYS_ONLY' as const;

/** Counted up where rows are written in another shape. Rows of every schema are read: test/contract/ledger/rows has them. */
export const LEDGER_SCHEMA = 1;

export const LEDGER_TABLE = {
  partitionKey: { name: 'pk', type: 'S' },
  sortKey: { name: 'sk', type: 'S' },
  /** Epoch seconds. Only deletes finished rows: DynamoDB deletes up to days late, so nothing relies on it. */
  timeToLive: 'retention',
  indexes: {
    /** Sparse: rows that the sweep must process, oldest first within a shard; blocks are in shards of their own. */
    due: {
      name: 'due',
      scope: 'global',
      partitionKey: { name: 'dueShard', type: 'S' },
      sortKey: { name: 'dueAt', type: 'N' },
    },
    /** Sparse: unfinished rows by the caller that they were minted for. */
    caller: {
      name: 'caller',
      scope: 'global',
      partitionKey: { name: 'callerDigest', type: 'S' },
    },
    /** Sparse: the same by the session at the issuer, where its tokens name one (`sessionClaim`). */
    session: {
      name: 'session',
      scope: 'global',
      partitionKey: { name: 'sessionDigest', type: 'S' },
    },
    /** Sparse: rows that have had a token, by its digest, finished ones too. */
    token: {
      name: 'token',
      scope: 'global',
      partitionKey: { name: 'tokenDigest', type: 'S' },
    },
    /**
     * Sparse: unfinished rows of a user, without the finished rows of a month. It never lags. It costs only two write units
     * per token, because its sort key does not change while a row is in it (docs/adr/0008).
     */
    unfinished: {
      name: 'unfinished',
      scope: 'local',
      partitionKey: { name: 'pk', type: 'S' },
      sortKey: { name: 'callerDigest', type: 'S' },
    },
  },
} as const satisfies {
  partitionKey: KeyAttribute;
  sortKey: KeyAttribute;
  timeToLive: string;
  indexes: Record<string, LedgerIndex>;
};

export const LEDGER_INDEXES: readonly LedgerIndex[] = Object.values(LEDGER_TABLE.indexes);

const keySchema = (partitionKey: KeyAttribute, sortKey?: KeyAttribute) => [
  { AttributeName: partitionKey.name, KeyType: 'HASH' as const },
  ...(sortKey ? [{ AttributeName: sortKey.name, KeyType: 'RANGE' as const }] : []),
];

/** Input of DynamoDB's CreateTable for a table of this name: on demand, no time to live (which takes a separate call). */
export function createTableInput(tableName: string) {
  const keys: KeyAttribute[] = [LEDGER_TABLE.partitionKey, LEDGER_TABLE.sortKey];
  for (const index of LEDGER_INDEXES) keys.push(index.partitionKey, ...(index.sortKey ? [index.sortKey] : []));
  const types = new Map(keys.map(({ name, type }) => [name, type]));
  const indexes = (scope: LedgerIndex['scope']) =>
    LEDGER_INDEXES.filter((index) => index.scope === scope).map((index) => ({
      IndexName: index.name,
      KeySchema: keySchema(index.partitionKey, index.sortKey),
      Projection: { ProjectionType: INDEX_PROJECTION },
    }));
  return {
    TableName: tableName,
    BillingMode: 'PAY_PER_REQUEST' as const,
    KeySchema: keySchema(LEDGER_TABLE.partitionKey, LEDGER_TABLE.sortKey),
    AttributeDefinitions: [...types].map(([name, type]) => ({ AttributeName: name, AttributeType: type })),
    GlobalSecondaryIndexes: indexes('global'),
    LocalSecondaryIndexes: indexes('local'),
  };
}
