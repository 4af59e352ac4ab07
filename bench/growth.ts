/** Whether it takes longer to mint, reuse or revoke a token when the ledger holds more rows. */
import { BatchWriteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { Caller } from '../functions/broker/ports.ts';
import type { Item } from '../functions/ledger/item.ts';
import { reservedItem } from '../functions/ledger/writes.ts';
import { TABLE_NAME } from '../local/function-variables.ts';
import { REGION } from '../local/lambda/environment.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { median, millisecondsOf, ratios, spread } from './measure.ts';
import { type Setup, startSetup, unheard } from './setup.ts';
import { useCasesOn } from './use-cases.ts';

/** Finished leases of one subject, and rows of others. BENCH_FULL=1 goes as far as the goal says. */
const SIZES = { quick: [1, 100], usual: [1, 1_000, 10_000], full: [1, 1_000, 100_000] } as const;
const OTHERS = { quick: 200, usual: 50_000, full: 1_000_000 } as const;
/** How much longer a larger ledger may take: a ratio that is within the noise here. */
export const FLAT = 1.25;
const BATCH = 25;
const ACTIONS = ['mint', 'reuse', 'revoke'] as const;
type Action = (typeof ACTIONS)[number];

export const ISSUER = 'https://issuer.example';
export const callerOf = (person: string): Caller => ({
  issuer: ISSUER,
  subject: `user-${person}`,
  claims: {
    iss: ISSUER,
    sub: `user-${person}`,
    preferred_username: person,
    name: person,
    email: `${person}@acme.example`,
    groups: ['analysts'],
    'https://broker.example/tenant': 'acme',
  },
  issuedAt: 3_999_999_000_000,
  expiresAt: 4_000_000_000_000,
  scopes: ['token'],
});

/** A revoked lease, as the table keeps it for a month. */
function finishedRow(user: string, fingerprint: string, generation: number, subject: string): Item {
  const at = Date.now() - 86_400_000;
  const reservation = {
    user,
    fingerprint,
    generation,
    caller: { issuer: ISSUER, subject },
    shared: false,
    orgId: 1,
    kind: 'full',
    rule: 'tenant-members',
    grant: 'full',
    policyVersion: 'bench',
    reservedAt: at,
    mintDeadlineAt: at + 14_000,
    latestEndAt: at + 400_000,
  } as const;
  const item = reservedItem(reservation, { shards: 16, now: at, write: 'bench' });
  for (const name of ['callerDigest', 'dueShard', 'dueAt']) Reflect.deleteProperty(item, name);
  return { ...item, state: 'revoked', tokenDigest: `digest-${user}-${generation}` };
}

function* batchesOf(rows: Iterable<Item>): Generator<readonly Item[]> {
  let batch: Item[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

export async function fill(setup: Setup, rows: Iterable<Item>, onRows: (count: number) => void): Promise<void> {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint: setup.aws.dynamodb.url, region: REGION, credentials });
  const write = async (batch: readonly Item[]) => {
    const requests = batch.map((item) => ({ PutRequest: { Item: marshall(item) } }));
    await client.send(new BatchWriteItemCommand({ RequestItems: { [TABLE_NAME]: requests } }));
    onRows(batch.length);
  };
  // Several writers take batches from the same generator.
  const batches = batchesOf(rows);
  const writer = async () => {
    for (const batch of batches) await write(batch);
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  client.destroy();
}

async function measure(context: Context, setup: Setup): Promise<Result> {
  const profile = context.quick ? 'quick' : process.env['BENCH_FULL'] === undefined ? 'usual' : 'full';
  const [sizes, others] = [SIZES[profile], OTHERS[profile]];
  const rounds = context.quick ? 3 : 40;
  // The mint limit is not what is measured here.
  const { getToken, revokeTokens } = await useCasesOn(setup, {}, { mintLimitWindowMs: 1 });
  const subjects = setup.people.slice(0, sizes.length);

  // The fingerprint of each subject's leases depends on the policy: a first token shows it.
  const fingerprints: string[] = [];
  for (const person of subjects) {
    const { lease } = await getToken(callerOf(person), {}, Date.now() + 10_000);
    fingerprints.push(lease.fingerprint);
    await revoke(revokeTokens, person);
  }
  const total = others + sizes.reduce((sum, size) => sum + size, 0);
  let written = 0;
  const onRows = (count: number) => {
    written += count;
    context.progress((0.8 * written) / total, 'filling the table');
  };
  await fill(setup, rowsOf(subjects, fingerprints, sizes, others), onRows);

  const samples: Record<Action, number[][]> = { mint: [], reuse: [], revoke: [] };
  for (const action of ACTIONS) samples[action] = sizes.map(() => []);
  for (let round = -3; round < rounds; round += 1) {
    for (const [index, person] of subjects.entries()) {
      const caller = callerOf(person);
      const ask = () => getToken(caller, {}, Date.now() + 10_000);
      const took = {
        mint: await millisecondsOf(ask),
        reuse: await millisecondsOf(ask),
        revoke: await millisecondsOf(() => revoke(revokeTokens, person)),
      };
      if (round >= 0) for (const action of ACTIONS) samples[action][index]?.push(took[action]);
    }
    context.progress(0.8 + (0.2 * (round + 3)) / (rounds + 3), 'measuring');
  }
  return report(samples, sizes, others);
}

function* rowsOf(people: readonly string[], prints: readonly string[], sizes: readonly number[], others: number) {
  for (const [index, size] of sizes.entries()) {
    const [person = '', print = ''] = [people[index], prints[index]];
    // History takes the generations from 1,001 up, clear of the one that showed the fingerprint.
    for (let row = 1; row < size; row += 1) yield finishedRow(person, print, row + 1_000, `user-${person}`);
  }
  for (let row = 0; row < others; row += 1) yield finishedRow(`other${row % 5_000}`, `print${row}`, 1, `other-${row}`);
}

async function revoke(revokeTokens: Awaited<ReturnType<typeof useCasesOn>>['revokeTokens'], person: string) {
  const revoker = { kind: 'caller', caller: callerOf(person), mayRevokeOthers: false } as const;
  const { revoked } = await revokeTokens(revoker, { kind: 'mine' }, Date.now(), Date.now() + 10_000);
  if (revoked !== 1) throw new Error(`one token of ${person} should have been revoked, ${revoked} were`);
}

function report(samples: Record<Action, number[][]>, sizes: readonly number[], others: number): Result {
  const least = (action: Action) => samples[action][0] ?? [];
  const largest = (action: Action) => samples[action].at(-1) ?? [];
  return {
    goals: ACTIONS.map((action) => {
      const growth = median(ratios(largest(action), least(action)));
      return {
        goal: `${action} with ${sizes.at(-1)} leases of the subject takes at most ${FLAT}x as long as with one`,
        measured: `${growth.toFixed(2)}x (${median(largest(action)).toFixed(1)} ms against ${median(least(action)).toFixed(1)} ms, spread ${(spread(least(action)) * 100).toFixed(0)} %)`,
        met: growth <= FLAT,
      };
    }),
    charts: [
      {
        kind: 'lines',
        file: 'growth',
        title: 'Median time by leases of the subject',
        xLabel: 'leases of one subject',
        yLabel: 'ms',
        logX: true,
        lines: ACTIONS.map((action, at) => ({
          label: action,
          tone: (['ours', 'floor', 'peer'] as const)[at] ?? 'ours',
          points: sizes.map((size, index) => [size, median(samples[action][index] ?? [])] as const),
        })),
      },
    ],
    method:
      `The table holds ${others.toLocaleString('en')} finished leases of others. The subjects have ` +
      `${sizes.map((size) => size.toLocaleString('en')).join(', ')} finished leases under the fingerprint of the token that ` +
      `they request. Each subject in turn mints, gets the same token again, and revokes all of its tokens. The domain and its ` +
      `real adapters run over DynamoDB's protocol (the local emulator).` +
      (others < OTHERS.full ? ' BENCH_FULL=1 goes to 100,000 leases of a subject and 1,000,000 others.' : ''),
    samples: Object.fromEntries(
      ACTIONS.flatMap((action) => sizes.map((size, index) => [`${action} ${size}`, samples[action][index] ?? []])),
    ),
    facts: { others },
  };
}

async function run(context: Context): Promise<Result> {
  const setup = await startSetup(3, { rateLimit: false });
  try {
    return await unheard(() => measure(context, setup));
  } finally {
    await setup.close();
  }
}

export const growthBenchmark: Benchmark = { name: 'growth', title: 'Growth', seconds: 60, run };
