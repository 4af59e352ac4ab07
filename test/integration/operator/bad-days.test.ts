/** The commands of docs/bad-days.md, as people paste them, against the bundles. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SAVED_QUERIES } from '../../../infra/constructs/saved-queries.ts';
import { SECRET_ID } from '../../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';
import { runQuery } from '../../support/logs-insights.ts';

const root = join(import.meta.dirname, '../../..');
const page = readFileSync(join(root, 'docs/bad-days.md'), 'utf8');
let broker: LocalBroker;
let seen: Witness;
let jwt: string;

beforeEach(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  seen = witness(broker);
  jwt = await broker.issuer.accessToken('ops');
});
afterEach(() => broker.close());

/** Runs the commands of a section, in their order, against this broker. */
async function follow(heading: string): Promise<string[]> {
  const section = page.split('\n## ').find((one) => one.startsWith(`${heading}\n`)) ?? '';
  const commands = [...section.matchAll(/`npm run leases -- (revoke [^`]+?) --env prod`/g)].map(
    ([, words = '']) => words,
  );
  expect([heading, commands.length]).toEqual([heading, 1]);
  const said: string[] = [];
  for (const words of commands)
    said.push(await leases([...words.split(' '), '--no-wait', '--url', broker.url, '--jwt', jwt]));
  await broker.sweep();
  return said;
}

function leases(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile('node', ['local/leases.ts', ...args], { cwd: root }, (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(stdout),
    );
    child.stdin?.end();
  });
}
const holders = () =>
  seen
    .liveTokens()
    .map(({ user }) => user.replace(/~.*/, ''))
    .sort();
test("ThoughtSpot's key leaked: the new key is taken without a deployment, all that lived is over, and the query says who minted", async () => {
  for (const user of ['alice', 'bob', 'carol']) await seen.ask(user);
  const key = broker.simulator?.rotateKey();
  broker.aws.secrets.put(SECRET_ID, JSON.stringify({ secretKey: key }));
  expect(await follow("ThoughtSpot's key leaked")).toEqual([expect.stringContaining('everybody')]);
  expect(holders()).toEqual([]);
  const lines = broker.output.lines().map(({ text, at }) => ({ text, at }));
  const minted = runQuery(SAVED_QUERIES.minted.lines.join('\n| '), lines).map((row) => row['user']);
  expect(minted.sort()).toEqual(['alice', 'bob', 'carol']);
});

test('one person leaked a token: hers are over, access tokens of before count no more, and nobody else notices', async () => {
  for (const user of ['alice', 'bob']) await seen.ask(user);
  await follow('One person leaked a token');
  expect(holders()).toEqual(['bob']);
  expect(await seen.ask('alice')).toMatchObject({ status: 401, code: 'sign-in-again' });
});

test('a wrong policy gave too much: what one rule gave is over, and whoever may gets a new token at once', async () => {
  for (const user of ['alice', 'carol']) await seen.ask(user);
  const { json } = await seen.ask('ops', '/leases?user=alice', { method: 'GET' });
  expect(JSON.stringify(json)).toContain('"rule":"tenant-members"');
  await follow('A wrong policy gave too much');
  expect(holders()).toEqual([]);
  expect(await seen.ask('alice')).toMatchObject({ status: 200 });
});

test('every page says what rehearses it, or why nothing does', () => {
  const [, ...sections] = page.split('\n## ');
  expect(sections.length).toBeGreaterThan(8);
  for (const section of sections) expect(section).toContain('Rehearsed by ');
  const files = [...page.matchAll(/test\/[\w/-]+\.test\.ts/g)].map(([file]) => file);
  for (const file of files) expect(() => readFileSync(join(root, file))).not.toThrow();
});
