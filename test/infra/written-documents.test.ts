/** Documents that people write, as Windows saves them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseProberSecret } from '../../functions/probe/credential.ts';
import { parseSecret } from '../../functions/secrets/credential.ts';
import { checkPolicyText } from '../../infra/policy/check.ts';
import { policyCli } from '../../infra/policy/cli.ts';
import { readDemoUsers } from '../../local/issuer.ts';
import { readCluster } from '../../local/thoughtspot/cluster.ts';
import { policy } from '../support/policy-documents.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'written-'));
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}
function command(...argv: string[]): number {
  return policyCli(argv, () => undefined);
}

const claims = { tenant: 'acme', name: 'alice' };
const grant = {
  rule: 'members',
  name: 'full',
  user: 'alice',
  orgId: 1,
  rights: { kind: 'full' },
  validitySeconds: 300,
};
const cases = {
  cases: [
    { name: 'a member', claims, expect: grant },
    { name: 'a stranger', claims: {}, expect: { refused: 'not-entitled' } },
  ],
};
const secret = { secretKey: 'key-1' };
const prober = { tokenUrl: 'https://issuer.example/token', clientId: 'prober', clientSecret: 's' };
const users = { audience: 'broker', users: { alice: { about: '', claims } } };

const documents: readonly [string, object, (text: string) => unknown, unknown][] = [
  ['a policy', policy, (text) => checkPolicyText(text).digest, checkPolicyText(JSON.stringify(policy)).digest],
  ['a policy for the commands', policy, (text) => command('check', written('p.json', text)), 0],
  [
    'cases',
    cases,
    (text) => {
      written('tested.cases.json', text);
      return command('test', written('tested.json', JSON.stringify(policy)));
    },
    0,
  ],
  [
    'claims',
    claims,
    (text) => command('explain', written('p.json', JSON.stringify(policy)), '--claims', written('claims.json', text)),
    0,
  ],
  ['the secret', secret, (text) => parseSecret(text, 'v1').sensitive, ['key-1']],
  ["the prober's secret", prober, parseProberSecret, prober],
  ['demo users', users, (text) => readDemoUsers(written('users.json', text)), users],
  ["the simulator's cluster", readCluster(), (text) => readCluster(written('c.json', text)), readCluster()],
];

describe.each(documents)('%s', (_, document, read, expected) => {
  const plain = JSON.stringify(document, null, 2);
  const lines = plain.replaceAll('\n', '\r\n');
  test.each([
    ['as they are', plain],
    ['with CRLF', `${lines}\r\n`],
    ['behind a byte order mark', `\ufeff${plain}`],
    ['with both', `\ufeff${lines}\r\n`],
  ])('is read %s', (_how, text) => {
    expect(read(text)).toEqual(expected);
  });
});

test('in a policy with CRLF behind a byte order mark, a name that is there twice is still found', () => {
  const text = JSON.stringify(policy, null, 2).replace('"version": 1', '"version": 1,\n  "version": 1');
  expect(() => checkPolicyText(`\ufeff${text.replaceAll('\n', '\r\n')}`)).toThrow(/line 3, column 3/);
});
