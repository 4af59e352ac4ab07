/**
 * The table that an environment imports (`ledger: { import }`), as DynamoDB has it now. A copy that was restored to a point in
 * time has the keys, indexes and encryption of its source, and none of its other settings (API reference of
 * RestoreTableToPointInTime).
 */
import {
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndexDescription,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import { createTableInput, LEDGER_TABLE } from '../functions/contract/table.ts';
import { messageOf } from '../local/command.ts';

export interface TableFindings {
  /** Why the functions cannot work with it. */
  readonly faults: readonly string[];
  /** What it should have and lacks, each with the command that gives it. */
  readonly lacks: readonly string[];
}

/** Asks DynamoDB. `retain`: whether the table of such an environment is protected from deletion. Rejects where AWS refuses. */
export async function examineTable(
  client: Pick<DynamoDBClient, 'send'>,
  name: string,
  retain: boolean,
): Promise<TableFindings> {
  const ask = { TableName: name };
  const described = await client.send(new DescribeTableCommand(ask)).catch((error: unknown) => messageOf(error));
  if (typeof described === 'string') return { faults: [`it cannot be described: ${described}`], lacks: [] };
  const { Table: table = {} } = described;
  const [{ TimeToLiveDescription: ttl }, { ContinuousBackupsDescription: backups }] = await Promise.all([
    client.send(new DescribeTimeToLiveCommand(ask)),
    client.send(new DescribeContinuousBackupsCommand(ask)),
  ]);
  const command = (words: string) => `aws dynamodb ${words} --table-name ${name}`;
  const wanted: readonly (readonly [has: boolean, lacks: string])[] = [
    [
      ttl?.AttributeName === LEDGER_TABLE.timeToLive && /^ENABL/.test(ttl.TimeToLiveStatus ?? ''),
      `finished rows stay for ever: ${command('update-time-to-live')} --time-to-live-specification Enabled=true,AttributeName=${LEDGER_TABLE.timeToLive}`,
    ],
    [
      backups?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus === 'ENABLED',
      `it cannot be restored itself: ${command('update-continuous-backups')} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`,
    ],
    [
      !retain || table.DeletionProtectionEnabled === true,
      `anybody can delete it: ${command('update-table')} --deletion-protection-enabled`,
    ],
  ];
  return { faults: faultsOf(table, name), lacks: wanted.flatMap(([has, lacks]) => (has ? [] : [lacks])) };
}

function faultsOf(table: TableDescription, name: string): readonly string[] {
  const { GlobalSecondaryIndexes: global, LocalSecondaryIndexes: local, ...made } = createTableInput(name);
  const found: readonly GlobalSecondaryIndexDescription[] = [
    ...(table.GlobalSecondaryIndexes ?? []),
    ...(table.LocalSecondaryIndexes ?? []),
  ];
  const waits = (what: string, state: string | undefined) =>
    state === undefined || state === 'ACTIVE' ? [] : [`${what} is ${state}, not ACTIVE: wait for it`];
  return [
    ...waits('it', table.TableStatus),
    ...(keysOf(table) === keysOf(made) ? [] : ['it has other keys than a ledger']),
    ...[...global, ...local].flatMap(({ IndexName, ...index }) => {
      const one = found.find((each) => each.IndexName === IndexName);
      if (one === undefined || keysOf(one) !== keysOf(index)) return [`it has no index ${IndexName} of a ledger`];
      return waits(`its index ${IndexName}`, one.IndexStatus);
    }),
  ];
}

const keysOf = ({ KeySchema = [] }: Pick<TableDescription, 'KeySchema'>): string =>
  KeySchema.map(({ KeyType, AttributeName }) => `${KeyType} ${AttributeName}`).join();
