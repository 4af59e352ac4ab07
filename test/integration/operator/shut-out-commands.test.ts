/** `npm run leases -- suspend`, `reinstate` and `blocks`, against the bundles; and the page of the runbook that needs them. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { auditOf } from '../../support/audit-lines.ts';

const root = join(import.meta.dirname, '../../..');
let broker: LocalBroker;
let jwt: string;

beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, policy: withSharedGuests() });
  jwt = await broker.issuer.accessToken('ops');
});
afterAll(() => broker.close());

/** The demo policy, in which the guests of acme share one service account. */
function withSharedGuests(): object {
  const document = JSON.parse(readFileSync(join(root, 'local/policy.json'), 'utf8')) as { rules: object[] };
  const [shared] = (JSON.parse(readFileSync(join(root, 'local/policy.session-v2.json'), 'utf8')) as typeof document)
    .rules;
  const guests = {
    all: [
      { claim: 'groups', contains: 'guests' },
      { claim: 'https://broker.example/tenant', equals: 'acme' },
    ],
  };
  return { ...document, refuse: [], rules: [{ ...shared, name: 'shared-guests', when: guests }, ...document.rules] };
}

function leases(args: readonly string[]) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile('node', ['local/leases.ts', ...args], { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
    child.stdin?.end();
  });
}
const here = (...args: string[]) => leases([...args, '--url', broker.url, '--jwt', jwt]);

/** Asks with an access token of this moment: the status, and the code or the lease. */
async function ask(user: string, claims = {}): Promise<readonly [number, string]> {
  const headers = { authorization: `Bearer ${await broker.issuer.accessToken(user, claims)}` };
  const answer = await fetch(`${broker.url}/gettoken`, { method: 'POST', headers });
  const { code, leaseId } = (await answer.json()) as { readonly code?: string; readonly leaseId?: string };
  return [answer.status, code ?? leaseId ?? ''];
}
const holders = () => broker.simulator?.state().tokens.map(({ user }) => user.replace(/~.*/, '')) ?? [];
const issuerOf = () => ['--issuer', broker.issuer.url];

describe('the page of the runbook for somebody who has left', () => {
  /** As people paste them, but against this broker. */
  const commands = () => {
    const [, page = ''] =
      /^## Somebody has left\n([^]*?)^## /m.exec(readFileSync(join(root, 'docs/runbook.md'), 'utf8')) ?? [];
    return [...page.matchAll(/npm run leases -- ([^`\n]+?) --env prod/g)].map(([, words = '']) => words.split(' '));
  };

  test('is one command, which shuts the person out for good and ends what the person holds', async () => {
    expect(commands()[0]).toEqual(['suspend', '--user', 'alice', '--yes']);
    expect(await ask('alice')).toEqual([200, expect.any(String) as string]);
    await ask('carol');
    const { code, stdout, stderr } = await here(...(commands()[0] ?? []));
    expect([code, stdout, stderr]).toEqual([0, 'Leases of the user alice: 1 ended.\n', '']);
    expect(holders()).toEqual(['carol']);
    expect(await ask('alice')).toEqual([403, 'suspended']);
    const caller = { issuer: broker.issuer.url, subject: 'user-ops' };
    expect(auditOf(broker, 'suspend')).toEqual([
      expect.objectContaining({ user: 'alice', caller, function: 'operator' }),
    ]);
  });

  test('shows who is shut out, and lets the person in again', async () => {
    const [, show = [], lift = []] = commands();
    expect([show, lift]).toEqual([['blocks'], ['reinstate', '--user', 'alice']]);
    const shown = await here(...show);
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    expect(shown.stdout).toMatch(/^scope +whom +block +since +until\nuser +alice +suspended +20\S+Z +reinstated\n$/);
    expect(await here(...lift)).toEqual({
      code: 0,
      stdout: 'The suspension of the user alice is lifted.\n',
      stderr: '',
    });
    expect(await ask('alice')).toEqual([200, expect.any(String) as string]);
    expect((await here(...lift)).stdout).toBe('There was no suspension of the user alice.\n');
    expect((await here('blocks')).stdout).toBe('Nobody is shut out.\n');
  });
});

describe('suspend, reinstate and blocks', () => {
  test.each<[string, () => readonly string[], string, 'alice' | 'carol', object]>([
    [
      'a subject',
      () => ['--subject', 'user-alice', ...issuerOf()],
      'of the subject user-alice',
      'alice',
      { kind: 'subject' },
    ],
    ['an organisation', () => ['--org', '1'], 'of the organisation 1', 'alice', { kind: 'org', orgId: 1 }],
    [
      'a user there only',
      () => ['--user', 'Alice', '--org', '1'],
      'of the user Alice in the organisation 1',
      'alice',
      { kind: 'user', user: 'alice', orgId: 1 },
    ],
    ['everybody', () => ['--all'], 'of everybody', 'carol', { kind: 'all' }],
  ])('%s, in words and as JSON', async (_name, whom, words, meant, scope) => {
    expect((await ask(meant))[0]).toBe(200);
    const suspended = JSON.parse((await here('suspend', ...whom(), '--yes', '--no-wait', '--json')).stdout) as object;
    expect(suspended).toEqual({
      revoked: expect.any(Number) as number,
      // What an index finds is not counted: it may hide some.
      pending: words.includes('subject') ? null : (expect.any(Number) as number),
      orphaned: 0,
    });
    await broker.sweep();
    expect(holders()).not.toContain(meant);
    expect(await ask(meant)).toEqual([403, 'suspended']);
    const { blocks } = JSON.parse((await here('blocks', '--json')).stdout) as { readonly blocks: readonly object[] };
    expect(blocks).toEqual([
      { scope: expect.objectContaining(scope) as object, suspendedSince: expect.any(Number) as number },
    ]);
    expect((await here('reinstate', ...whom())).stdout).toBe(`The suspension ${words} is lifted.\n`);
    expect((await ask(meant))[0]).toBe(200);
  });

  test('say which shared leases are left, whoever minted them, and end them where they are meant', async () => {
    const guests = { groups: ['guests'] };
    const [[, minted], [, used]] = [await ask('bob', guests), await ask('alice', guests)];
    expect(used).toBe(minted);
    const whom = ['--subject', 'user-alice', ...issuerOf(), '--yes'];
    const { code, stderr } = await here('suspend', ...whom);
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('1 shared leases stay, of which the subject may have been given any') as string,
    ]);
    expect(JSON.parse((await here('suspend', ...whom, '--json')).stdout)).toMatchObject({ sharedLeft: 1 });
    expect((await ask('bob', guests))[1]).toBe(minted);
    expect((await here('suspend', ...whom, '--end-shared')).stdout).toMatch(
      /^Leases of the subject user-alice: 1 ended/,
    );
    expect((await ask('bob', guests))[1]).not.toBe(minted);
    await here('reinstate', '--subject', 'user-alice', ...issuerOf());
  });

  test('a tenant is out from the next request on, without a deployment, and its neighbour notices nothing', async () => {
    const pids = () => broker.functions.get('gettoken')?.pids().join();
    expect([(await ask('bob'))[0], (await ask('carol'))[0]]).toEqual([200, 200]);
    const before = pids();
    await here('suspend', '--org', '1', '--yes', '--no-wait');
    expect([await ask('bob'), (await ask('carol'))[0]]).toEqual([[403, 'suspended'], 200]);
    expect(pids()).toBe(before);
    await broker.sweep();
    expect(holders()).not.toContain('bob');
    expect((await here('reinstate', '--org', '1')).stdout).toContain('is lifted');
  });

  test('a sign-out is listed with its end, and a suspension of somebody of whom no lease lives is doubted', async () => {
    expect((await here('revoke', '--user', 'bob', '--yes')).stdout).toBe('No leases of the user bob.\n');
    const nobody = await here('suspend', '--subject', 'user-nobody', ...issuerOf(), '--yes');
    expect([nobody.code, nobody.stdout]).toEqual([0, 'No leases of the subject user-nobody.\n']);
    expect(nobody.stderr).toContain('No lease lives of the subject user-nobody. Is the name right?');
    const lines = (await here('blocks')).stdout.split('\n');
    expect(lines).toContainEqual(expect.stringMatching(/^user +bob +signed out +20\S+Z +20\S+Z$/));
    expect(lines).toContainEqual(
      expect.stringMatching(/^subject +http:\S+ user-nobody +suspended +20\S+Z +reinstated$/),
    );
    await here('reinstate', '--subject', 'user-nobody', ...issuerOf());
  });

  test.each([
    [['suspend', '--yes'], 2, /Name exactly one of --user, --subject, --org and --all/],
    [['suspend', '--user', 'alice', '--subject', 'x', '--issuer', 'https://i', '--yes'], 2, /Name exactly one/],
    [['suspend', '--subject', 'user-alice', '--yes'], 2, /--subject needs --issuer/],
    [['suspend', '--user', 'alice'], 2, /nobody to ask: add --yes/],
    [['suspend', '--policy', 'v1', '--yes'], 2, /--policy is for list, revoke\./],
    [['suspend', '--user', 'alice', '--keep-sign-in', '--yes'], 2, /--keep-sign-in is for revoke\./],
    [['suspend', '--user', 'al\u200bice', '--yes'], 1, /user: must not hold invisible characters/],
    [
      ['suspend', '--subject', 'a\nb', '--issuer', 'https://i', '--yes'],
      1,
      /subject.sub: must not hold control characters/,
    ],
    [['reinstate'], 2, /Name exactly one/],
    [['reinstate', '--user', 'alice', '--yes'], 2, /--yes is for revoke, suspend\./],
    [['blocks', '--user', 'alice'], 2, /--user is for list, revoke, suspend, reinstate\./],
  ])('%j ends with %i and says what to do', async (args, code, words) => {
    const ended = await here(...args);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  test.each([['suspend', '--all', '--yes'], ['reinstate', '--all'], ['blocks']])(
    '%s is for operators',
    async (...args) => {
      const ended = await leases([...args, '--url', broker.url, '--jwt', await broker.issuer.accessToken('alice')]);
      expect([ended.code, ended.stdout]).toEqual([1, '']);
      expect(ended.stderr).toContain('must hold the revoke scope');
      expect((await ask('carol'))[0]).toBe(200);
    },
  );

  test('explain themselves', async () => {
    for (const command of ['suspend', 'reinstate', 'blocks']) {
      const { code, stdout } = await leases([command, '--help']);
      expect([code, stdout]).toEqual([
        0,
        expect.stringMatching(new RegExp(`^npm run leases -- ${command}`, 'm')) as string,
      ]);
    }
  });
});
