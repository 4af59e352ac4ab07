import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { secureUrl } from '../../functions/contract/shapes.ts';
import type { DialectName } from '../../functions/thoughtspot/rejection.ts';
import { regionIn } from '../deployed-stack.ts';

export const USAGE = `Checks whether ThoughtSpot and the broker work together, and says what to do if they do not.

  npm run doctor -- --env <environment>       an environment of infra/environments, after its deployment
  npm run doctor -- --host <origin>           a cluster, before there is an environment
  npm run doctor -- --host http://127.0.0.1:8788 --broker http://127.0.0.1:8787
                                              the local broker (npm start), with its demo key and demo users

  --dialect <name>        auth-2.0 (default) or session-v2
  --user <name>           ThoughtSpot user to create a token for (default: the user of the password)
  --org <id>              org of the token (default: ThoughtSpot chooses)
  --origin <origin>       front end that must be able to call; may be repeated (default: those of the environment)
  --broker <url>          broker to examine too (default with --env: the deployed one)
  --jwt <token>           access token of a caller of the broker; - reads it from stdin (default: BROKER_JWT). Several,
                          repeated or by spaces, where the environment has several issuers: one of each
  --issuer <name>         issuer at whose routes the caller asks (default: with --env the one that the access token names)
  --unentitled-jwt <token>  access token of a caller who must be refused (default: BROKER_UNENTITLED_JWT)
  --assembly <folder>     with --env: compare the deployed code with what synth wrote there (default: with what the stack says)
  --region <region>       region of the environment (default: AWS_REGION, AWS_DEFAULT_REGION, or that of the AWS profile)
  --json                  print machine-readable output
  --help                  print this text

  --read-secret           take the credential from the environment's secret. Only roles in secret.readers may read it; an
                          attempt by others raises an alarm
The credential comes from THOUGHTSPOT_SECRET_KEY, or from THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD. With --env and without
a credential the doctor leaves ThoughtSpot out, and looks whether the secret has a value, without reading it.
The doctor creates one token for 60 s at ThoughtSpot and one through the broker. To see what a token can become, it makes of
the first one a token of 24 hours and a browser session, if ThoughtSpot lets it. It ends all of them, also when it fails
or is interrupted. It prints no secret.
Exit code: 0 no check failed, 1 a check failed, 2 wrong usage.`;

/** The command line is not valid. The message says why, and what a valid one needs. */
export class UsageError extends Error {}

export interface Options {
  readonly environment: string | undefined;
  readonly host: string | undefined;
  readonly dialect: DialectName | undefined;
  readonly user: string | undefined;
  readonly orgId: number | undefined;
  readonly origins: readonly string[] | undefined;
  readonly broker: string | undefined;
  /** Access tokens of callers, of one issuer each. */
  readonly jwts: readonly string[];
  readonly issuer: string | undefined;
  readonly unentitledJwt: string | undefined;
  readonly region: string | undefined;
  /** Folder of the assembly whose code should be deployed. */
  readonly assembly: string | undefined;
  /** Whether the environment's secret may be read. */
  readonly readSecret: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Parses the command line. Throws UsageError. */
export function parseOptions(argv: readonly string[], variables: Variables, readStdin: () => string): Options {
  const values = parse(argv);
  if (!values.help && values.env === undefined && values.host === undefined)
    throw new UsageError('Nothing to examine: name an environment (--env dev) or a cluster (--host https://...).');
  const jwts = values.jwt ?? [variables['BROKER_JWT'] ?? ''];
  return {
    environment: values.env,
    host: origin('--host', values.host),
    dialect: dialect(values.dialect),
    user: values.user,
    orgId: orgId(values.org),
    origins: values.origin,
    broker: origin('--broker', values.broker),
    jwts: jwts.flatMap((jwt) => (jwt === '-' ? readStdin() : jwt).split(/\s+/)).filter((jwt) => jwt !== ''),
    issuer: values.issuer,
    unentitledJwt: filled(values['unentitled-jwt'] ?? variables['BROKER_UNENTITLED_JWT']),
    region: values.region ?? regionIn(variables),
    assembly: values.assembly,
    readSecret: values['read-secret'],
    json: values.json,
    help: values.help,
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        env: text,
        host: text,
        dialect: text,
        user: text,
        org: text,
        origin: { type: 'string', multiple: true },
        broker: text,
        jwt: { type: 'string', multiple: true },
        issuer: text,
        'unentitled-jwt': text,
        region: text,
        assembly: text,
        'read-secret': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const filled = (value: string | undefined): string | undefined => (value?.trim() === '' ? undefined : value?.trim());

function dialect(value: string | undefined): DialectName | undefined {
  if (value === undefined || value === 'auth-2.0' || value === 'session-v2') return value;
  throw new UsageError(`--dialect is auth-2.0 or session-v2, not ${value}.`);
}

function orgId(value: string | undefined): number | undefined {
  if (value === undefined || /^\d{1,9}$/.test(value)) return value === undefined ? undefined : Number(value);
  throw new UsageError(`--org is the number of an org (0 is Primary), not ${value}.`);
}

/** Tokens are sent to this origin, so it must use TLS or be on this machine. */
function origin(option: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = secureUrl(value);
  if (url?.pathname === '/') return url.origin;
  throw new UsageError(`${option} is an origin such as https://acme.thoughtspot.cloud (http only on this machine).`);
}

/** Reads a file of the project; undefined if it does not exist. */
export function readIfThere(...parts: readonly string[]): string | undefined {
  try {
    return readFileSync(path.join(import.meta.dirname, '..', '..', ...parts), 'utf8');
  } catch {
    return undefined;
  }
}
