import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { z } from 'zod';
import { Failure } from '../../functions/broker/failure.ts';
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { revocationOf } from '../../functions/http/revocation-events.ts';
import { stackName } from '../deployed-stack.ts';
import {
  ANY_REGION,
  alarmsTo,
  arn,
  credentialIn,
  domain,
  eventSource,
  importedSecretIn,
  networkIn,
  newSecret,
  readBy,
  REGION,
} from '../environment-aws.ts';
import { isSecure, issuersIn, required } from '../environment-issuers.ts';
import { faultsOf, inWords, optionalPathsOf } from '../environment-faults.ts';
import type { Fault } from '../environment-faults.ts';
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

const secureOrigin = (development: boolean) =>
  z.string(required('is missing; write https://<host>')).refine((value) => {
    const url = URL.parse(value);
    return url !== null && isSecure(url, development) && url.origin === value;
  }, 'must be an origin such as https://host.example: https, no path, no trailing slash');

const allowedOrigin = (development: boolean) =>
  z.string().superRefine((value, context) => {
    const url = URL.parse(value);
    if (value.includes('*')) context.addIssue('a wildcard would let any site request tokens; list each origin exactly');
    // The origin of an app in its own web view, which URL calls opaque.
    else if (/^(capacitor|ionic):\/\/[a-z0-9.-]+$/.test(value)) return;
    else if (url?.origin !== value)
      context.addIssue('is not an origin; write only scheme, host and port, as in https://app.example.com');
    else if (url.protocol !== 'https:' && !development) context.addIssue('must be https outside development');
    else if (!isSecure(url, development)) context.addIssue('must be https; http is for http://localhost:<port> only');
  });

const selection = z.union(
  [
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ orgId: z.int().nonnegative() }),
    z.strictObject({ userName: z.string().min(1) }),
    z.strictObject({ olderThanSeconds: z.int().positive() }),
  ],
  'select exactly one of { all: true }, { orgId }, { userName }, { olderThanSeconds }',
);

/** As revoketoken itself will read it (functions/http/revocation-events.ts). */
const readableSelection = selection.superRefine((select, context) => {
  const event = { source: 'schedule', name: 'any', scheduledTime: '2026-01-01T00:00:00Z', select };
  try {
    revocationOf(event, { now: () => Date.now(), sleep: () => Promise.resolve() });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    for (const { field, detail } of error.errors)
      context.addIssue({ code: 'custom', path: [field], message: detail, input: select });
  }
});

/** EventBridge Scheduler's limit for the name of a schedule. */
const LONGEST_SCHEDULE_NAME = 64;
/** The name of a revocation schedule in AWS. */
export const scheduleName = (environment: string, name: string): string => `${stackName(environment)}-revoke-${name}`;

const scheduleIn = (environment: string) => {
  const left = LONGEST_SCHEDULE_NAME - scheduleName(environment, '').length;
  return z.strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'use a-z, 0-9 and -')
      .max(left, `has more than ${left} characters, which is all that "${scheduleName(environment, '')}" leaves of 64`),
    expression: z
      .string()
      .refine(
        (value) => isCron(value) || isRate(value),
        'is not a valid schedule; write cron(minute hour day month weekday year) with ? for either day or weekday, ' +
          'or rate(n minutes|hours|days)',
      ),
    timeZone: z.string().refine(isTimeZone, 'is not an IANA time zone; write for example Europe/Berlin or UTC'),
    select: readableSelection,
  });
};

const concurrency = z
  .strictObject({
    reserved: z.int('must be a whole number of sandboxes').positive('0 would switch the function off').optional(),
    provisioned: z.int().positive().optional(),
  })
  .refine(({ reserved = Infinity, provisioned = 0 }) => provisioned <= reserved, {
    path: ['provisioned'],
    error: 'exceeds reserved; raise reserved or lower provisioned',
  });

const concurrencyPerFunction = Object.fromEntries(
  FUNCTION_NAMES.map((name) => [name, concurrency.optional()]),
) as Record<(typeof FUNCTION_NAMES)[number], z.ZodOptional<typeof concurrency>>;

/** Far more than API Gateway lets through in an account. */
const requests = z
  .int('must be a whole number')
  .min(1, '0 would refuse everybody')
  .max(100_000, 'is beyond API Gateway');

interface Surroundings {
  readonly name: string;
  readonly development: boolean;
  readonly region: string;
  /** Name or ARN of the secret with ThoughtSpot's credential. */
  readonly credential: unknown;
}

/** Rules that depend on another value read it from the raw input, so that all faults are reported at once. */
const environmentSchema = ({ name, development, region, credential }: Surroundings) =>
  z.strictObject({
    name: z.string().regex(/^[a-z][a-z0-9-]{0,19}$/, 'use 1 to 20 of a-z, 0-9 and -; resource names contain it'),
    account: z
      .string(
        required(
          'is missing; pass -- --account <12 digits> or set CDK_DEFAULT_ACCOUNT; but for synth, signing in with the AWS CLI will do',
        ),
      )
      .regex(/^\d{12}$/, 'an AWS account has 12 digits'),
    region: z
      .string(
        required(
          'is missing; pass -- --region <region>, set AWS_REGION or AWS_DEFAULT_REGION, or give your AWS profile one',
        ),
      )
      .regex(REGION, 'is not an AWS region such as eu-central-1'),
    /** development: http://localhost may call. production: data and keys outlive the stack, destroy needs a flag. */
    purpose: z.enum(['development', 'staging', 'production'], 'choose development, staging or production'),
    logLevel: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR'], 'choose DEBUG, INFO, WARN or ERROR'),
    thoughtSpot: z
      .strictObject({
        host: secureOrigin(development),
        dialect: z.enum(['auth-2.0', 'session-v2'], 'choose auth-2.0, or session-v2 for the beta API of 2021'),
        /** Releases tokens though ThoughtSpot's reply does not say for which org, kind or object: nothing else checks those. */
        repliesWithoutScope: z.boolean('write true or false').default(false),
      })
      .refine(({ dialect, repliesWithoutScope }) => dialect !== 'session-v2' || repliesWithoutScope, {
        path: ['repliesWithoutScope'],
        error: 'must be true with session-v2: its replies name neither org nor kind, so the broker cannot check them',
      }),
    issuers: issuersIn(development),
    allowedOrigins: z
      .array(allowedOrigin(development))
      .min(1, 'list the front ends that may call the API, one exact origin each'),
    /** Headers of tracing tools that pages may send too; without them such a page's requests fail by CORS. */
    allowedHeaders: z.array(z.enum(['traceparent', 'tracestate', 'baggage', 'sentry-trace'])).optional(),
    /** A file in this folder. */
    policyFile: z.string().regex(/^[\w.-]+\.json$/, 'name a JSON file in infra/environments'),
    secret: credentialIn(region),
    /** A table that is there, instead of a new one: a copy that was restored has another name (docs/bad-days.md). */
    ledger: z
      .strictObject({
        import: z.string().regex(/^[\w.-]{3,255}$/, 'is not the name of a table: 3 to 255 of a-z, A-Z, 0-9, _ . -'),
      })
      .optional(),
    /** Your own rotation function. Without it, rotate by hand as the runbook describes. */
    rotation: z
      .strictObject({
        functionArn: arn('lambda', 'function:[\\w:-]+', 'function:<name>', region),
        everyDays: z.int().min(1).max(1000),
      })
      .optional(),
    revocationSchedules: z
      .array(scheduleIn(name))
      .max(50)
      .refine(
        (all) => new Set(all.map(({ name }) => name)).size === all.length,
        'two schedules have the same name; give each its own',
      ),
    /** Source of the `user.deprovisioned` events; it is matched exactly. */
    deprovisionedEvents: z
      .strictObject({
        source: eventSource,
        eventBusName: z
          .string()
          .regex(/^[\w./-]{1,256}$/, 'is not the name of an event bus')
          .optional(),
      })
      .optional(),
    /** Revocations per second that the sweep may send to ThoughtSpot, which accepts 100 calls per second in all. */
    sweepRate: z.number().superRefine(readBy('SWEEP_RATE')),
    /** Never lower it while there are live leases. */
    dueShards: z.number().superRefine(readBy('LEDGER_DUE_SHARDS')),
    throttle: z.strictObject({ ratePerSecond: requests, burst: requests }),
    /**
     * If present, the prober runs every five minutes. `secret`: of the prober's client at the issuer (docs/deploy.md),
     * encrypted with AWS's own key.
     */
    prober: z
      .strictObject({
        secret: z
          .union(
            [z.strictObject({ create: newSecret }), importedSecretIn(region)],
            'write { create: <name> } for a new, empty secret, or { import: <name or complete ARN> }',
          )
          .refine(
            (secret) => ('create' in secret ? secret.create : secret.import) !== credential,
            "is the secret with ThoughtSpot's credential; give the prober its own",
          ),
      })
      .optional(),
    /**
     * Sandboxes that a function may have at once (`reserved`) and that are kept warm (`provisioned`). Without `reserved` it
     * takes what the account has left, and other functions can leave it none.
     */
    concurrency: z.strictObject(concurrencyPerFunction).optional(),
    deployment: z.enum(['canary', 'all-at-once'], 'choose canary (10 % for five minutes) or all-at-once'),
    logRetentionDays: z
      .number()
      .refine(
        (days) => RETENTION_DAYS.includes(days),
        `CloudWatch keeps logs for one of ${RETENTION_DAYS.join(', ')} days`,
      ),
    /** Whom alarms reach: all of them one address or topic, or what cannot wait another than what can. */
    alarms: z.union(
      [alarmsTo(region), z.strictObject({ page: alarmsTo(region), ticket: alarmsTo(region) })],
      'write { email: <address> }, { topicArn: <ARN> }, or { page, ticket } with one of these each: alarms must reach somebody',
    ),
    /** Where the people on call read docs/runbook.md: a URL without a fragment. */
    runbookUrl: z
      .string(required('is missing; write where docs/runbook.md is read, https://<host>/<path>'))
      .refine(
        (value) => /^https:\/\/[^#\s]+$/.test(value) && URL.canParse(value),
        'must be an https URL without a fragment (#...)',
      ),
    customDomain: z
      .strictObject({ name: domain, certificateArn: arn('acm', 'certificate/[\\w-]+', 'certificate/<id>', region) })
      .optional(),
    /**
     * A VPC whose only way out is one NAT gateway with one address, for clusters with an allow list of callers. ThoughtSpot
     * counts its 100 requests per second for that address: all functions and all other clients behind it share them.
     */
    fixedEgress: networkIn(region).optional(),
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

/** Not among the values of an environment: they come from its file's name and from the command, or from the stack. */
const ELSEWHERE = ['name', 'account', 'region'];

/** AWS account and region of the environment. Undefined values are reported as faults, not guessed. */
export interface Target {
  readonly account?: string | undefined;
  readonly region?: string | undefined;
}

/**
 * Parses the values of one environment. Throws EnvironmentError with all faults; `place` says where in the file a fault is.
 */
export function parseEnvironment(
  name: string,
  values: unknown,
  target: Target,
  place: (fault: Fault) => string = ({ text }) => text,
): Environment {
  const record: Record<string, unknown> = typeof values === 'object' && values !== null ? { ...values } : {};
  const development = record['purpose'] === 'development';
  const { create, import: imported } = (record['secret'] ?? {}) as { create?: unknown; import?: unknown };
  const schema = environmentSchema({
    name,
    development,
    region: target.region ?? ANY_REGION,
    credential: create ?? imported,
  });
  const given = { ...record, name, account: target.account, region: target.region };
  const result = schema.safeParse(given, { error: inWords });
  const faults = ELSEWHERE.filter((key) => key in record).map((key) => ({
    path: [key],
    text: `${key}: does not belong here; it is that of the ${key === 'name' ? 'file' : 'command, or of the stack'}`,
  }));
  if (result.success && faults.length === 0) return result.data;
  const refused = result.error?.issues.flatMap((issue) => faultsOf(issue, schema)) ?? [];
  throw new EnvironmentError(name, [...faults, ...refused].map(place));
}

/** Paths of everything that an environment may leave out, or write in one of several ways. */
export const optionalPaths = (): readonly string[] =>
  optionalPathsOf(environmentSchema({ name: 'any', development: false, region: ANY_REGION, credential: undefined }));
