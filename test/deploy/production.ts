/** The steps of production: a first deployment that fails, the next one, the end, and after it (docs/deploy.md). */
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import type { Step } from './steps.ts';
import { expectEnd, expectThat } from './steps.ts';
import { settleProduction, type Values, type World } from './world.ts';

export function productionSteps({ environments, npm, aws, page, stack, tablesOf }: World): readonly Step[] {
  const PROD = 'thoughtspot-broker-prod';
  const yes = ['-- prod', '-- prod --yes'] as const;
  const unprotect = () =>
    page(
      'aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name thoughtspot-broker-prod',
    );
  const logGroupsOf = async (prefix: string) => {
    const { text } = await aws(`logs describe-log-groups --log-group-name-prefix /aws/lambda/${prefix}`);
    return (JSON.parse(text) as { logGroups: { logGroupName: string }[] }).logGroups.map((one) => one.logGroupName);
  };
  return [
    {
      name: 'production: a first deployment that fails is undone, and says where to read on',
      vital: true,
      work: async () => {
        settleProduction(environments);
        // The emulator refuses them, as AWS might refuse any resource.
        const refused = { DRIVE_LEAVES_IN: 'alarms on what several metrics give together' };
        const ended = await page('npm run deploy -- prod', [yes], refused);
        expectThat(ended.code === 1, ended.text.slice(-3_000));
        const where = 'docs/deploy.md, "The first deployment failed"';
        expectThat(ended.text.includes('metric math') && ended.text.includes(where), ended.text.slice(-3_000));
        expectEnd(await stack(PROD), 0, /"StackStatus": "ROLLBACK_(COMPLETE|FAILED)"/);
        expectThat(/CREATE_COMPLETE +\| AWS::DynamoDB::Table/.test(ended.text), 'it failed before there was a table');
        const kept = [...(await tablesOf(PROD)), ...(await logGroupsOf(PROD))];
        expectThat(kept.length === 0, `in the way of the next attempt: ${kept.join(', ')}`);
      },
    },
    {
      name: 'production: the retry, as the page says',
      vital: true,
      work: async () => {
        expectEnd(await unprotect(), 0);
        expectEnd(await page('npm run deploy -- prod', [yes]), 0, '✅');
        expectEnd(await stack(PROD), 0, '"StackStatus": "CREATE_COMPLETE"', '"EnableTerminationProtection": true');
      },
    },
    {
      name: 'production: doctor',
      work: async () => {
        const { text } = await page('npm run doctor -- --env prod');
        expectThat(/ok +stack/.test(text) && /ok +deployed code/.test(text), text);
      },
    },
    {
      name: 'production: destroy only by flag and without termination protection, and what is kept',
      work: async () => {
        expectEnd(await npm('destroy -- prod --yes'), 1, 'add --production');
        const destroy = 'npm run destroy -- prod --production';
        const answer = 'prod\n';
        const refused = await page(destroy, [], {}, answer);
        expectThat(refused.code === 1 && refused.text.includes('TerminationProtection'), refused.text);
        expectEnd(await unprotect(), 0);
        expectEnd(await page(destroy, [], {}, answer), 0, 'destroyed');
        const [table = '', ...others] = await tablesOf(PROD);
        expectThat(table !== '' && others.length === 0, `tables: ${[table, ...others].join(', ')}`);
        expectThat((await logGroupsOf(PROD)).length === FUNCTION_NAMES.length, 'log groups are gone');
        expectEnd(await aws('secretsmanager describe-secret --secret-id thoughtspot-broker/prod'), 0);
        const values: Values = [['<table>', table]];
        const drop = 'aws dynamodb delete-table --table-name <table>';
        const unlock = 'aws dynamodb update-table --no-deletion-protection-enabled --table-name <table>';
        const locked = await page(drop, values);
        expectThat(locked.code !== 0 && locked.text.includes('deletion protection'), locked.text);
        expectEnd(await page(unlock, values), 0);
        expectEnd(await page(drop, values), 0);
      },
    },
    {
      name: 'production: deployed again, with its old log groups',
      work: async () => {
        const secret =
          'aws secretsmanager delete-secret --force-delete-without-recovery --secret-id thoughtspot-broker/prod';
        expectEnd(await page(secret), 0);
        const ended = await page('npm run deploy -- prod --import-existing-resources', [yes]);
        expectEnd(ended, 0, /IMPORT_COMPLETE +\| AWS::Logs::LogGroup/);
      },
    },
  ];
}
