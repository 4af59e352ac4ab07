import { readFileSync } from 'node:fs';
import { examineAcceptance } from './accept/acceptance.ts';
import { callersOf } from './doctor/callers.ts';
import { payAttention } from './doctor/attention.ts';
import { examiner, Finding } from './doctor/checklist.ts';
import type { Check } from './doctor/checklist.ts';
import { examineAll } from './doctor/examination.ts';
import { parseOptions, UsageError } from './doctor/options.ts';
import { isHealthy, reportLines } from './doctor/report.ts';
import { regionOfProfile } from './deployed-stack.ts';
import { loadEnvironment } from './environment-files.ts';

const USAGE = `Accepts a deployed environment: all that the doctor checks, then revocations by operator, schedule and event, the
sweep, CORS for strangers and, if you ask for it, throttling.

  npm run accept -- --env <environment> [--throttling] [options of npm run doctor]

BROKER_JWT (or --jwt) is an access token of a caller whose ThoughtSpot user is nobody else's, such as the prober's: every token
of that user is revoked, and no other. With several issuers, give an access token of each that is to be tried: --jwt again, or one after
the other in BROKER_JWT. You need AWS credentials that may invoke the operators' routes of the API, invoke the
functions' alias live and put events.
That user is suspended on the way, and reinstated whatever happens.
Exit code: 0 no check failed, 1 a check failed, 2 wrong usage.`;

/** `npm run accept`: what a platform engineer runs after the first deployment. Resolves with the exit code. */
async function main(): Promise<0 | 1> {
  const argv = process.argv.slice(2);
  const options = parseOptions(
    argv.filter((argument) => argument !== '--throttling'),
    process.env,
    () => readFileSync(0, 'utf8'),
  );
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const { environment: name } = options;
  if (name === undefined) throw new UsageError('Name an environment: --env dev.');
  if (options.jwts.length === 0)
    throw new UsageError('Nothing can be accepted without a caller: set BROKER_JWT, or give --jwt.');
  const attention = payAttention('accept', 38);
  const examination = await examineAll(options, process.env, attention).finally(attention.end);
  const region = options.region ?? (await regionOfProfile());
  const environment = loadEnvironment(name, { account: '000000000000', region });
  const checks: Check[] = [...examination.checks];
  const throttling = argv.includes('--throttling');
  const examine = examiner('broker', checks, attention);
  const { broker: url } = examination;
  if (url === undefined)
    await examine('acceptance', () => {
      const cure = 'Sign in to AWS and deploy the environment, or give its address with --broker <url>.';
      throw new Finding('the broker was not found, so nothing of it was tried', cure);
    });
  else {
    const callers = callersOf(options, environment.issuers).filter(({ jwt }) => jwt !== undefined);
    await examineAcceptance(examine, { environment, url, callers, throttling }).finally(attention.end);
  }
  const accepted = { ...examination, checks };
  const healthy = isHealthy(accepted);
  console.log(options.json ? JSON.stringify({ healthy, ...accepted }, null, 2) : reportLines(accepted).join('\n'));
  return healthy ? 0 : 1;
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const usage = error instanceof UsageError;
    console.error(error instanceof Error ? error.message : error);
    if (usage) console.error(`\n${USAGE}`);
    process.exitCode = usage ? 2 : 1;
  },
);
