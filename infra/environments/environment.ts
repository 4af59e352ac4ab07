import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { z } from 'zod';
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { isCron, isRate, isTimeZone } from '../schedule-expression.ts';

/**
 * An environment is one file in this folder: `<name>.ts` with a default export of these values. `parseEnvironment`
 * reports every fault at once, each with its path, the reason and the fix. Account and region are never in the file. They
 * come from the options of the command (`-- --account <12 digits> --region <region>`, see ../commands.ts) or from
 * environment variables.
 */

/** Calls per second that ThoughtSpot accepts from one client address (all API calls together). */
export const UPSTREAM_BUDGET = 100;

const RETENTION_DAYS = Object.values(RetentionDays)
  .map(Number)
  .filter((days) => days > 0 && days < 9999)
  .sort((a, b) => a - b);

const required = (problem: string) => ({ error: problem });

const httpsOrigin = z.string(required('is missing; write https://<host>')).refine((value) => {
  const url = URL.parse(value);
  return url?.protocol === 'https:' && url.origin === value;
}, 'must be an origin such as https://host.example: https, no path, no trailing slash');

const allowedOrigin = (development: boolean) =>
  z.string().superRefine((value, context) => {
    const url = URL.parse(value);
    if (value.includes('*')) context.addIssue('a wildcard would let any site request tokens; list each origin exactly');
    else if (url?.origin !== value)
      context.addIssue('is not an origin; write only scheme, host and port, as in https://app.example.com');
    else if (url.protocol !== 'https:' && !development) context.addIssue('must be https outside development');
    else if (url.protocol !== 'https:' && !(url.protocol === 'http:' && url.hostname === 'localhost'))
      context.addIssue('must be https; http is for http://localhost:<port> only');
  });

const issuerUrl = z.string(required('is missing; write the iss claim')).refine((value) => {
  const url = URL.parse(value);
  return url?.protocol === 'https:' && url.search === '' && url.hash === '';
}, 'must be https and exactly the iss claim; API Gateway reads <issuer>/.well-known/openid-configuration');

const httpsUrl = z.string().refine((value) => URL.parse(value)?.protocol === 'https:', 'must be an https URL');

const selection = z.union(
  [
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ orgId: z.int().nonnegative() }),
    z.strictObject({ userName: z.string().min(1) }),
    z.strictObject({ olderThanSeconds: z.int().positive() }),
  ],
  'select exactly one of { all: true }, { orgId }, { userName }, { olderThanSeconds }',
);

const schedule = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,40}$/, 'use 1 to 40 of a-z, 0-9 and -'),
  expression: z
    .string()
    .refine(
      (value) => isCron(value) || isRate(value),
      'is not a valid schedule; write cron(minute hour day month weekday year) with ? for either day or weekday, ' +
        'or rate(n minutes|hours|days)',
    ),
  timeZone: z.string().refine(isTimeZone, 'is not an IANA time zone; write for example Europe/Berlin or UTC'),
  select: selection,
});

const arn = (service: string) =>
  z.string().regex(new RegExp(`^arn:aws[a-z-]*:${service}:`), `must be an ARN: arn:aws:${service}:...`);

const concurrency = z
  .strictObject({
    reserved: z.int('must be a whole number of sandboxes').positive('0 would switch the function off'),
    provisioned: z.int().positive().optional(),
  })
  .refine(({ reserved, provisioned = 0 }) => provisioned <= reserved, {
    path: ['provisioned'],
    error: 'exceeds reserved; raise reserved or lower provisioned',
  });

const concurrencyPerFunction = Object.fromEntries(FUNCTION_NAMES.map((name) => [name, concurrency])) as Record<
  (typeof FUNCTION_NAMES)[number],
  typeof concurrency
>;

const scope = z.string().regex(/^[\x21-\x7e]+$/, 'a scope has no spaces; write it as it is in the token');

/** Rules that depend on another value read it from the raw input, so that all faults are reported at once. */
const environmentSchema = (development: boolean, region = 'the region') =>
  z.strictObject({
    name: z.string().regex(/^[a-z][a-z0-9-]{0,19}$/, 'use 1 to 20 of a-z, 0-9 and -; resource names contain it'),
    account: z
      .string(
        required('is missing; pass -- --account <12 digits>, set CDK_DEFAULT_ACCOUNT, or sign in with the AWS CLI'),
      )
      .regex(/^\d{12}$/, 'an AWS account has 12 digits'),
    region: z
      .string(required('is missing; pass -- --region <region>, or set CDK_DEFAULT_REGION or AWS_REGION'))
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'is not an AWS region such as eu-central-1'),
    /** development: http://localhost may call. production: data and keys outlive the stack, destroy needs a flag. */
    purpose: z.enum(['development', 'staging', 'production'], 'choose development, staging or production'),
    logLevel: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR'], 'choose DEBUG, INFO, WARN or ERROR'),
    thoughtSpot: z
      .strictObject({
        host: httpsOrigin,
        dialect: z.enum(['auth-2.0', 'session-v2'], 'choose auth-2.0, or session-v2 for the beta API of 2021'),
        /** Releases tokens though ThoughtSpot's reply does not say for which org, kind or object: nothing else checks those. */
        repliesWithoutScope: z.boolean('write true or false').default(false),
      })
      .refine(({ dialect, repliesWithoutScope }) => dialect !== 'session-v2' || repliesWithoutScope, {
        path: ['repliesWithoutScope'],
        error: 'must be true with session-v2: its replies name neither org nor kind, so the broker cannot check them',
      }),
    issuer: z.strictObject({
      url: issuerUrl,
      audiences: z
        .array(z.string().min(1))
        .min(1, 'name at least one; otherwise any token of the issuer would be accepted'),
      /** `token: 'none'` only if the issuer cannot issue scopes: then any token with the audience is accepted. */
      scopes: z.strictObject({
        token: scope,
        revoke: scope.refine((value) => value !== 'none', 'operators always need a scope'),
      }),
      /** What it signs with; API Gateway takes no other than these. */
      algorithms: z
        .array(z.enum(['RS256', 'RS384', 'RS512'], 'choose RS256, RS384 or RS512'))
        .min(1)
        .default(['RS256']),
      /** Where its keys are. Left out, the functions ask its discovery document first, one round trip more. */
      jwksUri: httpsUrl.optional(),
      /** Set it where its access tokens have no `nonce`: a token with one is an ID token then, and is refused. */
      refuseNonce: z.boolean().optional(),
    }),
    allowedOrigins: z
      .array(allowedOrigin(development))
      .min(1, 'list the front ends that may call the API, one exact origin each'),
    /** A file in this folder. */
    policyFile: z.string().regex(/^[\w.-]+\.json$/, 'name a JSON file in infra/environments'),
    /** `readers`: ARNs of further roles that may read the secret, such as a rotation or a break-glass role. */
    secret: z.union(
      [
        z.strictObject({ create: z.string().regex(/^[\w/+=.@-]{1,200}$/), readers: z.array(arn('iam')).optional() }),
        z.strictObject({ import: z.string().min(1) }),
      ],
      'write { create: <name> } for a new, empty secret, or { import: <name or complete ARN> }',
    ),
    /** Your own rotation function. Without it, rotate by hand as the runbook describes. */
    rotation: z.strictObject({ functionArn: arn('lambda'), everyDays: z.int().min(1).max(1000) }).optional(),
    revocationSchedules: z
      .array(schedule)
      .max(50)
      .refine(
        (all) => new Set(all.map(({ name }) => name)).size === all.length,
        'two schedules have the same name; give each its own',
      ),
    /** Source of the `user.deprovisioned` events; it is matched exactly. */
    deprovisionedEvents: z.strictObject({ source: z.string().min(1), eventBusName: z.string().optional() }).optional(),
    sweepRate: z
      .number()
      .positive('must be above 0, or the sweep sends nothing')
      .max(UPSTREAM_BUDGET, `ThoughtSpot accepts ${UPSTREAM_BUDGET} calls per second in total`),
    /** Never lower it while there are live leases. */
    dueShards: z.int().min(1).max(256),
    throttle: z.strictObject({ ratePerSecond: z.int().positive(), burst: z.int().positive() }),
    /**
     * If present, the prober runs every five minutes. `secret`: name or ARN of your secret with the prober's client at the
     * issuer (docs/deploy.md).
     */
    prober: z
      .strictObject({ secret: z.string().regex(/^[\w/+=.@:-]{1,200}$/, 'write the name or the ARN of a secret') })
      .optional(),
    concurrency: z.strictObject(concurrencyPerFunction),
    deployment: z.enum(['canary', 'all-at-once'], 'choose canary (10 % for five minutes) or all-at-once'),
    logRetentionDays: z
      .number()
      .refine(
        (days) => RETENTION_DAYS.includes(days),
        `CloudWatch keeps logs for one of ${RETENTION_DAYS.join(', ')} days`,
      ),
    alarms: z.union(
      [z.strictObject({ email: z.email() }), z.strictObject({ topicArn: arn('sns') })],
      'write { email: <address> } or { topicArn: <ARN> }: alarms must reach somebody',
    ),
    customDomain: z.strictObject({ name: z.hostname(), certificateArn: arn('acm') }).optional(),
    /**
     * A VPC whose only way out is one NAT gateway with one address, for clusters with an allow list of callers. ThoughtSpot
     * counts its 100 requests per second for that address: all functions and all other clients behind it share them.
     */
    fixedEgress: z
      .strictObject({
        cidr: z.cidrv4(),
        zones: z
          .array(
            z
              .string()
              .refine(
                (zone) => new RegExp(`^${region}[a-z]$`).test(zone),
                `must be a zone of ${region}, its name and a letter`,
              ),
          )
          .min(1)
          .max(3),
      })
      .optional(),
  });

type Schema = ReturnType<typeof environmentSchema>;
export type EnvironmentInput = Omit<z.input<Schema>, 'name' | 'account' | 'region'>;
export type Environment = Readonly<z.output<Schema>>;

/** Every fault of an environment at once. */
export class EnvironmentError extends Error {
  readonly faults: readonly string[];
  constructor(name: string, faults: readonly string[]) {
    super(`Environment ${name} cannot be built:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'EnvironmentError';
    this.faults = faults;
  }
}

/** AWS account and region of the environment. Undefined values are reported as faults, not guessed. */
export interface Target {
  readonly account?: string | undefined;
  readonly region?: string | undefined;
}

/** Parses the values of one environment. Throws EnvironmentError with all faults. */
export function parseEnvironment(name: string, values: unknown, target: Target): Environment {
  const record: Record<string, unknown> = typeof values === 'object' && values !== null ? { ...values } : {};
  const schema = environmentSchema(record['purpose'] === 'development', target.region);
  const result = schema.safeParse({ ...record, name, account: target.account, region: target.region });
  if (result.success) return result.data;
  throw new EnvironmentError(
    name,
    result.error.issues.map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`),
  );
}
