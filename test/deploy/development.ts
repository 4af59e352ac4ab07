/** The steps of an environment for development, from its first synthesis to its end, as docs/deploy.md has them. */
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTableInput } from '../../functions/contract/table.ts';
import { knownEnvironments } from '../../infra/environment-list.ts';
import { WARNINGS } from './left-out.ts';
import { fromPage } from './page.ts';
import type { Ended } from './processes.ts';
import { expectEnd, expectHealthy, expectThat, type Step } from './steps.ts';
import { addEnvironment, edit, NAME, REGION, SECRET, STACK, type Values, type World } from './world.ts';

const COPY = 'ledger-copy';
const IMPORTED = `ledger: { import: '${COPY}' },`;
const ELSEWHERE = 'eu-west-1';

export function developmentSteps(world: World): readonly Step[] {
  const { project, environments, thoughtSpot, issuer, secretKey, say, npm, aws, page, jwtOf, stack } = world;
  let api = '';
  const before = path.join('cdk.out', 'before');
  const deployed = (ended: Ended, ...words: (string | RegExp)[]) => {
    expectEnd(ended, 0, `npm run doctor -- --env ${NAME} --region ${REGION}`, ...words);
    api = /API URL {2}(\S+)/.exec(ended.text)?.[1] ?? '';
  };
  const deploy = async (...words: (string | RegExp)[]) =>
    deployed(await page('npm run deploy -- dev', [['deploy -- dev', 'deploy -- dev --yes']]), ...words);
  const storeCredential = async () => {
    writeFileSync(path.join(project, 'secret.json'), JSON.stringify({ secretKey }), { mode: 0o600 });
    const put =
      'aws secretsmanager put-secret-value --secret-id thoughtspot-broker/dev --secret-string file://secret.json';
    expectEnd(await page(put), 0, 'VersionId');
    expectEnd(await page('rm secret.json'), 0);
    // The first value ends the first run, within the minute that callers were told to wait.
    while (!(await getToken()).text.includes('"token":"')) await sleep(2_000);
  };
  /** A new secret as it is in AWS, where no version of it has the label AWSCURRENT. */
  const withoutValue = async () => {
    const { text } = await aws(`secretsmanager list-secret-version-ids --secret-id ${SECRET}`);
    const { Versions } = JSON.parse(text) as { Versions: { VersionId: string; VersionStages: string[] }[] };
    for (const { VersionId } of Versions.filter((one) => one.VersionStages.includes('AWSCURRENT'))) {
      const remove = `--version-stage AWSCURRENT --remove-from-version-id ${VersionId}`;
      expectEnd(await aws(`secretsmanager update-secret-version-stage --secret-id ${SECRET} ${remove}`), 0);
    }
  };
  /** An operator with AWS credentials of her own. */
  let operator: NodeJS.ProcessEnv = {};
  const makeOperator = async () => {
    expectEnd(await aws('iam create-user --user-name maria'), 0);
    const { code, text } = await aws('iam create-access-key --user-name maria');
    expectThat(code === 0, text);
    const { AccessKey } = JSON.parse(text) as { AccessKey: { AccessKeyId: string; SecretAccessKey: string } };
    operator = { AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId, AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey };
  };
  const leases = (words: string) =>
    page(
      'npm run leases -- ... --env <environment>',
      [
        ['...', words],
        ['<environment>', NAME],
      ],
      operator,
    );
  const getToken = async (): Promise<Ended> =>
    page('curl -X POST https://<api>/gettoken -H "Authorization: Bearer <access token>"', [
      ['curl', 'curl -sS'],
      ['https://<api>', api],
      ['<access token>', await jwtOf('alice')],
    ]);
  const known = knownEnvironments();
  return [
    {
      name: `1. synth: ${known.join(', ')}; cfn-lint over their templates, and over those with every option`,
      work: async () => {
        const command = 'npm run synth -- dev --account <12 digits>';
        const account = ['<12 digits>', '111122223333'] as const;
        await Promise.all(
          known.map(async (name) => {
            const values = [['-- dev', `-- ${name}`], account] as const;
            expectEnd(await say(fromPage(command, values)), 0, 'no finding of cdk-nag is open');
          }),
        );
        const templates = known.map((name) => `cdk.out/${name}/thoughtspot-broker-${name}.template.json`);
        expectEnd(await say('node test/support/synthesize.ts "$PWD/cdk.out/options"'), 0);
        for (const name of ['every-option', 'imported-secret'])
          templates.push(`cdk.out/options/${name}/assembly/thoughtspot-broker-${name}.template.json`);
        const left = Object.keys(WARNINGS).join(' ');
        expectEnd(await say(`cfn-lint --ignore-checks ${left} -- ${templates.join(' ')}`), 0);
      },
    },
    {
      name: 'deploy refuses made-up values',
      work: async () => expectEnd(await npm('deploy -- dev --yes'), 1, 'dev still has made-up values'),
    },
    {
      name: '1. an environment is added: a copied file, with real values',
      vital: true,
      work: () => {
        addEnvironment(environments, thoughtSpot, issuer);
        edit(path.join(project, 'cdk.json'), [['node infra/app.ts', 'node test/deploy/app.ts']]);
        return Promise.resolve();
      },
    },
    { name: '2. bootstrap', vital: true, work: async () => expectEnd(await page('npm run bootstrap -- dev'), 0, '✅') },
    {
      name: "2. IAM's calls are forwarded from us-east-1",
      work: async () => {
        const rule = `aws events put-rule --region us-east-1 --name iam-to-<region> --event-pattern '{"source":["aws.iam"],"detail-type":["AWS API Call via CloudTrail"]}'`;
        expectEnd(await page(rule, [['<region>', REGION]]), 0, 'RuleArn');
        const targets =
          "aws events put-targets --region us-east-1 --rule iam-to-<region> --targets 'Id=bus,Arn=arn:aws:events:<region>:<account>:event-bus/default,RoleArn=arn:aws:iam::<account>:role/<role>'";
        const values: Values = [
          ['<region>', REGION],
          ['<account>', '000000000000'],
          ['<role>', 'forwarder'],
        ];
        expectEnd(await page(targets, values), 0, '"FailedEntryCount": 0');
      },
    },
    {
      name: '3. diff',
      work: async () => expectEnd(await page('npm run diff -- dev'), 0, 'AWS::Lambda::Function'),
    },
    { name: '3. deploy', vital: true, work: () => deploy() },
    {
      name: '4. the first run: no token, and the doctor says why',
      work: async () => {
        await withoutValue();
        expectEnd(await getToken(), 0, '"code":"not-set-up"');
        const { text } = await npm(`doctor -- --env ${NAME}`);
        expectThat(/FAIL +secret has a value .*first run/.test(text), text);
      },
    },
    { name: '4. store the credential with the AWS CLI', vital: true, work: storeCredential },
    {
      name: '5. doctor',
      work: async () =>
        expectHealthy(
          await page('npm run doctor -- --env dev'),
          /ok +issuer/,
          /ok +deployed code/,
          /ok +secret has a value/,
        ),
    },
    {
      name: '5. doctor, with a credential and two callers',
      work: async () => {
        const values: Values = [
          ['=...', `=${secretKey}`],
          ['<a ThoughtSpot user>', 'alice'],
          ['<id>', '1 --origin http://127.0.0.1:8787'],
        ];
        const callers = { BROKER_JWT: await jwtOf('alice'), BROKER_UNENTITLED_JWT: await jwtOf('mallory') };
        const command = 'THOUGHTSPOT_SECRET_KEY=... npm run doctor -- --env dev --user <a ThoughtSpot user> --org <id>';
        const ended = await page(command, values, callers);
        const checks = [/ok +unentitled caller is refused/, /ok +gettoken +.* token for alice/];
        expectHealthy(ended, ...checks, /ok +revoked token is refused/);
      },
    },
    {
      name: '5. doctor, of a cluster without an environment',
      work: async () => {
        const values: Values = [
          ['https://<cluster>', thoughtSpot],
          ['<name>', 'alice'],
          ['<id>', '1'],
        ];
        const credential = { THOUGHTSPOT_SECRET_KEY: secretKey };
        const ended = await page(
          'npm run doctor -- --host https://<cluster> --user <name> --org <id>',
          values,
          credential,
        );
        expectEnd(ended, 0, /ok +revoked token is refused/);
      },
    },
    { name: '5. a token with curl', work: async () => expectEnd(await getToken(), 0, '"token":"') },
    {
      name: '5. a token by command',
      work: async () =>
        expectEnd(await npm(`token -- --url ${api} --jwt -`, {}, await jwtOf('carol')), 0, /^\S{40,}\n$/),
    },
    {
      name: 'leases: list, with AWS credentials and without',
      work: async () => {
        await makeOperator();
        expectEnd(await leases('list'), 0, /^carol .*live/m);
        const { status } = await fetch(`${api}/operator/leases`);
        expectThat(status === 403, `without credentials it is ${status}`);
      },
    },
    {
      name: 'accept',
      work: async () => {
        const callers = [
          ['BROKER_JWT=...', `BROKER_JWT=${await jwtOf('bob')}`],
          ['UNENTITLED_JWT=...', `UNENTITLED_JWT=${await jwtOf('mallory')}`],
        ] as const;
        const command = 'BROKER_JWT=... BROKER_UNENTITLED_JWT=... npm run accept -- --env dev';
        const ended = await page(command, [...callers, ['--env', '--throttling --env']], operator);
        const ways = [
          'a scheduled revocation revokes',
          'user.deprovisioned suspends',
          'an operator revokes',
          'an operator suspends and reinstates',
        ];
        const all = [...ways, 'an operator sees the lease', 'the sweep runs'];
        expectHealthy(ended, ...all.map((way) => new RegExp(`ok +${way}`)), /FAIL +too many requests are refused/);
        console.log(ended.text.replace(/^/gm, '        '));
      },
    },
    {
      name: 'schedules: when they run, and one of them now',
      work: async () => {
        const here = ['prod', NAME] as const;
        expectEnd(await page('npm run schedules -- next --env prod', [here]), 0, 'minutely: rate(1 minute)');
        const fire = 'npm run schedules -- fire <name> --env prod';
        expectEnd(await page(fire, [here, ['<name>', 'minutely']]), 0, '"pending": 0');
      },
    },
    {
      name: 'schedules: what failed after all retries is replayed from its queue',
      work: async () => {
        // For SQS the AWS CLI does not read the variable.
        const sqs = (words: string) => aws(`sqs ${words} --endpoint-url "$AWS_ENDPOINT_URL"`);
        const found = await sqs(`get-queue-url --queue-name ${STACK}-revoketoken-dead-letters`);
        expectEnd(found, 0, 'QueueUrl');
        const { QueueUrl } = JSON.parse(found.text) as { QueueUrl: string };
        const letter = { source: 'schedule', name: 'nightly', scheduledTime: new Date().toISOString() };
        const late = { ...letter, select: { userName: 'nobody' } };
        // As the Scheduler leaves it, as Lambda does, and what is refused again.
        for (const body of [late, { requestContext: {}, requestPayload: late }, letter])
          expectEnd(await sqs(`send-message --queue-url ${QueueUrl} --message-body '${JSON.stringify(body)}'`), 0);
        const replay = await page('npm run schedules -- replay --env prod', [['prod', NAME]]);
        expectEnd(
          replay,
          1,
          /^replayed {2}schedule nightly .*"pending": ?0/m,
          /^FAILED .*nightly/m,
          '2 replayed, 1 failed',
        );
      },
    },
    {
      name: 'the sweep runs by its schedule',
      work: async () => {
        const group = `/aws/lambda/${STACK}-sweep`;
        const swept = async () => (await aws(`logs filter-log-events --log-group-name ${group}`)).text;
        while (!(await swept()).includes('oldestDueAgeMs')) await sleep(2_000);
      },
    },
    {
      name: 'leases: revoke everything',
      work: async () => expectEnd(await leases('revoke --all --yes'), 0, /ended|No leases/),
    },
    { name: 'a second deploy changes nothing', work: () => deploy('(no changes)') },
    {
      name: 'an assembly is deployed as it is, and its code is what runs',
      work: async () => {
        const folder = path.join('cdk.out', NAME);
        expectEnd(await npm(`synth -- ${NAME} --account 000000000000`), 0);
        expectEnd(await npm(`diff -- ${NAME} --assembly ${folder}`), 0, 'There were no differences');
        const values: Values = [
          ['<environment>', `${NAME} --yes`],
          ['<folder>', folder],
        ];
        deployed(await page('npm run deploy -- <environment> --assembly <folder>', values), '(no changes)');
        expectHealthy(await npm(`doctor -- --env ${NAME} --assembly ${folder}`), /ok +deployed code/);
        cpSync(path.join(project, folder), path.join(project, before), { recursive: true });
      },
    },
    {
      name: 'a deploy with a change reaches callers',
      work: async () => {
        edit(path.join(environments, `${NAME}.ts`), [["logLevel: 'DEBUG'", "logLevel: 'INFO'"]]);
        await deploy(/UPDATE_COMPLETE|✅/);
        expectEnd(await getToken(), 0, '"token":"');
      },
    },
    {
      name: 'the assembly of before is deployed over a newer one',
      work: async () => {
        const values: Values = [
          ['<environment>', `${NAME} --yes`],
          ['<folder>', before],
        ];
        deployed(await page('npm run deploy -- <environment> --assembly <folder>', values), '✅');
        expectEnd(await getToken(), 0, '"token":"');
        expectHealthy(await npm(`doctor -- --env ${NAME} --assembly ${before}`), /ok +deployed code/);
      },
    },
    {
      name: 'a table that is there is the ledger, and the deployment says what a restored copy lacks',
      work: async () => {
        const file = path.join(project, 'copy.json');
        writeFileSync(file, JSON.stringify(createTableInput(COPY)));
        expectEnd(await aws(`dynamodb create-table --cli-input-json file://${file}`), 0);
        edit(path.join(environments, `${NAME}.ts`), [['  sweepRate', `  ${IMPORTED}\n  sweepRate`]]);
        const first = await page('npm run deploy -- dev', [['deploy -- dev', 'deploy -- dev --yes']]);
        deployed(first, `${COPY} works, but as a restored copy it lacks`, 'live until');
        expectEnd(await stack(STACK), 0, `"OutputValue": "${COPY}"`);
        expectEnd(await getToken(), 0, '"token":"');
        const commands = [...first.text.matchAll(/aws dynamodb (update-.*)$/gm)].map(([, words = '']) => words);
        expectThat(commands.length === 2, first.text);
        for (const words of commands) expectEnd(await aws(`dynamodb ${words}`), 0);
        const second = await npm(`deploy -- ${NAME} --yes`);
        expectThat(second.code === 0 && !second.text.includes('it lacks'), second.text);
      },
    },
    {
      name: 'the same environment in another region',
      work: async () => {
        expectEnd(await npm(`bootstrap -- ${NAME} --region ${ELSEWHERE}`), 0, '✅');
        edit(path.join(environments, `${NAME}.ts`), [[`  ${IMPORTED}\n`, '']]);
        expectEnd(await npm(`deploy -- ${NAME} --region ${ELSEWHERE} --yes`), 0, `--region ${ELSEWHERE}`);
        expectHealthy(await npm(`doctor -- --env ${NAME} --region ${ELSEWHERE}`), /ok +deployed code/);
      },
    },
    {
      name: 'destroy, by the name of the environment',
      work: async () => {
        expectEnd(await page('npm run destroy -- dev', [], {}, 'another\n'), 1, 'Nothing destroyed');
        expectEnd(await page('npm run destroy -- dev', [], {}, `${NAME}\n`), 0, 'destroyed');
        expectEnd(await stack(STACK), 255, 'does not exist');
      },
    },
    {
      name: 'deploy again, store the credential again, and a token',
      work: async () => {
        await deploy();
        await storeCredential();
        expectEnd(await getToken(), 0, '"token":"');
      },
    },
  ];
}
