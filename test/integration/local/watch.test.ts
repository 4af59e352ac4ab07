import { mkdtemp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchSources } from '../../../local/watch.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'watch-'));
  await mkdir(join(folder, 'functions', 'room'), { recursive: true });
  await mkdir(join(folder, 'local'));
  await writeFile(join(folder, 'local', 'policy.json'), '{}');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const change = (path: string) => writeFile(join(folder, path), String(Math.random()));

it.each([
  ['a source deep in the folder is written', () => change('functions/room/a.ts')],
  ['the policy is written', () => change('local/policy.json')],
  [
    'an editor puts a new policy in the place of the old one',
    async () => {
      await change('local/policy.json.tmp');
      await rename(join(folder, 'local/policy.json.tmp'), join(folder, 'local/policy.json'));
    },
  ],
])('tells once things are quiet after %s', async (_what, act) => {
  const told = Promise.withResolvers<void>();
  const stop = watchSources([join(folder, 'functions')], [join(folder, 'local', 'policy.json')], () => {
    told.resolve();
    return Promise.resolve();
  });
  await act();
  await told.promise;
  stop();
});

it('never runs two rebuilds at once, and one after the last change', async () => {
  let running = 0;
  let overlapped = false;
  const runs: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()];
  const gate = Promise.withResolvers<void>();
  const stop = watchSources([join(folder, 'functions')], [], async () => {
    overlapped ||= running > 0;
    running += 1;
    runs.shift()?.resolve();
    await gate.promise;
    running -= 1;
  });
  const [first, second] = [runs[0]?.promise, runs[1]?.promise];
  await change('functions/a.ts');
  await first;
  await change('functions/b.ts');
  gate.resolve();
  await second;
  expect(overlapped).toBe(false);
  stop();
});
