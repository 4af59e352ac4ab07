/** docs/bad-days.md, "The table is lost, or restored": the bundles on a copy of the table as it was earlier, and on an empty one. */
import { DynamoDBClient, paginateScan, PutItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { createTable } from '../../../local/aws/local-aws.ts';
import { TABLE_NAME } from '../../../local/function-variables.ts';
import { REGION } from '../../../local/lambda/environment.ts';
import { type LocalBroker, startLocalBroker } from '../../../local/local-broker.ts';
import { type Witness, witness } from '../../support/broker-witness.ts';

let broker: LocalBroker;
let seen: Witness;
let dynamodb: DynamoDBClient;
beforeEach(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  seen = witness(broker);
  const credentials = { accessKeyId: 'operator', secretAccessKey: 'operator' };
  dynamodb = new DynamoDBClient({ endpoint: broker.aws.dynamodb.url, region: REGION, credentials });
});
afterEach(async () => {
  dynamodb.destroy();
  await broker.close();
});

type Rows = readonly Record<string, AttributeValue>[];
/** All rows as they are now: what a copy of this moment has. */
async function restorePoint(): Promise<Rows> {
  const rows: Record<string, AttributeValue>[] = [];
  for await (const { Items = [] } of paginateScan(
    { client: dynamodb },
    { TableName: TABLE_NAME, ConsistentRead: true },
  ))
    rows.push(...Items);
  return rows;
}

/** As a deployment with `ledger: { import }` does it: every function is on the copy. */
async function useCopy(rows: Rows): Promise<void> {
  const LEDGER_TABLE = 'ledger-restored';
  await createTable(broker.aws.dynamodb.url, LEDGER_TABLE);
  for (const Item of rows) await dynamodb.send(new PutItemCommand({ TableName: LEDGER_TABLE, Item }));
  for (const local of broker.functions.values()) local.replace({ variables: { ...local.variables, LEDGER_TABLE } });
}

const asOperator = (path: string, body: object) => seen.ask('ops', path, { body });
const tokenOf = async (user: string, body: object = {}) =>
  String((await seen.ask(user, '/gettoken', { body })).json['token']);
const isAlive = (token: string) => broker.simulator?.tokens().includes(token);
/** The longest life that the policy of `npm start` gives. */
const LONGEST_MS = 3_600_000;

test('on a copy of an earlier moment nothing of before is served any more once everything is revoked, and what the copy forgot is waited out', async () => {
  const [early, bobs] = [await tokenOf('alice'), await tokenOf('bob')];
  const rows = await restorePoint();
  // Since then: a token was revoked, others were made, and somebody was suspended.
  await seen.ask('alice', '/revoketoken', { body: {} });
  const forgotten = await tokenOf('carol');
  await asOperator('/suspend', { userName: 'mallory' });
  expect([isAlive(early), isAlive(bobs), isAlive(forgotten)]).toEqual([false, true, true]);

  await useCopy(rows);
  // Why everything is revoked first: the copy takes a token for live that has ended, and would hand it out.
  expect(await tokenOf('alice')).toBe(early);
  expect((await asOperator('/revoketoken', { all: true, keepSignIn: true })).status).toBe(202);
  await seen.sweepToRest();
  expect(isAlive(bobs)).toBe(false);
  const anew = [await tokenOf('alice'), await tokenOf('bob')];
  expect(anew.map(isAlive)).toEqual([true, true]);
  expect(anew).not.toContain(early);

  // The copy has no row of it: it is in no list, and lives to its own end, unless an operator has it.
  const { json } = await seen.ask('ops', '/leases?user=carol', { method: 'GET' });
  expect(json['leases']).toEqual([]);
  expect(isAlive(forgotten)).toBe(true);
  broker.simulator?.set({ clockOffsetMs: LONGEST_MS });
  expect(isAlive(forgotten)).toBe(false);
  expect(await seen.leaks()).toEqual([]);
});

test('on an empty table everybody gets a new token, an operator ends an old one that he has, and suspensions are given again', async () => {
  const old = await tokenOf('carol');
  await asOperator('/suspend', { userName: 'alice' });
  expect(await seen.ask('alice')).toMatchObject({ status: 403, code: 'suspended' });

  await useCopy([]);
  expect(await seen.ask('alice')).toMatchObject({ status: 200 });
  await asOperator('/suspend', { userName: 'alice' });
  expect(await seen.ask('alice')).toMatchObject({ status: 403, code: 'suspended' });
  await seen.sweepToRest();
  expect(seen.liveTokens('alice')).toEqual([]);

  expect(isAlive(old)).toBe(true);
  expect((await asOperator('/revoketoken', { token: old })).status).toBe(200);
  expect(isAlive(old)).toBe(false);
  expect(await seen.leaks()).toEqual([]);
});
