import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_POLICY } from '../../../local/settings.ts';
import { untilGone } from '../../support/local-function.ts';
import { freeBasePort, occupy, run, type Program } from '../../support/local-start.ts';

const READY = 'Ctrl-C stops everything.';

/** Processes whose parent is this one. */
function childrenOf(pid: number): number[] {
  const parentOf = (id: string) => {
    try {
      return Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${id}/stat`, 'utf8'))?.[1]);
    } catch {
      return undefined;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

/** A started set with a sandbox that has served and is frozen, and one for another function. */
async function startAndUse(folder?: string): Promise<{ program: Program; url: string; base: number }> {
  const base = await freeBasePort();
  const program = run('main', [], { BROKER_PORT: String(base) }, folder);
  await program.printed(READY);
  const url = `http://127.0.0.1:${base}`;
  const jwt = await (await fetch(`${url}/__local/jwt?user=mallory`)).text();
  const answer = await fetch(`${url}/gettoken`, { method: 'POST', headers: { authorization: `Bearer ${jwt}` } });
  expect(answer.status).toBe(403);
  return { program, url, base };
}

const onLinux = process.platform === 'linux' ? it : it.skip;

describe('npm start', () => {
  onLinux.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends on %s and leaves no process', async (signal) => {
    const { program } = await startAndUse();
    const children = childrenOf(program.process.pid ?? 0);
    expect(children.length).toBeGreaterThanOrEqual(2);
    program.process.kill(signal);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    for (const pid of children) await untilGone(pid);
  });

  onLinux('leaves no process, frozen or not, even if it is killed with SIGKILL', async () => {
    const { program } = await startAndUse();
    const children = childrenOf(program.process.pid ?? 0);
    program.process.kill('SIGKILL');
    await program.ended;
    for (const pid of children) await untilGone(pid);
  });

  it('says where everything is and how to get a token, and names no secret', async () => {
    const { program, url, base } = await startAndUse();
    program.process.kill('SIGINT');
    await program.ended;
    for (let offset = 0; offset < 6; offset += 1) expect(program.text()).toContain(`http://127.0.0.1:${base + offset}`);
    expect(program.text()).toContain(`BROKER_PORT=${base} npm run token -- alice`);
    expect(program.text()).toContain(`curl -s -X POST ${url}/gettoken`);
    expect(program.text()).not.toMatch(/eyJ|secretKey|Pa55word/);
  });

  it('shows which schedules run and how to run one now, runs none if told so, and knows no others', async () => {
    const base = await freeBasePort();
    const start = (...args: string[]) => run('main', args, { BROKER_PORT: String(base) });
    const prod = start('--schedules', 'prod');
    await prod.printed(READY);
    prod.process.kill('SIGINT');
    await prod.ended;
    expect(prod.text()).toContain('Revocation schedules of prod (--schedules):');
    expect(prod.text()).toMatch(/older-than-40-minutes: rate\(5 minutes\) in UTC, next \d{4}-/);
    expect(prod.text()).toContain(`schedules -- fire end-of-day --env prod --local http://127.0.0.1:${base}`);
    const none = start('--schedules', 'none');
    await none.printed(READY);
    none.process.kill('SIGINT');
    await none.ended;
    expect(none.text()).not.toContain('schedule');
    const unknown = start('--schedules', 'prd');
    expect(await unknown.ended).toEqual({ code: 2, signal: null });
    expect(unknown.text()).toContain('There is no environment prd. Known: dev, prod');
  });

  it('starts and serves in whatever directory it is started', async () => {
    const { program } = await startAndUse(tmpdir());
    program.process.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
  });

  it.each<[number, string, ...string[]]>([
    [0, 'the broker'],
    [1, 'the ThoughtSpot simulator'],
    [2, 'the OIDC issuer'],
    [3, 'Secrets Manager'],
    [4, 'KMS'],
    [5, 'DynamoDB'],
    [6, 'the OIDC issuer', '--partner'],
  ])(
    'names the taken port %i places after the first, what it is for, and what to do',
    async (offset, purpose, ...args) => {
      const base = await freeBasePort();
      const occupant = await occupy(base + offset);
      const program = run('main', args, { BROKER_PORT: String(base) });
      expect(await program.ended).toEqual({ code: 1, signal: null });
      expect(program.text()).toContain(`Port ${base + offset} on 127.0.0.1 is taken; it is wanted for ${purpose}`);
      expect(program.text()).toContain('BROKER_PORT=');
      expect(program.text()).not.toContain('    at ');
      occupant.close();
    },
  );

  it('starts no simulator where a real cluster is named, and keeps its key to itself', async () => {
    const base = await freeBasePort();
    const simulatorPort = await occupy(base + 1);
    const key = 'canary-5c1d7c2e-key';
    const program = run('main', [], {
      BROKER_PORT: String(base),
      THOUGHTSPOT_HOST: 'https://acme.thoughtspot.invalid',
      THOUGHTSPOT_SECRET_KEY: key,
    });
    await program.printed(READY);
    program.process.kill('SIGINT');
    await program.ended;
    simulatorPort.close();
    expect(program.text()).toContain('real cluster https://acme.thoughtspot.invalid');
    expect(program.text()).toContain('tokens of an earlier run are not known here');
    expect(program.text()).not.toContain(key);
  });

  it.each([
    [{ THOUGHTSPOT_HOST: 'https://acme.example' }, 'no credential'],
    [{ BROKER_PORT: 'x' }, 'BROKER_PORT=x'],
    [{ BROKER_POLICY: '/nowhere/policy.json' }, '/nowhere/policy.json'],
  ])('refuses %j in words', async (variables, words) => {
    const program = run('main', [], { BROKER_PORT: String(await freeBasePort()), ...variables });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.text()).toContain('The broker did not start.');
    expect(program.text()).toContain(words);
  });

  it('compiles the policy before it says that it is ready, and names the fault of one that does not compile', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'start-'));
    const file = join(folder, 'policy.json');
    const [text, base] = [await readFile(DEFAULT_POLICY, 'utf8'), String(await freeBasePort())];

    await writeFile(file, text.replace('"version": 1', '"version": 1, "reffuse": []'));
    const refused = run('main', [], { BROKER_PORT: base, BROKER_POLICY: file });
    expect(await refused.ended).toEqual({ code: 1, signal: null });
    expect(refused.text()).toContain('"reffuse", which is not a member here');
    expect(refused.text()).not.toContain('is ready');

    await writeFile(file, `\ufeff${text.replaceAll('\n', '\r\n')}`);
    const program = run('main', [], { BROKER_PORT: base, BROKER_POLICY: file });
    await program.printed(READY);
    const jwt = await (await fetch(`http://127.0.0.1:${base}/__local/jwt?user=alice`)).text();
    const headers = { authorization: `Bearer ${jwt}` };
    const answer = await fetch(`http://127.0.0.1:${base}/gettoken`, { method: 'POST', headers });
    expect(answer.status).toBe(200);
    program.process.kill('SIGINT');
    await program.ended;
    await rm(folder, { recursive: true });
  });

  it('with --partner has a second issuer, whose callers get tokens at its own routes', async () => {
    const base = String(await freeBasePort());
    const program = run('main', ['--partner'], { BROKER_PORT: base });
    await program.printed(READY);
    expect(program.text()).toContain(`OIDC issuer partner    http://127.0.0.1:${Number(base) + 6}`);
    expect(program.text()).toContain(`BROKER_PORT=${base} npm run token -- alice --issuer partner`);
    const token = async (...args: string[]) => {
      const asking = run('token', args, { BROKER_PORT: base });
      return { ...(await asking.ended), text: asking.text() };
    };
    const [own, theirs] = [await token('bob', '--json'), await token('bob', '--json', '--issuer', 'partner')];
    const leaseIds = [own, theirs].map(({ text }) => (JSON.parse(text) as { leaseId: string }).leaseId);
    expect(new Set(leaseIds).size).toBe(2);
    expect(program.text()).toContain('POST /i/partner/gettoken 200');
    expect(await token('bob', '--issuer', 'partnr')).toMatchObject({
      code: 1,
      text: expect.stringContaining('There are: partner, and the first, which has no name.') as string,
    });
    program.process.kill('SIGINT');
    await program.ended;
  });

  it('refuses an argument that it does not know', async () => {
    const program = run('main', ['simulator']);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.text()).toContain("Unexpected argument 'simulator'");
  });

  it('explains itself', async () => {
    const program = run('main', ['--help']);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    for (const word of ['BROKER_PORT', 'THOUGHTSPOT_HOST', 'npm run dev']) expect(program.text()).toContain(word);
  });
});
