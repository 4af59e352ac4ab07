/** The rows of a running local broker as they are in its table, including finished rows and blocks. */
import { createSecretKey } from 'node:crypto';
import {
  type AttributeValue,
  DeleteItemCommand,
  DynamoDBClient,
  paginateScan,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { BlockScope } from '../../functions/broker/blocks.ts';
import { type Lease, sameCaller } from '../../functions/broker/lease.ts';
import { makeHandles } from '../../functions/ledger/handles.ts';
import { leaseOf, sessionDigest } from '../../functions/ledger/item.ts';
import { TABLE_NAME } from '../../local/function-variables.ts';
import { REGION } from '../../local/lambda/environment.ts';
import type { LocalBroker } from '../../local/local-broker.ts';

export interface CutOffRow {
  readonly covers: (lease: Lease) => boolean;
  readonly before: number;
  readonly pending: boolean;
}

export interface LedgerRows {
  readonly leases: readonly Lease[];
  readonly cutOffs: readonly CutOffRow[];
  /** The ledger's digest key in base64; undefined before its first use. */
  readonly digestKey: string | undefined;
  /** The digest of a token, as in its row; empty before the first use of the key. */
  readonly tokenDigest: (token: string) => string;
}

const DIGEST_CONTEXT = { purpose: 'ledger-digest-key', environment: 'local', table: TABLE_NAME };

async function digestUnder(bytes: Buffer | undefined): Promise<LedgerRows['tokenDigest']> {
  if (bytes === undefined) return () => '';
  const key = createSecretKey(bytes);
  return (await makeHandles({ environment: 'local', digestKey: async () => key })(Infinity)).tokenDigest;
}

function clientOf({ aws }: Pick<LocalBroker, 'aws'>): DynamoDBClient {
  const credentials = { accessKeyId: 'audit', secretAccessKey: 'audit' };
  return new DynamoDBClient({ endpoint: aws.dynamodb.url, region: REGION, credentials });
}

/** Hides the live rows of a user from the due index, as an index does that lags. Returns what shows them again. */
export async function hideFromDue(broker: Pick<LocalBroker, 'aws'>, user: string): Promise<() => Promise<void>> {
  const client = clientOf(broker);
  const ExpressionAttributeValues = marshall({ ':pk': `u#${user}` });
  const query = { TableName: TABLE_NAME, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues };
  const { Items = [] } = await client.send(new QueryCommand(query));
  const live = Items.filter(({ state }) => state?.S === 'live');
  const put = (items: typeof Items) =>
    Promise.all(items.map((Item) => client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }))));
  await put(live.map(({ dueShard: _hidden, ...rest }) => rest));
  return async () => void (await put(live));
}

/**
 * Keeps the rows whose partition begins so. The function that it returns puts all of them back as they were: a store that
 * forgets what it has acknowledged.
 */
export async function rememberRows(broker: Pick<LocalBroker, 'aws'>, begins: string): Promise<() => Promise<void>> {
  const client = clientOf(broker);
  const rows = async () => {
    const items: Record<string, AttributeValue>[] = [];
    for await (const { Items = [] } of paginateScan({ client }, { TableName: TABLE_NAME, ConsistentRead: true }))
      items.push(...Items.filter(({ pk }) => pk?.S?.startsWith(begins)));
    return items;
  };
  const before = await rows();
  return async () => {
    for (const { pk, sk } of await rows())
      if (pk && sk) await client.send(new DeleteItemCommand({ TableName: TABLE_NAME, Key: { pk, sk } }));
    for (const Item of before) await client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }));
    client.destroy();
  };
}

/** As if the last tokens of all ThoughtSpot users of a person had ended at that time, epoch ms. */
export async function backdateHolds(broker: Pick<LocalBroker, 'aws'>, person: string, until: number): Promise<void> {
  const client = clientOf(broker);
  const partition = { KeyConditionExpression: 'pk = :pk AND begins_with(sk, :person)' };
  const values = marshall({ ':pk': 'holds', ':person': `${person}~` });
  const { Items = [] } = await client.send(
    new QueryCommand({ TableName: TABLE_NAME, ...partition, ExpressionAttributeValues: values }),
  );
  for (const item of Items)
    await client.send(new PutItemCommand({ TableName: TABLE_NAME, Item: { ...item, ...marshall({ until }) } }));
  client.destroy();
}

function widestScope(sk: string): BlockScope {
  const [, kind, name = ''] = /^(\w+)#(.*)$/s.exec(sk) ?? [];
  if (kind === 'policy') return { kind, policyVersion: name };
  if (kind === 'rule') return { kind, rule: name };
  return kind === 'org' ? { kind, orgId: Number(name) } : { kind: 'all' };
}

/** Whether a lease, with the digest of its session, is of a scope. */
function coverOf(scope: BlockScope): (lease: Lease, session: string | undefined) => boolean {
  switch (scope.kind) {
    case 'all':
      return () => true;
    case 'org':
      return ({ orgId }) => orgId === scope.orgId;
    case 'policy':
      return ({ policyVersion }) => policyVersion === scope.policyVersion;
    case 'rule':
      return ({ rule }) => rule === scope.rule;
    case 'user':
      return ({ user, orgId }) => user === scope.user && (scope.orgId ?? orgId) === orgId;
    case 'subject':
      return ({ caller }) => sameCaller(caller, scope);
    case 'session':
      return (_lease, session) => session === sessionDigest(scope.issuer, scope.session);
  }
}

/** Reads every row, strongly consistent. leaseIds are left out, because only the broker can create them. */
export async function ledgerRows(broker: Pick<LocalBroker, 'aws'>): Promise<LedgerRows> {
  const client = clientOf(broker);
  const leases: Lease[] = [];
  const cutOffs: CutOffRow[] = [];
  const sessions = new Map<Lease | undefined, string | undefined>();
  let digestKey: Buffer | undefined;
  try {
    for await (const page of paginateScan({ client }, { TableName: TABLE_NAME, ConsistentRead: true })) {
      for (const item of page.Items ?? []) {
        const partition = item['pk']?.S ?? '';
        if (partition.startsWith('u#')) leases.push(leaseOf(unmarshall(item), () => ''));
        if (partition === 'key#local' && item['sk']?.S === 'digest')
          digestKey = broker.aws.kms.unwrapped(item['wrapped']?.B ?? new Uint8Array(), DIGEST_CONTEXT);
        if (partition.startsWith('u#')) sessions.set(leases.at(-1), item['sessionDigest']?.S);
        if (partition === 'cutoffs' || partition.startsWith('block#')) {
          const { pending, before, scope = {}, sk } = unmarshall(item);
          const covers = coverOf(partition === 'cutoffs' ? widestScope(String(sk)) : (scope as BlockScope));
          cutOffs.push({
            covers: (lease) => covers(lease, sessions.get(lease)),
            before: Number(before),
            pending: pending === true,
          });
        }
      }
    }
  } finally {
    client.destroy();
  }
  return { leases, cutOffs, digestKey: digestKey?.toString('base64'), tokenDigest: await digestUnder(digestKey) };
}
