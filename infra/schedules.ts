/** `npm run schedules`: when the revocation schedules of an environment run, one of them now, and those that failed again. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { regionIn, regionOfProfile, stackName } from './deployed-stack.ts';
import { ANY_REGION } from './environment-aws.ts';
import { loadEnvironment } from './environment-files.ts';
import { messageOf, readArguments, runCommand, UsageError } from '../local/command.ts';
import type { Environment } from './environments/environment.ts';
import { runsOf } from './schedule-runs.ts';

const USAGE = `npm run schedules -- next --env <environment> [--count 10]
npm run schedules -- fire <name> --env <environment> [--local http://127.0.0.1:8787]
npm run schedules -- replay --env <environment>

--region <region> is where fire and replay find the environment (default: AWS_REGION, AWS_DEFAULT_REGION, or the AWS profile).
next   prints the next runs of each revocation schedule, in its zone and in UTC, as its file has it now; asks nothing of AWS
fire   revokes now what the schedule revokes, dated now. You need AWS credentials that may invoke the alias live of revoketoken.
       With --local, npm start does it: nothing is asked of AWS.
replay revokes what failed after all retries, dated as it was then: what schedules and user.deprovisioned have left in the
       dead-letter queue. What fails again stays there. You need the same, and to receive and delete the queue's messages.

--help this text
`;

type Schedule = Environment['revocationSchedules'][number];

/** A line per run; where the clocks have changed since the run before, it says so. */
export function linesOf({ name, expression, timeZone, select }: Schedule, from: number, count: number): string[] {
  const title = `${name}: ${expression} in ${timeZone}, revokes ${JSON.stringify(select)}`;
  if (!expression.startsWith('cron('))
    return [title, '  Counted from when the schedule was created or last changed; no clock changes it.'];
  const lines: string[] = [];
  let before: number | undefined;
  for (const { at, local, offset, jump } of runsOf(expression, timeZone, from)) {
    const utc = `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    const changed = before !== undefined && before !== offset && jump === undefined ? '  the clocks have changed' : '';
    const words = {
      skipped: '  SKIPPED: this local time does not exist, the clocks go forward over it',
      'comes twice': '  once, though this local time comes twice: the clocks go back over it',
    };
    lines.push(`  ${local}  ${jump === 'skipped' ? 'no run              ' : utc}${jump ? words[jump] : changed}`);
    before = offset;
    if (lines.length === count) break;
  }
  return [title, ...(lines.length > 0 ? lines : ['  never again'])];
}

/** What EventBridge Scheduler would send now. */
const eventOf = ({ name, select }: Schedule) => ({
  source: 'schedule',
  name,
  scheduledTime: new Date().toISOString(),
  select,
});

async function fireDeployed(environment: Environment, event: object): Promise<string> {
  const FunctionName = `${stackName(environment.name)}-revoketoken`;
  const client = new LambdaClient({ region: environment.region, maxAttempts: 2 });
  try {
    const command = new InvokeCommand({ FunctionName, Qualifier: 'live', Payload: JSON.stringify(event) });
    const { FunctionError, Payload } = await client.send(command).catch((error: unknown) => {
      const where = `${FunctionName} (alias live) in ${environment.region}`;
      throw new Error(
        `${where} was not invoked: ${messageOf(error)}. Is it deployed there, and are you signed in to AWS?`,
      );
    });
    const text = new TextDecoder().decode(Payload ?? new Uint8Array());
    if (FunctionError !== undefined) throw new Error(`${FunctionName} failed: ${text}\nIts log says why.`);
    return text;
  } finally {
    client.destroy();
  }
}

/** Sends the event to the local broker. Throws with words where it is not there or refuses. */
export async function fireLocal(url: string, event: object): Promise<string> {
  const answer = await fetch(`${url}/__local/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  }).catch(() => {
    throw new Error(`Nothing answers at ${url}. Is npm start running?`);
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return text;
}

async function main(): Promise<void> {
  const options = {
    env: { type: 'string' },
    count: { type: 'string', default: '10' },
    local: { type: 'string' },
    region: { type: 'string' },
  } as const;
  const { values, positionals } = readArguments(USAGE, options, 2);
  const [verb, wanted] = positionals;
  if (!['next', 'fire', 'replay'].includes(verb ?? '') || positionals.length !== (verb === 'fire' ? 2 : 1))
    throw new UsageError('Say what to do: next, fire <name>, or replay.');
  if (values.env === undefined) throw new UsageError('Name an environment: --env dev.');
  const region =
    verb === 'next' || (verb === 'fire' && values.local)
      ? ANY_REGION
      : (values.region ?? regionIn(process.env) ?? (await regionOfProfile()));
  const environment = loadEnvironment(values.env, { account: '000000000000', region });
  const { name, revocationSchedules } = environment;
  if (verb === 'next') {
    if (!/^[1-9]\d{0,3}$/.test(values.count)) throw new UsageError('--count is a whole number, 1 to 9999.');
    if (revocationSchedules.length === 0) return console.log(`${name} has no revocationSchedules.`);
    const lists = revocationSchedules.map((one) => linesOf(one, Date.now(), Number(values.count)).join('\n'));
    return console.log(lists.join('\n\n'));
  }
  if (verb === 'replay') {
    const { replayDeadLetters } = await import('./dead-letters.ts');
    const send = (event: object) => fireDeployed(environment, event);
    const { replayed, failed } = await replayDeadLetters(environment, send, (line) => console.log(line));
    console.log(`${replayed} replayed, ${failed} failed`);
    if (failed > 0) process.exitCode = 1;
    return;
  }
  const schedule = revocationSchedules.find((one) => one.name === wanted);
  if (schedule === undefined) {
    const names = revocationSchedules.map((one) => one.name).join(', ') || 'none';
    throw new UsageError(`${name} has no schedule ${wanted}. Known: ${names}.`);
  }
  const event = eventOf(schedule);
  console.log(await (values.local ? fireLocal(values.local, event) : fireDeployed(environment, event)));
}

if (process.argv[1] === import.meta.filename) void runCommand(main, messageOf);
