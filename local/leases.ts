/** `npm run leases`: who holds tokens, taking them back, shutting people out, and ThoughtSpot users to clean up. */
import { createInterface } from 'node:readline/promises';
import { regionIn } from '../infra/deployed-stack.ts';
import { demoAccessToken, runCommand, UsageError } from './command.ts';
import { LOOPBACK } from './network.ts';
import {
  brokerInAws,
  brokerOverHttp,
  type Answer,
  type LeaseFilter,
  type ListedBlock,
  type ListedLease,
  type ListedUser,
  type OperatorBroker,
  type Selection,
  type Whom,
} from './operator/operator-broker.ts';
import { blockTable, holdersOf, leaseTable, table } from './operator/lease-tables.ts';
import { readLeasesArguments } from './operator/leases-arguments.ts';
import { startProgress } from './progress.ts';
import { readBasePort } from './settings.ts';

/** How often the remaining leases are counted while waiting, ms. */
const POLL_MS = 2_000;
/** More are not counted one by one. */
const COUNTED = 5_000;

const { values, positionals } = readLeasesArguments();

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

/** Options that other commands have, and this one would not heed. */
function refuseOthers(command: string, others: Readonly<Record<string, readonly string[]>>): void {
  for (const [option, owners] of Object.entries(others))
    if (option in values && !owners.includes(command)) throw new UsageError(`--${option} is for ${owners.join(', ')}.`);
}

function orgId(): number | undefined {
  if (values.org === undefined) return undefined;
  if (!/^\d{1,10}$/.test(values.org)) throw new UsageError(`--org ${values.org} is not the number of an organisation.`);
  return Number(values.org);
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

function listHolders(leases: readonly ListedLease[]): void {
  const holders = holdersOf(leases);
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

interface Selected<T> {
  readonly select: T;
  /** Finds the leases; absent where there is no filter for them. */
  readonly filter?: LeaseFilter;
  readonly words: string;
}

function selection(): Selected<Selection> {
  const { policy, rule } = values;
  if (policy === undefined && rule === undefined) return whom();
  const others = [values.user, values.org, values.subject, values.all].some((value) => value !== undefined);
  if (others || (policy !== undefined && rule !== undefined)) throw new UsageError(ONE);
  if (rule !== undefined) return { select: { rule }, filter: { rule }, words: `of the rule ${rule}` };
  const select = { policyVersion: policy ?? '' };
  return { select, filter: select, words: `of the policy ${policy}` };
}

const ONE =
  'Name exactly one of --user, --subject, --org and --all, or --user with --org (or --policy or --rule to revoke).';

function whom(): Selected<Whom> {
  const { user, subject, issuer, all } = values;
  const org = orgId();
  const given = [user ?? org, subject, all].filter((value) => value !== undefined);
  if (given.length !== 1) throw new UsageError(ONE);
  if ((subject === undefined) !== (issuer === undefined)) throw new UsageError('--subject needs --issuer.');
  if (subject !== undefined && issuer !== undefined)
    return { select: { subject: { issuer, sub: subject } }, words: `of the subject ${subject}` };
  if (user !== undefined) {
    const there = org === undefined ? {} : { orgId: org };
    const filter = { user, ...(org === undefined ? {} : { org }) };
    const where = org === undefined ? '' : ` in the organisation ${org}`;
    return { select: { userName: user, ...there }, filter, words: `of the user ${user}${where}` };
  }
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
  const keepSignIn = values['keep-sign-in'] === true ? { keepSignIn: true } : {};
  const selected = selection();
  await end(broker, 'Revoke', selected, () => broker.revoke(selected.select, { ...keepSignIn, ...endShared() }));
}

async function suspend(broker: OperatorBroker): Promise<void> {
  const selected = whom();
  await end(broker, 'Suspend, and revoke', selected, () => broker.suspend(selected.select, endShared()));
}

const endShared = () => (values['end-shared'] === true ? { endShared: true } : {});

async function end(
  broker: OperatorBroker,
  deed: string,
  { filter, words }: Selected<unknown>,
  act: () => Promise<Answer>,
): Promise<void> {
  // Of a subject nobody can tell in advance which leases there are.
  const find = async () => (filter === undefined ? [] : collect(broker, filter, COUNTED));
  const before = (await find()).length;
  const atLeast = before >= COUNTED ? 'at least ' : '';
  if (values.yes !== true) {
    if (!process.stdin.isTTY) throw new UsageError('There is nobody to ask: add --yes.');
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    const what = filter === undefined ? 'the leases' : `${atLeast}${before} leases`;
    const answer = await prompt.question(`${deed} ${what} ${words}? Type yes: `);
    prompt.close();
    if (answer.trim() !== 'yes') throw new UsageError('Nothing was revoked.');
  }
  const asOf = Date.now();
  const { revoked = 0, pending, unmatched, sharedLeft } = await act();
  const { ended, left, orphaned } =
    filter === undefined
      ? { ended: revoked, left: pending ?? 0, orphaned: 0 }
      : await follow(async () => {
          const found = (await find()).filter(({ reservedAt }) => reservedAt <= asOf);
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
  const shared = sharedLeft === undefined ? {} : { sharedLeft };
  // Of a subject nobody can count what an index does not show yet.
  const unknown = filter === undefined && pending === null;
  const json = JSON.stringify({ revoked: ended, pending: unknown ? null : left, orphaned, ...shared });
  process.stdout.write(`${values.json === true ? json : said}\n`);
  if (unknown) process.stderr.write('The sweep looks again for what an index does not show yet.\n');
  if (sharedLeft !== undefined)
    process.stderr.write(
      `${sharedLeft} shared leases stay, of which the subject may have been given any; --end-shared ends them too.\n`,
    );
  if (unmatched !== undefined && filter === undefined)
    process.stderr.write(`No lease lives ${words}. Is the name right?\n`);
}

async function reinstate(broker: OperatorBroker): Promise<void> {
  const { select, words } = whom();
  const reinstated = await broker.reinstate(select);
  const said = reinstated === 0 ? `There was no suspension ${words}.` : `The suspension ${words} is lifted.`;
  process.stdout.write(`${values.json === true ? JSON.stringify({ reinstated }) : said}\n`);
}

async function blocks(broker: OperatorBroker): Promise<void> {
  const found: ListedBlock[] = [];
  for await (const block of broker.blocks()) found.push(block);
  if (values.json === true) return void process.stdout.write(`${JSON.stringify({ blocks: found }, null, 2)}\n`);
  if (found.length === 0) return void process.stdout.write('Nobody is shut out.\n');
  process.stdout.write(`${blockTable(found)}\n`);
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

const COMMANDS: Readonly<Record<string, (broker: OperatorBroker) => Promise<void>>> = {
  list,
  revoke,
  suspend,
  reinstate,
  blocks,
  users,
};
const ENDING = ['revoke', 'suspend'];
const WHOM = ['revoke', 'suspend', 'reinstate'];

process.once('SIGINT', () => {
  process.stderr.write('\nNo longer waiting. What was accepted goes on.\n');
  process.exit(130);
});
await runCommand(async () => {
  const [command] = positionals;
  const run = command === undefined || !Object.hasOwn(COMMANDS, command) ? undefined : COMMANDS[command];
  if (command === undefined || run === undefined)
    throw new UsageError(
      command === undefined ? `${Object.keys(COMMANDS).join(', ')}?` : `There is no command ${command}.`,
    );
  refuseOthers(command, {
    state: ['list'],
    top: ['list'],
    user: ['list', ...WHOM],
    org: ['list', ...WHOM],
    policy: ['list', 'revoke'],
    rule: ['list', 'revoke'],
    all: WHOM,
    subject: WHOM,
    issuer: WHOM,
    'keep-sign-in': ['revoke'],
    'end-shared': ENDING,
    yes: ENDING,
    'no-wait': ENDING,
    stale: ['users'],
  });
  await run(await connect());
});
