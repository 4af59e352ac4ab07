/** The rows of a running local broker as they are in its table, including finished rows and cut-offs. */
import { DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Lease } from '../../functions/broker/lease.ts';
import { leaseOf } from '../../functions/ledger/item.ts';
import { TABLE_NAME } from '../../local/function-variables.ts';
import { REGION } from '../../local/lambda/environment.ts';
import type { LocalBroker } from '../../local/local-broker.ts';

export interface CutOffRow {
  /** `all` or `org#<id>`. */
  readonly scope: string;
  readonly before: number;
  readonly pending: boolean;
}

export interface LedgerRows {
  readonly leases: readonly Lease[];
  readonly cutOffs: readonly CutOffRow[];
}

/** Reads every row, strongly consistent. leaseIds are left out, because only the broker can create them. */
export async function ledgerRows({ aws }: Pick<LocalBroker, 'aws'>): Promise<LedgerRows> {
  const credentials = { accessKeyId: 'audit', secretAccessKey: 'audit' };
  const client = new DynamoDBClient({ endpoint: aws.dynamodb.url, region: REGION, credentials });
  const leases: Lease[] = [];
  const cutOffs: CutOffRow[] = [];
  try {
    for await (const page of paginateScan({ client }, { TableName: TABLE_NAME, ConsistentRead: true })) {
      for (const item of page.Items ?? []) {
        const partition = item['pk']?.S ?? '';
        if (partition.startsWith('u#')) leases.push(leaseOf(unmarshall(item), () => ''));
        if (partition === 'cutoffs') {
          const pending = item['pending']?.BOOL === true;
          cutOffs.push({ scope: item['sk']?.S ?? '', before: Number(item['before']?.N), pending });
        }
      }
    }
  } finally {
    client.destroy();
  }
  return { leases, cutOffs };
}
