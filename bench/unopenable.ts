/** Tokens of a local broker that cannot be opened, in each of the ways that there are (functions/ledger/sealing.ts). */
import { randomBytes } from 'node:crypto';
import { type AttributeValue, DynamoDBClient, paginateScan, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { TABLE_NAME } from '../local/function-variables.ts';
import { REGION } from '../local/lambda/environment.ts';
import type { LocalBroker } from '../local/local-broker.ts';

/** `lost`: its data key is not in the table. `refused`: KMS does not unwrap the key. `altered`: the token itself is damaged. */
const WAYS = ['lost', 'refused', 'altered'] as const;
type Way = (typeof WAYS)[number];

/** Hours whose keys are lost, and as many whose keys are refused: as many as tokens may live, so no load of a key does for all. */
const HOURS = 24;
/** The key of the last hour may be there, since the hour may have turned while tokens were minted. */
const LAST = 2;
const HOUR_MS = 3_600_000;
const HOUR_AT = 1;

/** The row of the data key of an hour, as in the table. */
const keyRowOf = (hour: number) => ({ pk: 'key#local', sk: new Date(hour * HOUR_MS).toISOString().slice(0, 13) });

/** Every `nth` of so many: its index, how many came before it, and its way. */
export function chosen(count: number, nth: number): readonly { index: number; turn: number; way: Way }[] {
  return Array.from({ length: Math.floor(count / nth) }, (_, turn) => ({
    index: (turn + 1) * nth - 1,
    turn,
    way: WAYS[turn % WAYS.length] ?? 'altered',
  }));
}

/** The hour of a key that cannot be had: lost keys are of the hours before now, refused ones of those before. */
const hourOf = (way: Exclude<Way, 'altered'>, turn: number, hourNow: number): number =>
  hourNow - LAST - (turn % HOURS) - (way === 'refused' ? HOURS : 0);

/** The envelope of a token that does not open any more. */
export function damaged(sealed: Uint8Array, way: Way, turn: number, hourNow: number): Buffer {
  const envelope = Buffer.from(sealed);
  if (way === 'altered') envelope.writeUInt8(envelope.readUInt8(envelope.length - 1) ^ 1, envelope.length - 1);
  else envelope.writeUInt32BE(hourOf(way, Math.floor(turn / WAYS.length), hourNow), HOUR_AT);
  return envelope;
}

/** Spoils every `nth` live token, in the order in which the sweep meets them; how many. KMS takes `refusalMs` to refuse a key. */
export async function spoilEvery({ aws }: LocalBroker, nth: number, refusalMs: number): Promise<number> {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint: aws.dynamodb.url, region: REGION, credentials });
  const put = (Item: Record<string, AttributeValue>) =>
    client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }));
  const hourNow = Math.floor(Date.now() / HOUR_MS);
  const live: Record<string, AttributeValue>[] = [];
  for await (const { Items = [] } of paginateScan({ client }, { TableName: TABLE_NAME }))
    live.push(...Items.filter(({ state }) => state?.S === 'live'));
  live.sort((one, other) => Number(one['dueAt']?.N) - Number(other['dueAt']?.N));

  const wrapped = new Set<string>();
  for (let turn = 0; turn < HOURS; turn += 1) {
    const { pk, sk } = keyRowOf(hourOf('refused', turn, hourNow));
    const bytes = randomBytes(60);
    wrapped.add(bytes.toString('base64'));
    await put({ pk: { S: pk }, sk: { S: sk }, wrapped: { B: bytes }, table: { S: TABLE_NAME } });
  }
  aws.kms.faults.inject(({ operation, input }) =>
    operation === 'Decrypt' && wrapped.has(String(input['CiphertextBlob']))
      ? { kind: 'latency', ms: refusalMs }
      : undefined,
  );
  const spoiled = chosen(live.length, nth);
  for (const { index, turn, way } of spoiled) {
    const item = live[index] ?? {};
    await put({ ...item, token: { B: damaged(item['token']?.B ?? Buffer.alloc(64), way, turn, hourNow) } });
  }
  client.destroy();
  return spoiled.length;
}
