/** Every command of package.json explains itself, also where `head` has closed the pipe. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../../..');
/** What npm or a test runs, and what takes no options. */
const WITHOUT_HELP = ['postinstall', 'screenshots', 'test:deploy'];

const all = Object.entries(manifest.scripts).filter(
  ([name, text]) => /^node \S+( \S+)?$/.test(text) && !WITHOUT_HELP.includes(name),
);
/** One of each file: `diff` and `deploy` are the same program. */
const commands = [...new Map(all.map(([name, text]) => [text.split(' ')[1], [name, text] as const])).values()];

async function helpOf(command: string, reader: 'reads' | 'has gone') {
  const child = spawn(process.execPath, [...command.split(' ').slice(1), '--help'], { cwd: ROOT });
  let [text, problems] = ['', ''];
  // The process has not begun yet, so that everything it writes finds the pipe closed.
  if (reader === 'has gone') child.stdout.destroy();
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (problems += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text, problems };
}

test('there are commands to try', () => {
  expect(all.map(([name]) => name)).toEqual(expect.arrayContaining(['start', 'leases', 'policy', 'deploy', 'mutate']));
  expect(commands.length).toBeGreaterThan(10);
});

test.each(commands)('npm run %s -- --help explains, whether or not anybody reads it', async (_name, command) => {
  const [read, unread] = await Promise.all([helpOf(command, 'reads'), helpOf(command, 'has gone')]);
  expect(read).toEqual({ code: 0, text: expect.stringMatching(/npm run|node local/) as string, problems: '' });
  expect(unread).toEqual({ code: 0, text: '', problems: '' });
});
