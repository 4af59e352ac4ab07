/** `npm run leases -- list | revoke`: who holds tokens, and taking them back. */
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import {
  brokerInAws,
  brokerOverHttp,
  OperatorError,
  type LeaseFilter,
  type ListedLease,
  type OperatorBroker,
  type Selection,
} from './operator/operator-broker.ts';
import { formatDuration, startProgress } from './progress.ts';
import { readBasePort } from './settings.ts';

const HELP = `npm run leases -- list   [--user <name>] [--org <id>] [--state <state>] [--json]
npm run leases -- revoke (--user <name> | --org <id> | --all) [--yes] [--no-wait]

Lists the leases that have not ended, or revokes them: in the ledger at once, at ThoughtSpot as fast as the sweep may.

  --user <name>       leases of one ThoughtSpot user
  --org <id>          leases of one ThoughtSpot organisation
  --state <state>     reserved, live, revoking or orphaned
  --all               every lease (revoke only)
  --json              one JSON document instead of a table
  --yes               do not ask for confirmation
  --no-wait           do not wait until ThoughtSpot has confirmed

Which broker:
  (nothing)           the one that npm start runs on this machine, as its demo operator
  --url <url>         another one over HTTP, with --jwt: an access token that holds the revoke scope
  --functions <name>  one in AWS, by the common beginning of its functions' names and your own AWS credentials
`;

/** How often the remaining leases are counted while waiting, ms. */
const POLL_MS = 2_000;
/** More are not counted one by one. */
const COUNTED = 5_000;

class UsageError extends Error {}

const { values, positionals } = parse();

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        user: { type: 'string' },
        org: { type: 'string' },
        state: { type: 'string' },
        all: { type: 'boolean' },
        json: { type: 'boolean' },
        yes: { type: 'boolean', short: 'y' },
        'no-wait': { type: 'boolean' },
        url: { type: 'string' },
        jwt: { type: 'string' },
        functions: { type: 'string' },
      },
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exit(2);
  }
}

async function connect(): Promise<OperatorBroker> {
  if (values.functions !== undefined) return brokerInAws(values.functions);
  const url = values.url ?? `http://127.0.0.1:${readBasePort(process.env)}`;
  if (values.jwt !== undefined) return brokerOverHttp(url, values.jwt);
  if (values.url !== undefined) throw new UsageError('--url needs --jwt: an access token that holds the revoke scope.');
  const response = await fetch(new URL('/__local/jwt?user=ops', url)).catch(() => {
    throw new OperatorError(`No broker answers at ${url}. Start one with npm start, or name another with --url.`);
  });
  return brokerOverHttp(url, await response.text());
}

function orgId(): number | undefined {
  if (values.org === undefined) return undefined;
  if (!/^\d{1,10}$/.test(values.org)) throw new UsageError(`--org ${values.org} is not the number of an organisation.`);
  return Number(values.org);
}

function table(leases: readonly ListedLease[]): string {
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
  const all = [['user', 'org', 'kind', 'state', 'rule/grant', 'time left', 'tries', 'lease'], ...rows];
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
  });
  if (values.json === true) process.stdout.write(`${JSON.stringify({ leases }, null, 2)}\n`);
  else process.stdout.write(leases.length === 0 ? 'No leases.\n' : `${table(leases)}\n`);
}

function selection(): { readonly select: Selection; readonly filter: LeaseFilter; readonly words: string } {
  const org = orgId();
  const given = [values.user, org, values.all].filter((value) => value !== undefined);
  if (given.length !== 1) throw new UsageError('Name exactly one of --user, --org and --all.');
  if (values.user !== undefined)
    return { select: { userName: values.user }, filter: { user: values.user }, words: `of the user ${values.user}` };
  if (org !== undefined) return { select: { orgId: org }, filter: { org }, words: `of the organisation ${org}` };
  return { select: { all: true }, filter: {}, words: 'of everybody' };
}

async function revoke(broker: OperatorBroker): Promise<void> {
  const { select, filter, words } = selection();
  const before = (await collect(broker, filter, COUNTED)).length;
  const many = before >= COUNTED ? `at least ${before}` : String(before);
  if (values.yes !== true) {
    if (!process.stdin.isTTY) throw new UsageError('There is nobody to ask: add --yes.');
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await prompt.question(`Revoke ${many} leases ${words}? Type yes: `);
    prompt.close();
    if (answer.trim() !== 'yes') throw new UsageError('Nothing was revoked.');
  }
  const asOf = Date.now();
  const { revoked, pending } = await broker.revoke(select);
  const rest = pending === 0 || values['no-wait'] === true ? 0 : await wait(broker, filter, asOf, before - revoked);
  const done = { revoked, pending: values['no-wait'] === true ? pending : rest };
  const said =
    done.pending === 0
      ? `Revoked: every lease ${words} that stood at ${new Date(asOf).toISOString()} has ended.`
      : `Accepted: none of them is served any more; the sweep carries on at ThoughtSpot.`;
  process.stdout.write(values.json === true ? `${JSON.stringify(done)}\n` : `${said}\n`);
}

/** Waits until the sweep has ended what is left. Ctrl-C stops the waiting, not the revocation. */
async function wait(broker: OperatorBroker, filter: LeaseFilter, asOf: number, expected: number): Promise<number> {
  const total = Math.max(expected, 1);
  const progress = startProgress({ total, title: 'revoking' });
  for (;;) {
    const left = (await collect(broker, filter, COUNTED)).filter(
      (lease) => lease.reservedAt <= asOf && lease.state !== 'orphaned',
    );
    progress.update(Math.max(0, total - left.length), `${left.length} left`);
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  progress.end();
  return 0;
}

async function main(): Promise<void> {
  const [command, ...extra] = positionals;
  if (values.help === true || command === undefined) {
    process.stdout.write(HELP);
    process.exitCode = values.help === true ? 0 : 2;
  } else if (extra.length > 0 || (command !== 'list' && command !== 'revoke')) {
    throw new UsageError(`There is no command ${positionals.join(' ')}.`);
  } else {
    await (command === 'list' ? list : revoke)(await connect());
  }
}

process.once('SIGINT', () => {
  process.stderr.write('\nNo longer waiting. What was accepted goes on.\n');
  process.exit(130);
});
try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof OperatorError || error instanceof Error)) throw error;
  process.stderr.write(
    `${error.message}\n${error instanceof UsageError ? 'npm run leases -- --help explains.\n' : ''}`,
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
