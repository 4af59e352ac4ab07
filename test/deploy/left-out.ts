/**
 * What MiniStack does not have, and what therefore is not deployed to it or not tried on it. Each entry has the reason, and
 * what covers it instead. Remove an entry and run `npm run test:deploy` to see whether a newer version can do it.
 */
import { CfnAlarm, CfnCompositeAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnQueryDefinition } from 'aws-cdk-lib/aws-logs';
import type { IConstruct } from 'constructs';

export interface LeftOut {
  readonly what: string;
  /** Whether this construct is taken out of the stack; absent for what is only not tried. */
  readonly takes?: (construct: IConstruct, path: string) => boolean;
  /** A check of the doctor or of accept that fails for this reason, and may. */
  readonly check?: RegExp;
  readonly reason: string;
  readonly coveredBy: string;
}

export const LEFT_OUT: readonly LeftOut[] = [
  {
    what: 'CodeDeploy: applications, deployment groups and the update policy of the aliases',
    takes: (_construct, path) => path === 'deployment',
    reason:
      'Template format error: Unrecognized resource types AWS::CodeDeploy::Application, AWS::CodeDeploy::DeploymentGroup',
    coveredBy: 'test/infra/laws.test.ts: moves every function to new code under the eyes of its own alarms; cfn-lint',
  },
  {
    what: 'the policy of the secret',
    takes: (_construct, path) => path === 'secret/policy',
    reason: 'Template format error: Unrecognized resource type AWS::SecretsManager::ResourcePolicy',
    coveredBy:
      'test/infra/least-privilege.test.ts: nobody else reads the secret or uses a key, whatever IAM says of them',
  },
  {
    what: 'alarms on what several metrics give together',
    takes: (construct) => construct.node.children.some((one) => one instanceof CfnAlarm && one.metrics !== undefined),
    reason: 'AWS::CloudWatch::Alarm Properties.Metrics (metric math) is not supported; use MetricName and Namespace.',
    coveredBy: 'test/infra/alarms.test.ts: has exactly the alarms of the list; cfn-lint',
  },
  {
    what: 'saved queries',
    takes: (construct) => construct instanceof CfnQueryDefinition,
    reason: 'Template format error: Unrecognized resource types: [AWS::Logs::QueryDefinition]',
    coveredBy: 'test/infra/alarms.test.ts; cfn-lint',
  },
  {
    what: 'the dashboard',
    takes: (_construct, path) => path === 'dashboard/dashboard',
    reason: 'its list of alarms refers to those on what several metrics give together, which are left out',
    coveredBy: 'test/infra/alarms.test.ts; cfn-lint',
  },
  {
    what: 'alarms on other alarms',
    takes: (construct) => construct.node.children.some((one) => one instanceof CfnCompositeAlarm),
    reason: 'they refer to alarms on what several metrics give together, which are left out',
    coveredBy: 'test/integration/broker/alarms-on-aws.test.ts; test/infra/alarms.test.ts; cfn-lint',
  },
  {
    what: 'CORS of the API as the template spells it',
    reason:
      'its CorsConfiguration is read by the names of the API (allowOrigins): the drive writes it so, with its values',
    coveredBy:
      'here: accept, from origins that are allowed and not; test/infra/laws.test.ts: answers CORS for exact origins',
  },
  {
    what: 'the signature of operators with AWS credentials',
    reason:
      'who is asked is known by the access key alone; here: that key names the operator, and without one it is 403',
    coveredBy: 'test/integration/operator/who.test.ts: the gateway refuses on the routes of AWS credentials',
  },
  {
    what: 'throttling of the API',
    check: /^too many requests are refused$/,
    reason: 'the throttle of the template is not applied: accept --throttling says so, as it must',
    coveredBy: 'test/infra/laws.test.ts: throttles; test/infra/accept.test.ts, against the local broker',
  },
  {
    what: 'a secret without a value',
    reason:
      'a new one has a version in AWSCURRENT, with an empty text: the drive takes the label from it, as it is in AWS',
    coveredBy: 'here: the first run; test/integration/broker/first-run.test.ts',
  },
  {
    what: 'a revocation by its own schedule',
    reason: '<aws.scheduler.scheduled-time> reaches the function as it stands, which refuses it as no time',
    coveredBy: 'here: accept, schedules -- fire, and the sweep, which runs by its schedule; test/infra/laws.test.ts',
  },
  {
    what: 'names that are taken',
    reason: 'a secret or a log group of that name is taken over silently; AWS says "already exists"',
    coveredBy:
      'here: what production keeps, and --import-existing-resources; test/infra/laws.test.ts: what is retained',
  },
  {
    what: 'a table that stays where a first deployment of production is undone',
    reason: 'the emulator deletes it though it has deletion protection; AWS leaves the stack in ROLLBACK_FAILED',
    coveredBy: 'here: the commands of the page, on the table that production keeps; test/infra/laws.test.ts',
  },
];

/** The warnings of cfn-lint that are left, each with its reason. No error is left. */
export const WARNINGS: Readonly<Record<string, string>> = {
  W3010: 'the zones of a fixed egress are in the environment: to look them up, synthesis would need AWS credentials',
  W3005:
    'a function depends on its role by name and by reference: the CDK writes both, so that the policy of the role is there first',
};
