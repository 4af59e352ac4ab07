/**
 * `npm run test:deploy`: follows docs/deploy.md, command by command, in a copy of the project, against an AWS emulator that
 * we did not write. It closes with `N passed, N failed`; where the emulator cannot be installed it says why in one line.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { readArguments } from '../../local/command.ts';
import { PROJECT_ROOT } from '../../infra/bundles.ts';
import { developmentSteps } from './development.ts';
import { installTools, Unavailable } from './emulator.ts';
import { LEFT_OUT, WARNINGS } from './left-out.ts';
import { COMMANDS, NOT_RUN, taken } from './page.ts';
import { endAll, interrupt } from './processes.ts';
import { productionSteps } from './production.ts';
import { expectThat, runSteps, STEP_MS, within, type Step, type Tally } from './steps.ts';
import { makeWorld } from './world.ts';

const HELP = `Deploys to an emulator of AWS (MiniStack), and drives it by the commands of docs/deploy.md: six to ten minutes.

  npm run test:deploy

It needs Python 3.10 or newer, and PyPI the first time; where one of them is missing it says so, and ends with 0. Everything
is in .cache/deploy and on loopback. Ctrl-C ends all that it started.
`;

const CACHE = path.join(PROJECT_ROOT, '.cache', 'deploy');

const everyCommand: Step = {
  name: 'every command of docs/deploy.md was run, or is left out with a reason',
  work: () => {
    const forgotten = COMMANDS.filter((command) => !taken.has(command));
    expectThat(forgotten.length === 0, `not run: ${forgotten.join('; ')}`);
    return Promise.resolve();
  },
};

/** Resolves with how many steps passed and failed; undefined where the emulator cannot be had. */
async function drive(): Promise<Tally | undefined> {
  const folder = mkdtempSync(path.join(CACHE, 'run-'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      console.error('\nInterrupted: ending what was started.');
      void interrupt().finally(() => {
        rmSync(folder, { recursive: true, force: true });
        process.exit(130);
      });
    });
  try {
    const world = await within(
      STEP_MS,
      installTools(CACHE).then((bin) => makeWorld(bin, folder)),
    );
    return await runSteps([...developmentSteps(world), ...productionSteps(world), everyCommand]);
  } catch (error) {
    if (error instanceof Unavailable) {
      console.log(`Skipped npm run test:deploy: ${error.message}.`);
      return undefined;
    }
    console.log(`FAIL  the drive could not begin: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1 };
  } finally {
    await endAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

readArguments(HELP, {});
mkdirSync(CACHE, { recursive: true });
await import('./localhost.ts');
const tally = await drive();
if (tally !== undefined) {
  const list = (title: string, lines: readonly string[]) =>
    console.log(`\n${title}\n${lines.map((line) => `  - ${line}`).join('\n')}`);
  list(
    'Left out, because the emulator lacks it:',
    LEFT_OUT.map(({ what, reason, coveredBy }) => `${what}: ${reason} (instead: ${coveredBy})`),
  );
  const reasons = (all: Readonly<Record<string, string>>) =>
    Object.entries(all).map(([what, reason]) => `${what}: ${reason}`);
  list('On the page, and not run:', reasons(NOT_RUN));
  list('Warnings of cfn-lint that are left; it has no errors:', reasons(WARNINGS));
  console.log(`\n${tally.passed} passed, ${tally.failed} failed`);
  process.exitCode = tally.failed === 0 ? 0 : 1;
}
