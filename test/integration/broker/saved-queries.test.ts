/** Every saved query is run on lines that the functions and the gateway have written, and finds what its page says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SAVED_QUERIES } from '../../../infra/constructs/saved-queries.ts';
import { signedFetch } from '../../../infra/signed-fetch.ts';
import { REGION } from '../../../local/lambda/environment.ts';
import { asArray } from '../../support/iam-evaluator.ts';
import { runQuery, shownBy, type LogLine, type Row } from '../../support/logs-insights.ts';
import { resources } from '../../support/synthesized.ts';
import { startWatchedBroker, type WatchedBroker } from '../../support/watched-broker.ts';

type Name = keyof typeof SAVED_QUERIES;
let world: WatchedBroker;
let correlationId = '';
const lines: Record<'functions' | 'access', LogLine[]> = { functions: [], access: [] };

beforeAll(async () => {
  world = await startWatchedBroker({});
  const { seen, broker } = world;
  await seen.ask('alice');
  await seen.ask('alice', '/revoketoken');
  // A denial of the policy is a warning, an outage of the ledger is a warning, and a bad secret is an error.
  correlationId = (await seen.ask('mallory')).headers.get('x-correlation-id') ?? '';
  await seen.ask('alice', '/gettoken', { authorization: 'Bearer x' });
  for (let at = 0; at < 32; at += 1) await seen.ask('bob', '/gettoken', { body: { fresh: true } });
  await seen.ask('ops', '/leases', { method: 'GET' });
  const { credentials } = broker.principals.operator;
  await signedFetch({ method: 'GET', url: new URL(`${broker.url}/operator/leases`), credentials, region: REGION });
  broker.simulator?.set({ lostReplies: 1 });
  await seen.ask('carol');
  broker.aws.dynamodb.faults.inject(() => ({ kind: 'error', type: 'InternalServerError' }));
  await seen.ask('alice');
  broker.aws.dynamodb.faults.clear();
  broker.aws.dynamodb.faults.inject(() => ({ kind: 'error', type: 'ValidationException' }));
  await seen.ask('alice');
  broker.aws.dynamodb.faults.clear();
  lines.functions = broker.output
    .lines()
    .filter(({ stream }) => stream !== 'platform')
    .map(({ text, at }) => ({ text, at }));
  lines.access = world.accessLines.map((text) => ({ text, at: Date.now() }));
}, 120_000);
afterAll(() => world.close());

/** The query as it is in the template. */
function deployed(name: Name): string {
  const queries = resources(world.synthesized, 'AWS::Logs::QueryDefinition');
  const [, found] = queries.find(([, { Name }]) => Name === `thoughtspot-broker-prod/${name}`) ?? [];
  expect(asArray(found?.['LogGroupNames'])).not.toHaveLength(0);
  return String(found?.['QueryString']);
}
const run = (name: Name, change = (query: string) => query): readonly Row[] =>
  runQuery(change(deployed(name)), lines[SAVED_QUERIES[name].place]);
const find = (rows: readonly Row[], some: Row) =>
  rows.find((row) => Object.entries(some).every(([name, value]) => row[name] === value));

const FINDS: Readonly<Record<Name, Row>> = {
  failures: { level: 'WARN', 'fields.code': 'not-entitled' },
  'one-request': { message: 'request' },
  codes: { 'fields.status': 403, 'fields.code': 'not-entitled', answers: 1 },
  denied: { code: 'not-entitled', 'caller.subject': 'user-mallory', refused: 1 },
  'mint-limits': { 'caller.subject': 'user-bob', grant: 'full' },
  'gateway-refusals': { status: '401', route: 'POST /gettoken', refused: 1 },
  answers: { status: '429' },
  minted: { user: 'alice', minted: 1 },
  orphans: { user: 'carol' },
  'time-to-revoke': { steps: 2 },
  operators: { action: 'list' },
};

test.each(Object.entries(FINDS) as [Name, Row][])('%s finds what it is for', (name, wanted) => {
  const rows = run(name, (query) => query.replace('<correlationId>', correlationId));
  expect(rows.length).toBeGreaterThan(0);
  expect([name, find(rows, wanted)]).toEqual([name, expect.anything()]);
  // No column that it shows is empty in all rows, as one is that asks for a field by a wrong name.
  const empty = shownBy(deployed(name)).filter((column) => rows.every((row) => row[column] === undefined));
  expect([name, empty]).toEqual([name, []]);
});

test('a filter on errors alone does not find the outage of the ledger, which is a warning', () => {
  const only = run('failures', (query) => query.replace('level in ["ERROR", "WARN"]', 'level in ["ERROR"]'));
  expect(find(only, { 'fields.code': 'not-entitled' })).toBeUndefined();
  expect(find(run('failures'), { 'fields.code': 'not-entitled' })).toBeDefined();
});

test('every query is named in the runbook, and no other', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/runbook.md'), 'utf8');
  const names = Object.keys(SAVED_QUERIES);
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  const named = [...text.matchAll(/quer(?:y|ies)\s+`([a-z-]+)`/g)].map(([, name = '']) => name);
  expect(named.filter((name) => !names.includes(name))).toEqual([]);
  // Queries in the text itself would be run by nobody.
  expect(text).not.toMatch(/`filter /);
});
