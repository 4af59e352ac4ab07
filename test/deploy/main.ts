/**
 * `npm run test:deploy`: follows docs/deploy.md, command by command, in a copy of the project, against an AWS emulator that
 * we did not write. It closes with `N passed, N failed`; where the emulator cannot be installed it says why in one line.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROJECT_ROOT } from '../../infra/bundles.ts';
import { knownEnvironments } from '../../infra/environment-list.ts';
import { installTools, startEmulator, Unavailable } from './emulator.ts';
import { LEFT_OUT } from './left-out.ts';
import { freePorts, run, start, type Ended, type Started } from './processes.ts';

const CACHE = path.join(PROJECT_ROOT, '.cache', 'deploy');
const NAME = 'emulated';
const REGION = 'eu-central-1';
const STACK = `thoughtspot-broker-${NAME}`;
const STEP_MS = 240_000;

let passed = 0;
const failures: string[] = [];
const started: Started[] = [];

/** One step of the drive: printed with its time; a failure is printed with what the program said. */
async function step(name: string, work: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  const seconds = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`.padStart(8);
  const late = new AbortController();
  try {
    const limit = sleep(STEP_MS, undefined, { signal: late.signal }).then(() => {
      throw new Error(`not done after ${STEP_MS / 1000} s`);
    });
    await Promise.race([work(), limit]);
    passed += 1;
    console.log(`ok    ${seconds()}  ${name}`);
  } catch (error) {
    failures.push(name);
    console.log(
      `FAIL  ${seconds()}  ${name}\n${String(error instanceof Error ? error.message : error).replace(/^/gm, '        ')}`,
    );
  } finally {
    late.abort();
  }
}

function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** The program ended as it should, and said what it should. */
function expectEnd({ code, text }: Ended, wanted: number, ...words: readonly (string | RegExp)[]): void {
  const missing = words.filter((word) => (typeof word === 'string' ? !text.includes(word) : !word.test(text)));
  if (code === wanted && missing.length === 0) return;
  const wishes = missing.map((word) => `, without ${String(word)}`).join('');
  throw new Error(`ended with ${code} instead of ${wanted}${wishes}:\n${text.slice(-3_000)}`);
}

/** No check failed but those that the emulator cannot pass, and the report has these words. */
function expectHealthy({ text }: Ended, ...words: readonly RegExp[]): void {
  const failed = [...text.matchAll(/^ *FAIL +(.+?) {2,}/gm)].map(([, check = '']) => check);
  const ours = failed.filter((check) => !LEFT_OUT.some((one) => one.check?.test(check)));
  const missing = words.filter((word) => !word.test(text));
  if (ours.length === 0 && missing.length === 0 && / passed, \d+ failed/.test(text)) return;
  throw new Error(`failed: ${ours.join(', ')}; missing: ${missing.join(', ')}\n${text.slice(-4_000)}`);
}

/** A copy of the project in which an environment can be added and changed. */
function copyProject(): string {
  const copy = path.join(CACHE, 'project');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  const left = ['node_modules', '.git', '.cache', 'cdk.out', 'bench'];
  for (const name of readdirSync(PROJECT_ROOT).filter((one) => !left.includes(one)))
    cpSync(path.join(PROJECT_ROOT, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(PROJECT_ROOT, 'node_modules'), path.join(copy, 'node_modules'));
  return copy;
}

/** "To add an environment, copy a file": dev's, with real values where it has made-up ones. */
function addEnvironment(project: string, thoughtSpot: string, issuer: string): string {
  const folder = path.join(project, 'infra', 'environments');
  const file = path.join(folder, `${NAME}.ts`);
  const dev = readFileSync(path.join(folder, 'dev.ts'), 'utf8');
  const values: [string | RegExp, string][] = [
    ['https://dev.thoughtspot.example', thoughtSpot],
    ['https://login.dev.example.com/', issuer],
    [", 'https://app.dev.example.com'", ''],
    ['policy.dev.json', `policy.${NAME}.json`],
    ["'thoughtspot-broker/dev'", `'thoughtspot-broker/${NAME}'`],
    ['broker-dev@example.com', 'on-call@acme.dev'],
    [
      /revocationSchedules: \[[^]*?\n {2}\],/,
      `revocationSchedules: [
    { name: 'minutely', expression: 'rate(1 minute)', timeZone: 'UTC', select: { userName: 'nobody' } },
  ],
  deprovisionedEvents: { source: 'dev.acme.identity' },`,
    ],
  ];
  const text = values.reduce((source, [from, to]) => source.replace(from, to), dev);
  writeFileSync(file, text);
  const local = (name: string) =>
    readFileSync(path.join(project, 'local', name), 'utf8').replace('"../docs', '"../../docs');
  writeFileSync(path.join(folder, `policy.${NAME}.json`), local('policy.json'));
  writeFileSync(path.join(folder, `policy.${NAME}.cases.json`), local('policy.cases.json'));
  return file;
}

async function drive(bin: string): Promise<void> {
  const project = copyProject();
  const [port = 0, simulatorPort = 0, issuerPort = 0] = await freePorts(3);
  const emulator = await startEmulator(bin, port, CACHE);
  started.push(emulator);
  const env = {
    ...process.env,
    PATH: `${path.dirname(process.execPath)}:${bin}:${process.env['PATH'] ?? ''}`,
    AWS_ENDPOINT_URL: emulator.url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_DEFAULT_REGION: REGION,
    AWS_EC2_METADATA_DISABLED: 'true',
    NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'localhost.ts')}`,
    FORCE_COLOR: '0',
  };
  const npm = (script: string, args: readonly string[] = [], more: Record<string, string> = {}) =>
    run('npm', ['run', '--silent', script, '--', ...args], { cwd: project, env: { ...env, ...more } });
  const background = (script: string, args: readonly string[], ready: RegExp) => {
    const one = start('npm', ['run', '--silent', script, '--', ...args], { cwd: project, env });
    started.push(one);
    return one.says(ready);
  };
  const aws = (...args: string[]) => run(path.join(bin, 'aws'), args, { cwd: project, env });

  await background('simulator', ['--port', String(simulatorPort)], /stops it/);
  const issuer = `http://127.0.0.1:${issuerPort}`;
  await background('issuer', ['--port', String(issuerPort)], /stops it/);
  const cluster = JSON.parse(readFileSync(path.join(project, 'local', 'thoughtspot', 'cluster.json'), 'utf8')) as {
    secretKey: string;
  };
  const jwtOf = async (user: string) => {
    const body = new URLSearchParams({ grant_type: 'password', username: user });
    const answer = await fetch(`${issuer}/token`, { method: 'POST', body });
    return ((await answer.json()) as { access_token: string }).access_token;
  };

  for (const name of knownEnvironments())
    await step(`synth and cfn-lint: ${name}`, async () => {
      expectEnd(await npm('synth', [name, '--account', '111122223333']), 0, 'no finding of cdk-nag is open');
      const template = path.join('cdk.out', name, `thoughtspot-broker-${name}.template.json`);
      const config = path.join(import.meta.dirname, 'cfnlintrc.yaml');
      expectEnd(
        await run(path.join(bin, 'cfn-lint'), ['--config-file', config, '--', template], { cwd: project, env }),
        0,
      );
    });

  await step('deploy refuses made-up values', async () =>
    expectEnd(await npm('deploy', ['dev', '--yes']), 1, 'dev still has made-up values'),
  );
  const file = addEnvironment(project, `http://127.0.0.1:${simulatorPort}`, issuer);
  const cdk = path.join(project, 'cdk.json');
  writeFileSync(cdk, readFileSync(cdk, 'utf8').replace('node infra/app.ts', 'node test/deploy/app.ts'));

  await step('2. bootstrap', async () => expectEnd(await npm('bootstrap', [NAME]), 0, 'bootstrapped'));
  await step('3. diff', async () => expectEnd(await npm('diff', [NAME]), 0, 'AWS::Lambda::Function'));
  let api = '';
  const deploy = async (...words: (string | RegExp)[]) => {
    const ended = await npm('deploy', [NAME, '--yes']);
    expectEnd(ended, 0, `npm run doctor -- --env ${NAME} --region ${REGION}`, ...words);
    api = /API URL {2}(\S+)/.exec(ended.text)?.[1] ?? '';
  };
  await step('3. deploy', () => deploy());
  const storeCredential = async () => {
    const secret = { secretKey: cluster.secretKey };
    writeFileSync(path.join(project, 'secret.json'), JSON.stringify(secret), { mode: 0o600 });
    const put = ['secretsmanager', 'put-secret-value', '--region', REGION, '--secret-id', `thoughtspot-broker/${NAME}`];
    expectEnd(await aws(...put, '--secret-string', 'file://secret.json'), 0);
    rmSync(path.join(project, 'secret.json'));
  };
  await step('4. store the credential with the AWS CLI', storeCredential);
  await step('5. doctor, as deploy prints it', async () =>
    expectHealthy(
      await npm('doctor', ['--env', NAME, '--region', REGION]),
      /ok +issuer/,
      /ok +deployed code/,
      /ok +secret has a value/,
    ),
  );
  await step('5. doctor, with a credential and two callers', async () => {
    const args = ['--env', NAME, '--user', 'alice', '--org', '1', '--origin', 'http://127.0.0.1:8787'];
    const variables = {
      THOUGHTSPOT_SECRET_KEY: cluster.secretKey,
      BROKER_JWT: await jwtOf('alice'),
      BROKER_UNENTITLED_JWT: await jwtOf('mallory'),
    };
    const checks = [
      /ok +unentitled caller is refused/,
      /ok +gettoken +.* token for alice/,
      /ok +revoked token is refused/,
    ];
    expectHealthy(await npm('doctor', args, variables), ...checks);
  });
  await step('5. a token', async () =>
    expectEnd(await npm('token', ['--url', api, '--jwt', await jwtOf('carol')]), 0, /^\S{40,}\n$/),
  );
  await step('leases: list', async () =>
    expectEnd(await npm('leases', ['list', '--url', api, '--jwt', await jwtOf('ops')]), 0, /^carol .*live/m),
  );
  await step('the sweep runs by its schedule', async () => {
    const group = `/aws/lambda/${STACK}-sweep`;
    const swept = async () => (await aws('logs', 'filter-log-events', '--log-group-name', group)).text;
    while (!(await swept()).includes('oldestDueAgeMs')) await sleep(2_000);
  });
  await step('accept', async () => {
    const callers = { BROKER_JWT: await jwtOf('bob'), BROKER_UNENTITLED_JWT: await jwtOf('mallory') };
    const ways = ['a scheduled revocation', 'user.deprovisioned'];
    const ended = await npm('accept', ['--env', NAME], callers);
    expectHealthy(ended, ...ways.map((way) => new RegExp(`ok +${way} revokes`)), /ok +the sweep runs/);
    console.log(ended.text.replace(/^/gm, '        '));
  });
  await step('leases: revoke everything', async () =>
    expectEnd(
      await npm('leases', ['revoke', '--all', '--yes', '--url', api, '--jwt', await jwtOf('ops')]),
      0,
      /ended|No leases/,
    ),
  );
  await step('a second deploy changes nothing', () => deploy('(no changes)'));
  await step('an assembly is deployed as it is, and its code is what runs', async () => {
    const assembly = ['--assembly', path.join('cdk.out', NAME)];
    expectEnd(await npm('synth', [NAME, '--account', '000000000000']), 0);
    expectEnd(await npm('diff', [NAME, ...assembly]), 0, 'There were no differences');
    expectEnd(await npm('deploy', [NAME, '--yes', ...assembly]), 0, '(no changes)');
    expectHealthy(await npm('doctor', ['--env', NAME, '--region', REGION, ...assembly]), /ok +deployed code/);
  });
  await step('a deploy with a change reaches callers', async () => {
    writeFileSync(file, readFileSync(file, 'utf8').replace("logLevel: 'DEBUG'", "logLevel: 'INFO'"));
    await deploy(/UPDATE_COMPLETE|✅/);
    const { status, text } = await askAt(api, await jwtOf('alice'));
    expectThat(status === 200, `gettoken answered ${status} ${text}`);
  });
  await step('destroy', async () => {
    expectEnd(await npm('destroy', [NAME, '--yes']), 0);
    expectEnd(await aws('cloudformation', 'describe-stacks', '--stack-name', STACK), 255, 'does not exist');
  });
  await step('deploy again, store the credential again, and a token', async () => {
    await deploy();
    await storeCredential();
    const { status, text } = await askAt(api, await jwtOf('alice'));
    expectThat(status === 200, `gettoken answered ${status} ${text}`);
  });
  await step('destroy again', async () => expectEnd(await npm('destroy', [NAME, '--yes']), 0));

  /** POST /gettoken, by the name of the API. */
  async function askAt(url: string, jwt: string) {
    const answer = await fetch(`${url}/gettoken`, { method: 'POST', headers: { authorization: `Bearer ${jwt}` } });
    return { status: answer.status, text: await answer.text() };
  }
}

await import('./localhost.ts');
mkdirSync(CACHE, { recursive: true });
const stopAll = () => Promise.all(started.map((one) => one.stop()));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stopAll().finally(() => process.exit(1)));
try {
  const bin = installTools(CACHE);
  await drive(bin);
  console.log(
    `\nLeft out, because the emulator lacks it:\n${LEFT_OUT.map(({ what, coveredBy }) => `  - ${what} (instead: ${coveredBy})`).join('\n')}`,
  );
  console.log(`\n${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  console.log(`Skipped npm run test:deploy: ${error.message}.`);
} finally {
  await stopAll();
}
