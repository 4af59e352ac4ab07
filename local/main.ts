/** `npm start` and `npm run dev`: the whole broker on this machine, until Ctrl-C. */
import { join } from 'node:path';
import { stop as stopBundler } from 'esbuild';
import { PROJECT_ROOT } from '../infra/bundles.ts';
import { readArguments, textOf, UsageError } from './command.ts';
import { readDemoUsers } from './issuer.ts';
import { startLocalBroker, type LocalBroker } from './local-broker.ts';
import { scheduleLines, schedulesIn, startSchedules, type Schedule } from './schedules.ts';
import type { OutputLine } from './lambda/output.ts';
import { DEFAULT_PORT, defaultPolicy, readSettings, SECRET_VARIABLES, type LocalSettings } from './settings.ts';
import { watchSources } from './watch.ts';

const HELP = `The whole token broker on this machine: gateway, functions in sandboxes, AWS endpoints, OIDC issuer and
a ThoughtSpot simulator, all on 127.0.0.1.

  npm start [-- --verbose]      until Ctrl-C
  npm run dev                   the same, and a change in functions/ or the policy replaces the sandboxes

  --partner    a second issuer with the same demo users, whose callers come to /i/partner/...
  --schedules  the environment whose revocation schedules run (dev), or none
  --verbose    print every line that the functions log
  --help       this text

Environment:
  BROKER_PORT        first of six ports in a row, of seven with --partner (${DEFAULT_PORT})
  BROKER_ORIGINS     origins of front-end apps that may call it, by commas (http://localhost:5173)
  BROKER_POLICY      policy document instead of local/policy.json; with --partner its rules name their issuers
  BROKER_LOG_LEVEL   DEBUG, INFO, WARN or ERROR
A real cluster instead of the simulator:
  THOUGHTSPOT_HOST   its origin (https://acme.thoughtspot.cloud), and
  THOUGHTSPOT_SECRET_KEY, or THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD
  THOUGHTSPOT_DIALECT  auth-2.0 (REST API v2.0, the default) or session-v2 (the beta API of 2021)
`;

/** How long a stop may take before we end without it, ms. */
const STOP_WITHIN_MS = 1500;
const PARENT_CHECK_MS = 500;

const { values: flags } = readArguments(HELP, {
  watch: { type: 'boolean' },
  verbose: { type: 'boolean' },
  partner: { type: 'boolean' },
  schedules: { type: 'string', default: 'dev' },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function table(broker: LocalBroker): string {
  const { broker: gateway, thoughtspot, issuer, partner, secretsManager, kms, dynamodb } = broker.addresses();
  const rows = [
    ['broker and demo page', gateway],
    [broker.simulator ? 'ThoughtSpot simulator' : 'ThoughtSpot (real)', thoughtspot],
    ['OIDC issuer', issuer],
    ...(partner === undefined ? [] : [['OIDC issuer partner', partner] as const]),
    ['AWS Secrets Manager', secretsManager],
    ['AWS KMS', kms],
    ['AWS DynamoDB', dynamodb],
  ] as const;
  return rows.map(([name, url]) => `  ${name.padEnd(22)} ${url}`).join('\n');
}

function instructions(broker: LocalBroker, port: number, schedules: readonly Schedule[]): string {
  const prefix = port === DEFAULT_PORT ? '' : `BROKER_PORT=${port} `;
  return [
    `Get a token for a demo user (${Object.keys(broker.issuer.users).join(', ')}):`,
    `  ${prefix}npm run token -- alice`,
    ...(broker.partner ? [`  ${prefix}npm run token -- alice --issuer partner`] : []),
    'or by hand:',
    `  curl -s -X POST ${broker.url}/gettoken -H "Authorization: Bearer $(curl -s '${broker.url}/__local/jwt?user=alice')"`,
    '',
    ...scheduled(broker, schedules),
    `Pages that may ask (BROKER_ORIGINS): ${broker.allowOrigins.join(', ')}`,
    'Ctrl-C stops everything.',
  ].join('\n');
}

/** The schedules that run, and how one of them runs now. */
function scheduled({ url }: LocalBroker, schedules: readonly Schedule[]): readonly string[] {
  const [first] = schedules;
  if (first === undefined) return [];
  return [
    `Revocation schedules of ${flags.schedules} (--schedules):`,
    ...scheduleLines(schedules, Date.now()).map((line) => `  ${line}`),
    `  now: npm run schedules -- fire ${first.name} --env ${flags.schedules} --local ${url}`,
    '',
  ];
}

function showOutput({ source, stream, text }: OutputLine): void {
  const important = flags.verbose ?? /"level":"(WARN|ERROR)"/.test(text);
  if (important || stream === 'stderr') say(`  [${source}] ${text}`);
}

async function run(settings: LocalSettings): Promise<void> {
  const schedules = flags.schedules === 'none' ? [] : schedulesIn(flags.schedules);
  const { basePort, thoughtspot, policyFile: policy } = settings;
  const real = thoughtspot.kind === 'cluster';
  if (real)
    say(
      `Tokens will come from the real cluster ${thoughtspot.host} (${thoughtspot.dialect}); no simulator is started.\n` +
        'The ledger is in memory. Ctrl-C revokes nothing, and tokens of an earlier run are not known here: they may live\n' +
        'at the cluster until they end. To end them at once, deactivate the users in ThoughtSpot.',
    );
  const broker = await startLocalBroker({
    basePort,
    thoughtspot,
    ...(flags.partner === true && { partner: readDemoUsers() }),
    ...(policy !== defaultPolicy(thoughtspot.dialect) && { policy }),
    allowOrigins: settings.allowOrigins,
    logLevel: settings.logLevel,
    onAnswer: ({ method, path, status, durationMs }) =>
      say(`  ${method} ${path} ${status} ${durationMs.toFixed(0)} ms`),
  });
  broker.output.listen(showOutput);
  const unschedule = startSchedules(schedules, (event) => {
    say(`  schedule ${event.name} runs`);
    void broker.invoke('revoketoken', event);
  });
  const unwatch = flags.watch === true ? watch(broker, policy) : undefined;
  // The bundler is a process of its own; without watch mode it has done its work, but for the demo page.
  if (unwatch === undefined) await stopBundler();

  let stopping = false;
  const stop = (status: number) => {
    if (stopping) return;
    stopping = true;
    unwatch?.();
    unschedule();
    setTimeout(() => process.exit(status), STOP_WITHIN_MS).unref();
    void broker.close().finally(() => process.exit(status));
  };
  process.on('SIGINT', () => stop(0));
  process.on('SIGTERM', () => stop(0));
  process.on('SIGHUP', () => stop(0));
  stopWithParent(() => stop(0));

  say(`The broker is ready:\n${table(broker)}\n\n${instructions(broker, basePort, schedules)}`);
}

function watch(broker: LocalBroker, policy: string): () => void {
  return watchSources([join(PROJECT_ROOT, 'functions'), join(PROJECT_ROOT, 'local', 'demo')], [policy], async () => {
    const started = performance.now();
    try {
      await broker.rebuild();
      say(`  rebuilt in ${(performance.now() - started).toFixed(0)} ms; the next request runs the new code`);
    } catch {
      // esbuild has printed file, line and error.
      say('  not rebuilt: the code from before the change stays in place');
    }
  });
}

/** npm does not always pass on its own end: started by it, we end when it is gone. */
function stopWithParent(stop: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  setInterval(() => (process.ppid === parent ? undefined : stop()), PARENT_CHECK_MS).unref();
}

try {
  const settings = readSettings(process.env);
  for (const name of SECRET_VARIABLES) delete process.env[name];
  await run(settings);
} catch (error) {
  process.stderr.write(`The broker did not start.\n${textOf(error)}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}
