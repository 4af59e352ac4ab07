import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Principal } from '../../../local/gateway/iam.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { auditOf } from '../../support/audit-lines.ts';
import { leaksIn } from '../../support/canaries.ts';
import { startCloudFormation, type FakeCloudFormation } from '../../support/cloudformation.ts';
import { backdateHolds } from '../../support/ledger-rows.ts';

const root = join(import.meta.dirname, '../../..');
let broker: LocalBroker;
let jwt: string;
const printed: string[] = [];
const folder = mkdtempSync(join(tmpdir(), 'leases-command-'));
const policyFile = join(folder, 'policy.json');

beforeAll(async () => {
  writeFileSync(policyFile, readFileSync(join(root, 'local/policy.json')));
  broker = await startLocalBroker({ sweepEveryMs: null, policy: policyFile });
  jwt = await broker.issuer.accessToken('ops');
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

const leases = (args: readonly string[], env: Record<string, string> = {}) => run('local/leases.ts', args, env);

function run(script: string, args: readonly string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      'node',
      [script, ...args],
      { cwd: root, env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        printed.push(stdout, stderr);
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}
const here = (...args: string[]) => leases([...args, '--url', broker.url, '--jwt', jwt]);

async function mint(user: string, grant = 'full', claims = {}): Promise<void> {
  const headers = {
    authorization: `Bearer ${await broker.issuer.accessToken(user, claims)}`,
    'content-type': 'application/json',
  };
  const body = JSON.stringify({ grant });
  expect((await fetch(`${broker.url}/gettoken`, { method: 'POST', headers, body })).status).toBe(200);
}

describe('npm run leases', () => {
  test('lists what lives as a table, and as JSON', async () => {
    await mint('alice');
    await mint('carol');
    const { code, stdout } = await here('list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^user +org +kind +state/);
    expect(stdout).toMatch(/^alice +1 +full +live/m);
    const listed = JSON.parse((await here('list', '--org', '2', '--json')).stdout) as { leases: { user: string }[] };
    expect(listed.leases.map(({ user }) => user)).toEqual(['carol']);
  });

  test('lists who holds most, first, as a table and as JSON', async () => {
    await mint('alice', 'regional');
    const { code, stdout } = await here('list', '--top');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^leases +subject +issuer +users\n2 +user-alice +http:\S+ +alice\n1 +user-carol /);
    const { holders } = JSON.parse((await here('list', '--top', '--user', 'alice', '--json')).stdout) as {
      holders: unknown;
    };
    expect(holders).toEqual([
      { caller: { issuer: expect.any(String) as string, subject: 'user-alice' }, leases: 2, users: ['alice'] },
    ]);
  });

  test('revokes a user and counts what has ended', async () => {
    const { code, stdout } = await here('revoke', '--user', 'alice', '--keep-sign-in', '--yes');
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stdout).toBe('Leases of the user alice: 2 ended.\n');
    expect((await here('list', '--user', 'alice')).stdout).toBe('No leases.\n');
    expect(broker.simulator?.state().tokens.map(({ user }) => user)).toEqual([expect.stringMatching(/^carol~/)]);
  });

  test('says that a user has no leases, where there are none', async () => {
    const { code, stdout } = await here('revoke', '--user', 'nobody', '--yes');
    expect([code, stdout]).toEqual([0, 'No leases of the user nobody.\n']);
  });

  test('revokes an organisation: served no more at once, ended by the sweep', async () => {
    const { code, stdout } = await here('revoke', '--org', '2', '--keep-sign-in', '--yes', '--no-wait');
    expect(code).toBe(0);
    expect(stdout).toContain('none of them is served any more');
    expect(stdout).toContain(': 0 ended, 1 left to the sweep');
    await broker.sweep();
    expect(broker.simulator?.state().tokens).toEqual([]);
  });

  test.each([
    [['list', '--url', 'http://127.0.0.1:1', '--jwt', 'x'], 1, /No broker answers/],
    [['list', '--url', 'http://127.0.0.1:1'], 2, /--url needs --jwt/],
    [['list', '--url', 'broker', '--jwt', 'x'], 2, /broker\/leases\S* is not a URL such as/],
    [['revoke', '--yes'], 2, /Name exactly one/],
    [['revoke', '--user', 'alice', '--all', '--yes'], 2, /Name exactly one/],
    [['revoke', '--user', 'alice'], 2, /nobody to ask: add --yes/],
    [['list', '--org', 'acme'], 2, /not the number of an organisation/],
    [['forget'], 2, /There is no command forget/],
    [['list', 'alice'], 2, /Unexpected argument 'alice'/],
    [['list', '--all'], 2, /--all is for revoke, suspend, reinstate/],
    [['list', '--stale', '30d'], 2, /--stale is for users/],
    [['users'], 2, /Say for how long without a token: --stale 30d/],
    [['users', '--stale', '30'], 2, /Say for how long without a token: --stale 30d/],
    [['users', '--stale', '30d', '--user', 'alice'], 2, /--user is for list, revoke, suspend, reinstate/],
    [['revoke', '--all', '--state', 'orphaned', '--yes'], 2, /--state is for list/],
    [['list', '--env', 'dev'], 2, /Name one broker/],
    [['list', '--state', 'gone'], 1, /state: is not a state of a lease/],
    [['list', '--colour'], 2, /Unknown option/],
  ])('%j ends with %i and says what to do', async (args, code, words) => {
    const reached =
      args.includes('--url') || args[0] === 'forget' ? args : [...args, '--url', broker.url, '--jwt', jwt];
    const ended = await leases(reached);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  test('lists ThoughtSpot users that the broker made and no longer uses, as a table and as JSON', async () => {
    await mint('alice', 'regional');
    await mint('bob');
    expect(await here('users', '--stale', '1h')).toEqual({ code: 0, stdout: 'No users.\n', stderr: '' });
    const ended = Date.now() - 40 * 86_400_000;
    await backdateHolds(broker, 'alice', ended);
    const { stdout } = await here('users', '--stale', '30d');
    expect(stdout).toMatch(/^ThoughtSpot user +org +last token ended by\nalice~[a-z2-7]{16} +1 +20/);
    expect(stdout).not.toContain('bob');
    const { users } = JSON.parse((await here('users', '--stale', '30d', '--json')).stdout) as { users: object[] };
    expect(users).toContainEqual({ userName: expect.stringMatching(/^alice~/) as string, orgId: 1, until: ended });
    expect((await here('users', '--stale', '41d')).stdout).toBe('No users.\n');
    for (const user of ['alice', 'bob']) await here('revoke', '--user', user, '--keep-sign-in', '--yes');
  });

  test('tells a caller without the scope what is missing', async () => {
    const ended = await leases(['list', '--url', broker.url, '--jwt', await broker.issuer.accessToken('alice')]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('must hold the revoke scope');
  });
});

describe('what the policy gave wrongly', () => {
  /** The version as the author of the policy sees it. */
  const version = async () => {
    const { stdout } = await run('infra/policy/cli.ts', ['check', policyFile, '--json']);
    return /"version": *"([^"]+)"/.exec(stdout)?.[1] ?? '';
  };
  const alive = () => broker.simulator?.state().tokens.map(({ user }) => user.replace(/~.*/, ''));
  const guest = { groups: ['guests'] };

  test('by one version of the policy ends, and what the next version gave lives', async () => {
    const wrong = await version();
    await mint('alice');
    await mint('bob', 'full', guest);
    const document = JSON.parse(readFileSync(policyFile, 'utf8')) as { refuse: string[] };
    writeFileSync(policyFile, JSON.stringify({ ...document, refuse: [...document.refuse, 'root'] }));
    await broker.rebuild();
    await mint('carol');
    expect((await here('list', '--policy', wrong)).stdout).toMatch(/^user .*\n(alice|bob) .*\n(alice|bob) .*\n$/);
    const { code, stdout } = await here('revoke', '--policy', wrong, '--yes');
    expect([code, stdout]).toEqual([0, `Leases of the policy ${wrong}: 2 ended.\n`]);
    expect(alive()).toEqual(['carol']);
  });

  test('by one rule ends, and the audit names who asked', async () => {
    await mint('bob', 'full', guest);
    expect((await here('revoke', '--rule', 'guest', '--yes')).stdout).toBe('No leases of the rule guest.\n');
    const { stdout } = await here('revoke', '--rule', 'guests', '--yes', '--json');
    expect(JSON.parse(stdout)).toEqual({ revoked: 1, pending: 0, orphaned: 0 });
    expect(alive()).toEqual(['carol']);
    const caller = { issuer: broker.issuer.url, subject: 'user-ops' };
    const facts = { user: 'bob', rule: 'guests', caller, function: 'operator' };
    expect(auditOf(broker, 'revoke-requested').at(-1)).toMatchObject(facts);
    await here('revoke', '--rule', 'tenant-members', '--yes');
    expect(alive()).toEqual([]);
  });
});

describe('npm run leases --env', () => {
  const ARN = 'arn:aws:execute-api:eu-west-1:000000000000:abc/$default/*/operator/*';
  let stack: FakeCloudFormation;
  const environmentOf = ({ credentials }: Principal): Record<string, string> => ({
    AWS_ENDPOINT_URL_CLOUDFORMATION: stack.url,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
  });
  let outputs: Record<string, string> | undefined;

  beforeAll(async () => {
    stack = await startCloudFormation(() => outputs);
  });
  afterAll(() => stack.close());
  beforeEach(() => (outputs = { ApiUrl: broker.url, OperatorArn: ARN }));

  test('asks the API of an environment, signed with the operator’s own credentials, and the audit names him', async () => {
    const env = environmentOf(broker.principals.operator);
    await mint('bob');
    const listed = await leases(['list', '--user', 'bob', '--env', 'dev'], env);
    expect([listed.code, listed.stdout]).toEqual([0, expect.stringMatching(/^bob +1 +full +live/m)]);
    const revoked = await leases(['revoke', '--user', 'bob', '--keep-sign-in', '--yes', '--env', 'dev'], env);
    expect(revoked).toMatchObject({ code: 0 });
    expect(broker.simulator?.state().tokens).toEqual([]);
    const actor = { arn: 'arn:aws:sts::000000000000:assumed-role/broker-operator/olga', session: 'olga' };
    expect(auditOf(broker, 'list')).toContainEqual(expect.objectContaining({ actor, user: 'bob' }));
    expect(auditOf(broker, 'revoke-requested').at(-1)).toMatchObject({ actor, user: 'bob', function: 'operator' });
  });

  test('says what to allow to somebody whom IAM refuses', async () => {
    const ended = await leases(['list', '--env', 'dev'], environmentOf(broker.principals.stranger));
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^Forbidden \(status 403\)\n/);
    expect(ended.stderr).toContain(`execute-api:Invoke on ${ARN}`);
  });

  test('says so where there is no such stack, or no answer', async () => {
    const env = environmentOf(broker.principals.operator);
    outputs = undefined;
    const none = await leases(['list', '--env', 'dev'], env);
    expect([none.code, none.stderr]).toEqual([1, 'There is no stack thoughtspot-broker-dev in eu-west-1.\n']);
    outputs = { ApiUrl: 'http://127.0.0.1:1', OperatorArn: ARN };
    const silent = await leases(['list', '--env', 'dev'], env);
    expect(silent.code).toBe(1);
    expect(silent.stderr).toMatch(/^thoughtspot-broker-dev could not be asked\. TypeError: fetch failed\n$/);
  });
});

test('counts apart what waits for its own end, since nobody knows its token, and does not wait for it', async () => {
  broker.simulator?.set({ lostReplies: 1 });
  const headers = { authorization: `Bearer ${await broker.issuer.accessToken('bob')}` };
  expect((await fetch(`${broker.url}/gettoken`, { method: 'POST', headers })).ok).toBe(false);
  await mint('bob', 'regional');
  expect((await here('list', '--user', 'bob', '--state', 'orphaned')).stdout).toMatch(/^bob +1 +full +orphaned/m);
  const { stdout } = await here('revoke', '--user', 'bob', '--yes');
  expect(stdout).toBe('Leases of the user bob: 1 ended, 1 orphaned until the token ends by itself.\n');
  const again = await here('revoke', '--user', 'bob', '--yes', '--json');
  expect(JSON.parse(again.stdout)).toEqual({ revoked: 0, pending: 0, orphaned: 1 });
});

test('nothing that the command printed holds the operator’s JWT or a token', () => {
  const tokens = broker.simulator?.tokens() ?? [];
  const secrets = Object.fromEntries(
    [jwt, ...tokens, broker.simulator?.secretKey() ?? ''].map((text, at) => [`secret ${at}`, text]),
  );
  expect(leaksIn(printed.join('\n') + broker.output.text(), secrets)).toEqual([]);
});
