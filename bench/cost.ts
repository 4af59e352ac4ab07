/** What a million tokens cost: units that are counted and measured here, times list prices. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BatchGetItemCommand,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  type AttributeValue,
} from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { BUNDLE_HANDLER } from '../functions/contract/bundle.ts';
import { FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';
import { bundleFunctions } from '../infra/bundles.ts';
import { buildBootstrap } from '../local/function-set.ts';
import { TABLE_NAME } from '../local/function-variables.ts';
import { OutputLog } from '../local/lambda/output.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { ask, sandbox, type Yard } from './cold-start.ts';
import { durationMs } from './memory-rule.ts';
import { processorMs } from './processor-time.ts';
import { startSetup } from './setup.ts';
import { itemBytes, lifeOf } from './write-units.ts';

/** US dollars per unit: us-east-1, arm64, on demand, no free tier. docs/deploy.md says which were compared with lists. */
const PRICE = {
  request: 1e-6,
  call: 0.2e-6,
  gigabyteSecond: 0.0000133334,
  writeUnit: 0.625e-6,
  readUnit: 0.125e-6,
  logByte: 0.5e-9,
};
/** Assumed, as nothing here is as far away: what a call of ThoughtSpot and one of DynamoDB take there, ms. */
const WAIT_MS = { thoughtspot: 200, dynamodb: 5 };
/** Dollars for a million. */
const MOST = { minting: 21, serving: 5 };
const UNIT_BYTES = 1_024;
const TOKEN_CHARACTERS = [250, 1_000, 4_000] as const;

type Setup = Yard['setup'];

/** Of one request, on average, in a warm sandbox. */
interface Spent {
  /** Of a whole processor, ms. */
  readonly processor: number;
  readonly logBytes: number;
  readonly readUnits: number;
  /** For rows that are no leases: a lease's units follow from the length of its token. */
  readonly writeUnits: number;
  readonly ledgerCalls: number;
}

/**
 * Asks dynalite what DynamoDB would charge for the same reads, made again afterwards, and sizes the rows that were written
 * besides leases. A query that finds nothing is taken to cost as much as the smallest that finds something.
 */
async function unitsOf(calls: Setup['aws']['dynamodb']['calls']) {
  const client = new DynamoDBClient({});
  let [readUnits, writeUnits] = [0, 0];
  for (const { operation, input } of calls) {
    const again = { ...input, ReturnConsumedCapacity: 'TOTAL' } as const;
    if (operation === 'Query') {
      const { ConsumedCapacity } = await client.send(new QueryCommand({ TableName: TABLE_NAME, ...again }));
      const least = input['ConsistentRead'] === true ? 1 : 0.5;
      readUnits += Math.max(least, ConsumedCapacity?.CapacityUnits ?? 0);
    } else if (operation === 'BatchGetItem') {
      const { ConsumedCapacity } = await client.send(new BatchGetItemCommand({ RequestItems: {}, ...again }));
      for (const { CapacityUnits = 0 } of ConsumedCapacity ?? []) readUnits += CapacityUnits;
    } else {
      const key = input['Key'] as Record<string, AttributeValue> | undefined;
      if (key === undefined || key['pk']?.S?.startsWith('u#')) continue;
      const { Item = {} } = await client.send(new GetItemCommand({ TableName: TABLE_NAME, Key: key }));
      writeUnits += Math.ceil(itemBytes(unmarshall(Item)) / UNIT_BYTES);
    }
  }
  client.destroy();
  return { readUnits, writeUnits };
}

/** The first request, which is cold, does not count. */
async function spentBy(yard: Yard, name: FunctionName, [first, ...events]: readonly object[]): Promise<Spent> {
  const { dynamodb } = yard.setup.aws;
  const output = new OutputLog(1_000);
  const one = sandbox(yard, name, BUNDLE_HANDLER, output);
  try {
    await one.start(10_000);
    await ask(one, first ?? {});
    const before = { bytes: output.text().length, calls: dynamodb.calls.length, ms: processorMs(one.pid ?? 0) };
    for (const event of events) await ask(one, event);
    const processor = processorMs(one.pid ?? 0) - before.ms;
    const calls = dynamodb.calls.slice(before.calls);
    const { readUnits, writeUnits } = await unitsOf(calls);
    const each = (sum: number) => sum / events.length;
    return {
      processor: each(processor),
      logBytes: each(output.text().length - before.bytes),
      readUnits: each(readUnits),
      writeUnits: each(writeUnits),
      ledgerCalls: each(calls.length),
    };
  } finally {
    await one.kill();
  }
}

/** Dollars for a million requests: by what, and in all. `leaseUnits`: writes of the lease itself. */
function dollars(name: FunctionName, spent: Spent, leaseUnits: number, upstreamCalls: number) {
  const { memoryMb } = FUNCTIONS[name];
  const waits = upstreamCalls * WAIT_MS.thoughtspot + spent.ledgerCalls * WAIT_MS.dynamodb;
  const seconds = (durationMs(spent.processor, memoryMb) + waits) / 1_000;
  const parts = {
    gateway: PRICE.request,
    lambda: PRICE.call + ((seconds * memoryMb) / 1_024) * PRICE.gigabyteSecond,
    writes: (spent.writeUnits + leaseUnits) * PRICE.writeUnit,
    reads: spent.readUnits * PRICE.readUnit,
    logs: spent.logBytes * PRICE.logByte,
  };
  const million = Object.entries(parts).map(([part, price]) => [part, price * 1e6] as const);
  return { parts: Object.fromEntries(million), total: million.reduce((sum, [, price]) => sum + price, 0), seconds };
}

async function run(context: Context): Promise<Result> {
  const requests = context.quick ? 5 : 60;
  const setup = await startSetup(requests, { rateLimit: false });
  const folder = await mkdtemp(join(tmpdir(), 'broker-bench-'));
  try {
    const yard = { setup, folder, bootstrap: await buildBootstrap(folder) };
    await bundleFunctions(folder, setup.policy);
    const mint = setup.people.map((person) => setup.requestOf(person));
    context.progress(0.3, 'mints, reuses and revocations');
    const minted = await spentBy(yard, 'gettoken', mint);
    const reused = await spentBy(yard, 'gettoken', mint);
    const revoke = mint.map((event) => ({ ...event, routeKey: 'POST /revoketoken' }));
    const revoked = await spentBy(yard, 'revoketoken', revoke);
    return report(minted, reused, revoked);
  } finally {
    await setup.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function report(minted: Spent, reused: Spent, revoked: Spent): Result {
  const reuse = dollars('gettoken', reused, 0, 0);
  const lives = TOKEN_CHARACTERS.map((characters) => {
    const units = lifeOf(characters);
    const mint = dollars('gettoken', minted, units.minted, 1);
    const revoke = dollars('revoketoken', revoked, units.revoked, 1);
    return { characters, mint, revoke, both: mint.total + revoke.total };
  });
  const row = (label: string, { parts, total, seconds }: ReturnType<typeof dollars>, { processor, ...spent }: Spent) =>
    `| ${[label, ...Object.values(parts).map((price) => price.toFixed(2)), total.toFixed(2)].join(' | ')} | ${processor.toFixed(1)} ms, ` +
    `${seconds.toFixed(2)} s | ${spent.ledgerCalls.toFixed(1)} calls, ${spent.readUnits.toFixed(1)} read units, ${spent.logBytes.toFixed(0)} bytes of log |`;
  const minting = lives[0]?.both ?? NaN;
  const serving = minting / 10 + reuse.total * 0.9;
  const goal = (what: string, cost: number, most: number) => ({
    goal: `${what} cost at most ${most} dollars (docs/deploy.md)`,
    measured: cost.toFixed(2),
    met: cost <= most,
  });
  return {
    goals: [
      goal('a million tokens of 250 characters, minted and revoked,', minting, MOST.minting),
      goal('a million answers of which nine in ten serve a live token again', serving, MOST.serving),
    ],
    charts: [
      {
        kind: 'bars',
        file: 'cost',
        title: 'Dollars for a million requests, by length of a token',
        unit: 'USD',
        bars: [
          { label: 'served again', value: reuse.total, tone: 'ours' },
          ...lives.map(({ characters, both }) => ({
            label: `minted and revoked, ${characters.toLocaleString('en')} characters`,
            value: both,
            tone: 'ours' as const,
          })),
        ],
      },
    ],
    method:
      `Every function runs its bundle in a warm sandbox. Bytes of log and calls of the ledger are counted. Units of reads are ` +
      `what dynalite says that DynamoDB would charge, and at least the smallest charge for a query that finds nothing; those of ` +
      `writes follow from the rows (bench/write-units.ts), with the hold that this policy needs. Time is the ` +
      `measured processor time at the function's share of a processor, and assumed waits: ${WAIT_MS.thoughtspot} ms for a call ` +
      `of ThoughtSpot and ${WAIT_MS.dynamodb} ms for one of DynamoDB. Dollars are for a million, by list prices of us-east-1.\n\n` +
      `| | gateway | Lambda | writes | reads | logs | total | time used and billed | counted |\n` +
      `| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n` +
      [
        row('served again', reuse, reused),
        ...lives.flatMap(({ characters, mint, revoke }) => [
          row(`minted, ${characters.toLocaleString('en')} characters`, mint, minted),
          row(`revoked, ${characters.toLocaleString('en')} characters`, revoke, revoked),
        ]),
      ].join('\n'),
    samples: {},
    facts: { minted, reused, revoked, dollars: { reuse, lives } },
  };
}

export const costBenchmark: Benchmark = { name: 'cost', title: 'What a million tokens cost', seconds: 15, run };
