/** `npm run leases -- list | revoke | users`: who holds tokens, taking them back, and ThoughtSpot users to clean up. */
import { createInterface } from 'node:readline/promises';
import { regionIn } from '../infra/deployed-stack.ts';
import { demoAccessToken, readArguments, runCommand, UsageError } from './command.ts';
import { LOOPBACK } from './network.ts';
import {
  brokerInAws,
  brokerOverHttp,
  type LeaseFilter,
  type ListedLease,
  type ListedUser,
  type OperatorBroker,
  type Selection,
} from './operator/operator-broker.ts';
import { formatDuration, startProgress } from './progress.ts';
import { readBasePort } from './settings.ts';

const HELP = `npm run leases -- list   [--user <name>] [--org <id>] [--state <state>] [--policy <version>] [--rule <name>] [--top] [--json]
npm run leases -- revoke (--user <name> | --org <id> | --policy <version> | --rule <name> | --all) [--yes] [--no-wait] [--json]
npm run leases -- users  --stale <30d> [--json]

Lists the leases that have not ended, or revokes them: in the ledger at once, at ThoughtSpot as fast as the sweep may.
\`users\` lists the ThoughtSpot users that the broker made (perEntitlement in the policy) and that had no token for that
long. The broker may not delete users: an administrator of ThoughtSpot can.

  --user <name>       leases of one person: all ThoughtSpot users that the broker made for that person are meant
  --org <id>          leases of one ThoughtSpot organisation
  --policy <version>  leases that were minted under one version of the policy (\`npm run policy -- check\` prints it)
  --rule <name>       leases that one rule of the policy gave
  --state <state>     reserved, live, revoking or orphaned (list only)
  --top               how many each caller holds, most first, instead of the leases (list only)
  --all               every lease (revoke only)
  --stale <time>      how long without a token: 30d, 12h (users only)
  --json              one JSON document
  --yes               do not ask for confirmation
  --no-wait           do not wait until ThoughtSpot has confirmed

Which broker:
  (nothing)           the one that npm start runs on this machine, as its demo operator
  --url <url>         another one over HTTP, with --jwt: an access token that holds the revoke scope
  --env <name>        the one of a deployed environment, with your own AWS credentials, which may invoke
                      the API's routes for operators (docs/deploy.md)
  --region <region>   its region (default: AWS_REGION, AWS_DEFAULT_REGION, or that of the AWS profile)
`;

/** How often the remaining leases are counted while waiting, ms. */
const POLL_MS = 2_000;
/** More are not counted one by one. */
const COUNTED = 5_000;

const { values, positionals } = readArguments(
  HELP,
  {
    user: { type: 'string' },
    org: { type: 'string' },
    state: { type: 'string' },
    top: { type: 'boolean' },
    policy: { type: 'string' },
    rule: { type: 'string' },
    all: { type: 'boolean' },
    stale: { type: 'string' },
    json: { type: 'boolean' },
    yes: { type: 'boolean', short: 'y' },
    'no-wait': { type: 'boolean' },
    url: { type: 'string' },
    jwt: { type: 'string' },
    env: { type: 'string' },
    region: { type: 'string' },
  },
  1,
);

async function connect(): Promise<OperatorBroker> {
  const { url, jwt, env, region } = values;
  if (env !== undefined) {
    if (url !== undefined || jwt !== undefined) throw new UsageError('Name one broker: --env, or --url and --jwt.');
    if (!/^[a-z][a-z0-9-]{0,19}$/.test(env)) throw new UsageError(`--env ${env} is not the name of an environment.`);
    return brokerInAws(env, region ?? regionIn(process.env));
  }
  if (region !== undefined) throw new UsageError('--region is for --env.');
  if (url !== undefined && jwt === undefined)
    throw new UsageError('--url needs --jwt: an access token that holds the revoke scope.');
  const broker = (url ?? `http://${LOOPBACK}:${readBasePort(process.env)}`).replace(/\/$/, '');
  return brokerOverHttp(broker, jwt ?? (await demoAccessToken(broker, 'ops')));
}

/** Options that the other command has, and this one would not heed. */
function refuseOthers(command: string, others: Readonly<Record<string, string>>): void {
  for (const [option, owner] of Object.entries(others))
    if (option in values && owner !== command) throw new UsageError(`--${option} is for ${owner}.`);
}

function orgId(): number | undefined {
  if (values.org === undefined) return undefined;
  if (!/^\d{1,10}$/.test(values.org)) throw new UsageError(`--org ${values.org} is not the number of an organisation.`);
  return Number(values.org);
}

function leaseTable(leases: readonly ListedLease[]): string {
  const now = Date.now();
  const rows = leases.map((lease) => [
    lease.user,
    String(lease.orgId),
    lease.kind,
    lease.state,
    `${lease.rule}/${lease.grant}`,
    lease.expiresAt === undefined ? '' : formatDuration(lease.expiresAt - now),
    String(lease.attempts),
    `${lease.leaseId.slice(0, 12)}…`,
  ]);
  return table([['user', 'org', 'kind', 'state', 'rule/grant', 'time left', 'tries', 'lease'], ...rows]);
}

function table(all: readonly (readonly string[])[]): string {
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

async function collect(broker: OperatorBroker, filter: LeaseFilter, most = Infinity): Promise<ListedLease[]> {
  const found: ListedLease[] = [];
  for await (const lease of broker.leases(filter)) {
    found.push(lease);
    if (found.length >= most) break;
  }
  return found;
}

async function list(broker: OperatorBroker): Promise<void> {
  const org = orgId();
  const leases = await collect(broker, {
    ...(values.user === undefined ? {} : { user: values.user }),
    ...(org === undefined ? {} : { org }),
    ...(values.state === undefined ? {} : { state: values.state }),
    ...(values.policy === undefined ? {} : { policyVersion: values.policy }),
    ...(values.rule === undefined ? {} : { rule: values.rule }),
  });
  if (values.top === true) return listHolders(leases);
  if (values.json === true) process.stdout.write(`${JSON.stringify({ leases }, null, 2)}\n`);
  else process.stdout.write(leases.length === 0 ? 'No leases.\n' : `${leaseTable(leases)}\n`);
}

/** Who holds most, by caller: that is whom the limits of a policy count. */
function listHolders(leases: readonly ListedLease[]): void {
  const byCaller = Map.groupBy(leases, ({ caller }) => JSON.stringify([caller.issuer, caller.subject]));
  const holders = [...byCaller.values()].flatMap((held) => {
    const users = [...new Set(held.map(({ user }) => user))].sort();
    return held[0] === undefined ? [] : [{ caller: held[0].caller, leases: held.length, users }];
  });
  holders.sort((one, other) => other.leases - one.leases);
  if (values.json === true) process.stdout.write(`${JSON.stringify({ holders }, null, 2)}\n`);
  else if (holders.length === 0) process.stdout.write('No leases.\n');
  else {
    const rows = holders.map(({ caller: { issuer, subject }, leases: held, users }) => {
      return [String(held), subject, issuer, users.join(', ')];
    });
    process.stdout.write(`${table([['leases', 'subject', 'issuer', 'users'], ...rows])}\n`);
  }
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000 };

async function users(broker: OperatorBroker): Promise<void> {
  const [, count, unit = ''] = /^(\d{1,5})([dh])$/.exec(values.stale ?? '') ?? [];
  if (count === undefined) throw new UsageError('Say for how long without a token: --stale 30d.');
  const found: ListedUser[] = [];
  for await (const user of broker.usersUnusedSince(Date.now() - Number(count) * (UNITS[unit] ?? 0))) found.push(user);
  if (values.json === true) process.stdout.write(`${JSON.stringify({ users: found }, null, 2)}\n`);
  else if (found.length === 0) process.stdout.write('No users.\n');
  else {
    const rows = found.map(({ userName, orgId, until }) => [userName, String(orgId), new Date(until).toISOString()]);
    process.stdout.write(`${table([['ThoughtSpot user', 'org', 'last token ended by'], ...rows])}\n`);
  }
}

function selection(): { readonly select: Selection; readonly filter: LeaseFilter; readonly words: string } {
  const org = orgId();
  const { policy, rule } = values;
  const given = [values.user, org, policy, rule, values.all].filter((value) => value !== undefined);
  if (given.length !== 1) throw new UsageError('Name exactly one of --user, --org, --policy, --rule and --all.');
  if (policy !== undefined) {
    const select = { policyVersion: policy };
    return { select, filter: select, words: `of the policy ${policy}` };
  }
  if (rule !== undefined) return { select: { rule }, filter: { rule }, words: `of the rule ${rule}` };
  if (values.user !== undefined)
    return { select: { userName: values.user }, filter: { user: values.user }, words: `of the user ${values.user}` };
  if (org !== undefined) return { select: { orgId: org }, filter: { org }, words: `of the organisation ${org}` };
  return { select: { all: true }, filter: {}, words: 'of everybody' };
}

/** What has become of the leases that a revocation found. */
interface Counts {
  readonly ended: number;
  readonly left: number;
  /** Their tokens are unknown: no sweep can revoke them. */
  readonly orphaned: number;
}

async function revoke(broker: OperatorBroker): Promise<void> {
  const { select, filter, words } = selection();
  const before = (await collect(broker, filter, COUNTED)).length;
  const atLeast = before >= COUNTED ? 'at least ' : '';
  if (values.yes !== true) {
    if (!process.stdin.isTTY) throw new UsageError('There is nobody to ask: add --yes.');
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await prompt.question(`Revoke ${atLeast}${before} leases ${words}? Type yes: `);
    prompt.close();
    if (answer.trim() !== 'yes') throw new UsageError('Nothing was revoked.');
  }
  const asOf = Date.now();
  await broker.revoke(select);
  const { ended, left, orphaned } = await follow(async () => {
    const found = (await collect(broker, filter, COUNTED)).filter(({ reservedAt }) => reservedAt <= asOf);
    const orphans = found.filter(({ state }) => state === 'orphaned').length;
    return { ended: Math.max(0, before - found.length), left: found.length - orphans, orphaned: orphans };
  });
  const counts = [
    `${atLeast}${ended} ended`,
    ...(left === 0 ? [] : [`${atLeast}${left} left to the sweep`]),
    ...(orphaned === 0 ? [] : [`${orphaned} orphaned until the token ends by itself`]),
  ];
  const rest = left === 0 ? '' : '; none of them is served any more';
  const said = ended + left + orphaned === 0 ? `No leases ${words}.` : `Leases ${words}: ${counts.join(', ')}${rest}.`;
  const json = JSON.stringify({ revoked: ended, pending: left, orphaned });
  process.stdout.write(`${values.json === true ? json : said}\n`);
}

/** Counts until nothing is left to the sweep; once with --no-wait. Ctrl-C stops the waiting, not the revocation. */
async function follow(count: () => Promise<Counts>): Promise<Counts> {
  let counts = await count();
  const total = counts.ended + counts.left;
  const progress = startProgress({ total, title: 'revoking' });
  while (counts.left > 0 && values['no-wait'] !== true) {
    progress.update(total - counts.left, `${counts.left} left`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    counts = await count();
  }
  progress.end();
  return counts;
}

const COMMANDS: Readonly<Record<string, (broker: OperatorBroker) => Promise<void>>> = { list, revoke, users };

process.once('SIGINT', () => {
  process.stderr.write('\nNo longer waiting. What was accepted goes on.\n');
  process.exit(130);
});
await runCommand(async () => {
  const [command] = positionals;
  const run = command === undefined || !Object.hasOwn(COMMANDS, command) ? undefined : COMMANDS[command];
  if (command === undefined || run === undefined)
    throw new UsageError(command === undefined ? 'list, revoke or users?' : `There is no command ${command}.`);
  refuseOthers(command, {
    state: 'list',
    top: 'list',
    all: 'revoke',
    yes: 'revoke',
    'no-wait': 'revoke',
    stale: 'users',
  });
  if (command === 'users' && (values.user ?? values.org ?? values.policy ?? values.rule) !== undefined)
    throw new UsageError('users takes --stale only, none of --user, --org, --policy and --rule.');
  await run(await connect());
});
