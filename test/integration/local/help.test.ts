/** Every command of package.json explains itself, also where `head` has closed the pipe, and does nothing that it does not know. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../../..');
/** What npm itself runs. */
const WITHOUT_HELP = ['postinstall'];
/** Gives its options to Stryker, which knows them. */
const PASSES_ON = 'mutate';

const all = Object.entries(manifest.scripts).filter(
  ([name, text]) => /^node \S+( \S+)?$/.test(text) && !WITHOUT_HELP.includes(name),
);
/** One of each file: `diff` and `deploy` are the same program. */
const commands = [...new Map(all.map(([name, text]) => [text.split(' ')[1], [name, text] as const])).values()];

async function run(command: string, option: string, reader: 'reads' | 'has gone' = 'reads') {
  const child = spawn(process.execPath, [...command.split(' ').slice(1), option], { cwd: ROOT });
  let [text, problems] = ['', ''];
  // The process has not begun yet, so that everything it writes finds the pipe closed.
  if (reader === 'has gone') child.stdout.destroy();
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (problems += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text, problems };
}

test('there are commands to try', () => {
  expect(all.map(([name]) => name)).toEqual(
    expect.arrayContaining(['start', 'leases', 'policy', 'deploy', 'mutate', 'screenshots', 'test:deploy']),
  );
  expect(commands.length).toBeGreaterThan(10);
});

test.each(commands)('npm run %s -- --help explains, whether or not anybody reads it', async (_name, command) => {
  const [read, short, unread] = await Promise.all([
    run(command, '--help'),
    run(command, '-h'),
    run(command, '--help', 'has gone'),
  ]);
  expect(read).toEqual({ code: 0, text: expect.stringMatching(/npm run|node local/) as string, problems: '' });
  expect(short).toEqual(read);
  expect(unread).toEqual({ code: 0, text: '', problems: '' });
});

test.each(commands.filter(([name]) => name !== PASSES_ON))(
  'npm run %s -- --nonsense ends with 2, says what is wrong and where to read on',
  async (_name, command) => {
    const { code, text, problems } = await run(command, '--nonsense');
    expect([code, text + problems]).toEqual([2, expect.stringContaining("Unknown option '--nonsense'")]);
    expect(text + problems).toMatch(/--help|npm run/);
    expect(text + problems).not.toMatch(/^ +at .*:\d+:\d+/m);
  },
);
