/** What a deployment says of a table that an environment imports. The tables are dynalite's, described by the SDK. */
import { CreateTableCommand, DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createTableInput } from '../../functions/contract/table.ts';
import { examineTable } from '../../infra/imported-table.ts';
import { startDynamoDb } from '../../local/aws/dynamodb.ts';
import type { AwsEndpoint } from '../../local/aws/json-endpoint.ts';

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
let endpoint: AwsEndpoint;
let dynamodb: DynamoDBClient;
beforeAll(async () => {
  endpoint = await startDynamoDb();
  dynamodb = new DynamoDBClient({ region: 'eu-west-1', endpoint: endpoint.url, credentials });
});
afterAll(() => endpoint.close());

/** dynalite has no backups, and no table of it is protected or deletes by time: here they are as AWS describes them. */
interface Settings {
  readonly ttl?: object;
  readonly backups?: 'ENABLED' | 'DISABLED';
  readonly table?: object;
}
const WHOLE = { ttl: { AttributeName: 'retention', TimeToLiveStatus: 'ENABLED' }, backups: 'ENABLED' } as const;

function examine(name: string, { ttl, backups = 'DISABLED', table }: Settings, retain = false) {
  const backup = {
    ContinuousBackupsStatus: 'ENABLED',
    PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: backups },
  };
  const settings = { TimeToLiveDescription: ttl, ContinuousBackupsDescription: backup };
  const send = async (command: unknown): Promise<unknown> => {
    if (!(command instanceof DescribeTableCommand)) return settings;
    const { Table } = await dynamodb.send(command);
    return { Table: { ...Table, ...table } };
  };
  return examineTable({ send } as Pick<DynamoDBClient, 'send'>, name, retain);
}

const create = (input: ReturnType<typeof createTableInput>) => dynamodb.send(new CreateTableCommand(input));

test('a copy with all settings is as it must be', async () => {
  await create(createTableInput('whole'));
  expect(await examine('whole', WHOLE)).toEqual({ faults: [], lacks: [] });
  const table = { DeletionProtectionEnabled: true };
  expect(await examine('whole', { ...WHOLE, table }, true)).toEqual({ faults: [], lacks: [] });
});

test('what AWS does not restore is missed, each with the command that brings it back', async () => {
  await create(createTableInput('restored'));
  const { faults, lacks } = await examine('restored', { ttl: { TimeToLiveStatus: 'DISABLED' } }, true);
  expect(faults).toEqual([]);
  expect(lacks).toEqual([
    'finished rows stay for ever: aws dynamodb update-time-to-live --table-name restored --time-to-live-specification Enabled=true,AttributeName=retention',
    'it cannot be restored itself: aws dynamodb update-continuous-backups --table-name restored --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true',
    'anybody can delete it: aws dynamodb update-table --table-name restored --deletion-protection-enabled',
  ]);
  // Environments that are not production protect none of their tables.
  expect((await examine('restored', WHOLE)).lacks).toEqual([]);
});

test.each<[string, Settings, string[]]>([
  ['is still restored', { table: { TableStatus: 'CREATING' } }, ['it is CREATING, not ACTIVE: wait for it']],
  [
    'has other keys',
    { table: { KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }] } },
    ['it has other keys than a ledger'],
  ],
  ['lost its local index', { table: { LocalSecondaryIndexes: undefined } }, ['it has no index unfinished of a ledger']],
])('a table that %s is refused', async (name, settings, faults) => {
  const table = `refused-${name.replaceAll(/\W/g, '-')}`;
  await create(createTableInput(table));
  expect((await examine(table, { ...WHOLE, ...settings })).faults).toEqual(faults);
});

test('an index that is still built, or has other keys, is refused by its name', async () => {
  const input = createTableInput('indexes');
  await create(input);
  const [due, caller, ...others] = input.GlobalSecondaryIndexes.map((index) => ({ ...index, IndexStatus: 'ACTIVE' }));
  const table = {
    GlobalSecondaryIndexes: [{ ...due, IndexStatus: 'CREATING' }, { ...caller, KeySchema: due?.KeySchema }, ...others],
  };
  expect((await examine('indexes', { ...WHOLE, table })).faults).toEqual([
    'its index due is CREATING, not ACTIVE: wait for it',
    'it has no index caller of a ledger',
  ]);
});

test('a table that is not there is a fault in words', async () => {
  const { faults } = await examine('nowhere', WHOLE);
  expect(faults).toEqual([expect.stringMatching(/^it cannot be described: .*not found/)]);
});
