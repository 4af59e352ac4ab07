import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { allPolicies, policyCli, SCHEMA_FILE } from '../../../infra/policy/cli.ts';
import { loadEnvironment } from '../../../infra/environment-files.ts';
import { knownEnvironments } from '../../../infra/environment-list.ts';
import { policy, policyWith } from '../../support/policy-documents.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'policy-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: unknown): string {
  const file = path.join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}
function run(...argv: string[]): { code: number; text: string } {
  const printed: string[] = [];
  const code = policyCli(argv, (text) => printed.push(text));
  return { code, text: printed.join('\n') };
}
const alice = { tenant: 'acme', name: 'alice' };
const expected = {
  rule: 'members',
  name: 'full',
  user: 'alice',
  orgId: 1,
  rights: { kind: 'full' },
  validitySeconds: 300,
};

describe('npm run policy', () => {
  it('finds the policies of every environment and of the local broker: all compile without warnings, all cases pass', () => {
    const files = allPolicies().map((file) => path.basename(file));
    const target = { account: '111122223333', region: 'eu-central-1' };
    for (const name of knownEnvironments()) expect(files).toContain(loadEnvironment(name, target).policyFile);
    expect(run('check', '--strict')).toMatchObject({ code: 0 });
    expect(run('test')).toMatchObject({
      code: 0,
      text: expect.stringMatching(/\d\d cases passed, 0 failed$/) as string,
    });
  });

  it('explain says what a caller of one issuer would get, whatever his claims say of another', () => {
    const [members] = policy.rules;
    const issuer = 'https://partner.example';
    const file = write('partner.json', { ...policy, rules: [{ ...members, issuer }] });
    const claims = write('of-partner.json', { ...alice, iss: 'https://own.example' });
    const decided = (...more: string[]) => run('explain', file, '--claims', claims, '--json', ...more).text;
    expect(JSON.parse(decided('--issuer', issuer))).toMatchObject({ decision: { allowed: true } });
    expect(JSON.parse(decided('--issuer', 'https://own.example'))).toMatchObject({ decision: { allowed: false } });
    expect(JSON.parse(decided())).toMatchObject({ decision: { allowed: false } });
  });

  it('check names every fault with its path, and fails', () => {
    const { code, text } = run('check', write('faulty.json', policyWith({ org: -1, mode: 'x' })));
    expect(code).toBe(1);
    expect(text).toContain('rules[0].org: must be at least 0, found -1');
    expect(text).toContain('rules[0].mode: must be "enforce" or "audit", found "x"');
  });

  it('check fails on warnings only where it is told to be strict', () => {
    const file = write('warned.json', policy);
    expect(run('check', file)).toMatchObject({
      code: 0,
      text: expect.stringContaining('warning names-may-collide') as string,
    });
    expect(run('check', file, '--strict').code).toBe(1);
  });

  it('test fails without cases, on a failed case, and on a rule that no case reaches', () => {
    expect(run('test', write('bare.json', policy))).toMatchObject({
      code: 1,
      text: expect.stringContaining('has no cases') as string,
    });
    const file = write('cased.json', policy);
    const cases = (...list: object[]) => write('cased.cases.json', { cases: list });
    cases({ name: 'alice', claims: alice, expect: expected });
    expect(run('test', file).code).toBe(0);
    cases({ name: 'alice', claims: alice, expect: { ...expected, user: 'bob' } });
    expect(run('test', file)).toMatchObject({
      code: 1,
      text: expect.stringContaining('user: expected "bob", got "alice"') as string,
    });
    cases({ name: 'nobody', claims: {}, expect: { refused: 'not-entitled' } });
    expect(run('test', file)).toMatchObject({
      code: 1,
      text: expect.stringContaining('"members" is not covered') as string,
    });
    const elsewhere = write('elsewhere.json', { cases: [{ name: 'alice', claims: alice, expect: expected }] });
    expect(run('test', file, elsewhere).code).toBe(0);
  });

  it('explain shows the token that a caller would get, for people and for machines', () => {
    const file = write('explained.json', policy);
    const claims = write('claims.json', alice);
    const { code, text } = run('explain', file, '--claims', claims);
    expect(code).toBe(0);
    expect(text).toMatch(/granted: "full" of rule "members"[^]*-> members {2}enforce {2}holds[^]*user +"alice"/);
    const request = write('request.json', { validitySeconds: 60 });
    const json: unknown = JSON.parse(run('explain', file, '--claims', claims, '--request', request, '--json').text);
    expect(json).toMatchObject({ decision: { allowed: true, grant: { user: 'alice', validitySeconds: 60 } } });
    const refused = run('explain', file, '--claims', write('nobody.json', {}));
    expect(refused.text).toContain('refused: not-entitled');
  });

  it('schema prints what docs/policy.schema.json holds', () => {
    expect(JSON.parse(run('schema').text)).toEqual(JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')));
  });

  it.each([[[]], [['frobnicate']], [['check', '--nonsense']], [['explain', 'x.json']]])(
    'explains its use for %j',
    (argv) => {
      expect(run(...argv)).toMatchObject({
        code: 2,
        text: expect.stringContaining('npm run policy -- check') as string,
      });
    },
  );

  it('answers --help, and says what it cannot read', () => {
    expect(run('--help')).toMatchObject({ code: 0, text: expect.stringContaining('explain <file>') as string });
    expect(run('check', path.join(folder, 'none.json'))).toMatchObject({
      code: 1,
      text: expect.stringContaining('Cannot read') as string,
    });
    expect(run('check', write('no.json', '{'))).toMatchObject({
      code: 1,
      text: expect.stringContaining('is not JSON') as string,
    });
  });
});
