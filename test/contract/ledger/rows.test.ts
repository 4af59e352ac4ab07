/**
 * Rows as released versions have written them, one file each in rows/. Every later version must read them: they are in the
 * tables of those who upgrade. A file is never changed; a version that writes other rows adds its own, and counts
 * LEDGER_SCHEMA up.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, PutItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { LEDGER_SCHEMA } from '../../../functions/contract/table.ts';
import { TABLE_NAME } from '../../../local/function-variables.ts';
import { REGION } from '../../../local/lambda/environment.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';

const folder = join(import.meta.dirname, 'rows');
const DAY_MS = 86_400_000;
type Row = Record<string, AttributeValue>;

const rowsIn = (file: string): Row[] =>
  JSON.parse(readFileSync(join(folder, file), 'utf8'), (key, value: unknown) =>
    key === 'B' ? new Uint8Array(Buffer.from(String(value), 'base64')) : value,
  ) as Row[];

/** The keys in the table are wrapped by a KMS key that only its account has. */
const isKey = ({ pk }: Row) => pk?.S?.startsWith('key#') === true;

let broker: LocalBroker;
let seen: Witness;
beforeEach(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  seen = witness(broker);
});
afterEach(() => broker.close());

async function load(rows: readonly Row[]): Promise<void> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new DynamoDBClient({ endpoint: broker.aws.dynamodb.url, region: REGION, credentials });
  for (const Item of rows) await client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }));
  client.destroy();
}

test('there is a file for every schema that a release has had', () => {
  expect(readdirSync(folder)).toHaveLength(LEDGER_SCHEMA);
});

test.each(readdirSync(folder))(
  'rows of %s are listed, block, are swept, and new ones lie beside them',
  async (file) => {
    const rows = rowsIn(file);
    const kinds = rows.map(({ pk }) => (pk?.S ?? '').split('#')[0]);
    expect(new Set(kinds)).toEqual(new Set(['u', 'holds', 'ring', 'cutoffs', 'block', 'key']));
    await load(rows.filter((row) => !isKey(row)));
    expect(await seen.statesOf('alice')).toEqual(['live', 'live']);

    const { json: listed } = await seen.ask('ops', '/leases', { method: 'GET' });
    const shown = (listed['leases'] as { user: string; state: string }[]).map(({ user, state }) => `${user} ${state}`);
    expect(shown.sort()).toEqual(['alice live', 'alice live', 'carol orphaned']);
    const { json: blocked } = await seen.ask('ops', '/blocks', { method: 'GET' });
    expect(blocked['blocks']).toContainEqual(expect.objectContaining({ scope: { kind: 'org', orgId: 77 } }));

    // Their data keys are lost here, so no token of theirs is served again: that is for somebody who restores the keys too.
    expect(await seen.ask('alice')).toMatchObject({ status: 200 });
    broker.functions.get('sweep')?.replace({ clockOffsetMs: DAY_MS });
    await seen.sweepToRest();
    expect([...(await seen.statesOf('alice')), ...(await seen.statesOf('carol'))]).toEqual(Array(4).fill('expired'));
  },
);
