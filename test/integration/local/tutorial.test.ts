/** docs/tutorial.md as it is written: its commands in order, on a set of their own, apart from what installs or never ends. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import cluster from '../../../local/thoughtspot/cluster.json' with { type: 'json' };
import { freeBasePort, run, type Program } from '../../support/local-start.ts';

const ROOT = join(import.meta.dirname, '../../..');
const blocks = [...readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(
  ([, text = '']) => text,
);
/** Servers that run until they are stopped, and packages from a registry. */
const ELSEWHERE = /\bnpm (start|ci|install)\b|\bnpx\b/;

let program: Program;
let base: number;
beforeAll(async () => {
  base = await freeBasePort();
  program = run('main', [], { BROKER_PORT: String(base), BROKER_ORIGINS: 'http://localhost:5173' });
  await program.printed('Ctrl-C stops everything.');
});
afterAll(async () => {
  program.process.kill('SIGINT');
  await program.ended;
  for (const file of ['my-policy.json', 'claims.json']) rmSync(join(ROOT, file), { force: true });
});

/** Runs a block, with the addresses of this set and the simulator in the place of a cluster. */
function shell(block: string): Promise<string> {
  const script = block
    .replace(/:878([789])/g, (_, digit: string) => `:${base + Number(digit) - 7}`)
    .replace('https://your.thoughtspot.cloud', `http://127.0.0.1:${base + 1}`)
    .replace('THOUGHTSPOT_SECRET_KEY=...', `THOUGHTSPOT_SECRET_KEY=${cluster.secretKey}`)
    .split('\n')
    .filter((line) => !ELSEWHERE.test(line))
    .join('\n');
  const env = { ...process.env, BROKER_PORT: String(base) };
  return new Promise((resolve, reject) => {
    execFile('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, env }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${script}\n${stdout}${stderr}`, { cause: error }));
      else resolve(stdout);
    });
  });
}
const block = (words: string) => shell(blocks.find((text) => text.includes(words)) ?? `false # no "${words}"`);

test.each([
  ['npm run token -- alice --json', /"userName": "alice~[\s\S]*"tokenExpiryDuration": "300"/],
  ['$(npm run -s token -- alice)', /"name":\s*"alice~/],
  ['/revoketoken', /\{"revoked":1,"pending":0\}/],
  ['npm run policy -- explain', /allowed|grant "full"/],
  ['npm run doctor -- --host', / passed, 0 failed/],
])('the block with %s does what the tutorial says', async (words, answer) => {
  expect(await block(words)).toMatch(answer);
});

test('there is no other block, but those that install or never end', () => {
  const rest = blocks.filter((text) => text.split('\n').some((line) => line !== '' && !ELSEWHERE.test(line)));
  expect(rest).toHaveLength(5);
});
