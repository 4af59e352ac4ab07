/**
 * What MiniStack does not have, and what therefore is not deployed to it or not tried on it. Each entry has the reason, and
 * what covers it instead. Remove an entry and run `npm run test:deploy` to see whether a newer version can do it.
 */
export interface LeftOut {
  readonly what: string;
  /** Path of the construct that is taken out of the stack; absent for what is only not tried. */
  readonly construct?: string;
  /** A check of the doctor or of accept that fails for this reason, and may. */
  readonly check?: RegExp;
  readonly reason: string;
  readonly coveredBy: string;
}

export const LEFT_OUT: readonly LeftOut[] = [
  {
    what: 'CodeDeploy: applications, deployment groups and the update policy of the aliases',
    construct: 'deployment',
    reason:
      'Template format error: Unrecognized resource types AWS::CodeDeploy::Application, AWS::CodeDeploy::DeploymentGroup',
    coveredBy: 'test/infra/laws.test.ts: moves every function to new code under the eyes of its own alarms; cfn-lint',
  },
  {
    what: 'the policy of the secret',
    construct: 'secret/policy',
    reason: 'Template format error: Unrecognized resource type AWS::SecretsManager::ResourcePolicy',
    coveredBy:
      'test/infra/least-privilege.test.ts: nobody else reads the secret or uses a key, whatever IAM says of them',
  },
  ...['gettoken', 'revoketoken', 'sessioninfo', 'operator'].map((name) => ({
    what: `the alarm ${name}/5xx-rate`,
    construct: `alarms/${name}-5xx-rate`,
    reason: 'AWS::CloudWatch::Alarm Properties.Metrics (metric math) is not supported',
    coveredBy: 'test/infra/laws.test.ts: has exactly the alarms of the contract; cfn-lint',
  })),
  {
    what: 'CORS of the API',
    check: /^CORS http/,
    reason: 'the CorsConfiguration of the template is not applied: a preflight allows no origin',
    coveredBy:
      'test/infra/laws.test.ts: throttles, answers CORS for exact origins, and logs access without tokens or query strings',
  },
  {
    what: 'routes of operators with AWS credentials',
    check: /^an operator /,
    reason: 'routes with AWS_IAM are open without a signature, and name nobody: the function refuses to serve them',
    coveredBy:
      'test/integration/operator/who.test.ts: the gateway refuses on the routes of AWS credentials; here: with a token',
  },
  {
    what: 'throttling of the API',
    reason: 'the throttle of the template is not applied: npm run accept is run without --throttling',
    coveredBy: 'the same test; test/infra/accept.test.ts, against the local broker',
  },
  {
    what: 'the first run',
    reason: 'a secret that is created without a value has a version in AWSCURRENT without a text; in AWS it has none',
    coveredBy:
      'test/integration/broker/first-run.test.ts; test/infra/doctor-environment.test.ts: in its first run has a secret without a value',
  },
  {
    what: 'a revocation by its own schedule',
    reason: '<aws.scheduler.scheduled-time> reaches the function as it stands, which refuses it as no time',
    coveredBy: 'accept: a scheduled revocation revokes; here: the sweep runs by its schedule; test/infra/laws.test.ts',
  },
  {
    what: 'termination protection, and deletion by ARN',
    reason: 'UpdateTerminationProtection is missing: the environment of the drive is for development and has none',
    coveredBy: 'test/infra/commands.test.ts: destroy refuses production unless told so by flag',
  },
  {
    what: 'bundles with the ending .cjs',
    reason: 'Worker init failed: Cannot find module .../index: each bundle gets an index.js that loads its index.cjs',
    coveredBy: 'test/infra/bundles.test.ts: starts and takes its variables',
  },
];
