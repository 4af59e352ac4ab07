import { Failure } from '../../functions/broker/failure.ts';
import type { Environment } from '../environments/environment.ts';
import { examineBroker } from './broker.ts';
import { callersOf } from './callers.ts';
import { examiner, Finding, Skipped } from './checklist.ts';
import type { Attention, Check, Examine } from './checklist.ts';
import { examineCluster } from './cluster.ts';
import type { ClusterTarget } from './cluster.ts';
import { credentialInSecret, credentialInVariables, credentialOf } from './credential.ts';
import type { FoundCredential } from './credential.ts';
import type { IsAlive } from './dead.ts';
import { demoCluster, demoJwt } from './demo.ts';
import { examineEnvironment, secretIdOf } from './environment.ts';
import { UsageError } from './options.ts';
import type { Options } from './options.ts';

export interface Examination {
  readonly host: string;
  readonly dialect: string;
  readonly broker: string | undefined;
  readonly checks: readonly Check[];
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Runs every check that the options ask for, until it is interrupted. Throws UsageError, or the reason of the signal. */
export async function examineAll(
  options: Options,
  variables: Variables,
  attention: Attention = {},
): Promise<Examination> {
  const environment = options.environment === undefined ? undefined : await load(options.environment, options.region);
  const callers = callersOf(options, environment?.issuers);
  const host = options.host ?? environment?.thoughtSpot.host ?? '';
  const dialect = options.dialect ?? environment?.thoughtSpot.dialect ?? 'auth-2.0';
  const origins = options.origins ?? environment?.allowedOrigins ?? [];
  const checks: Check[] = [];
  const atThoughtSpot = examiner('ThoughtSpot', checks, attention);
  const atBroker = examiner('broker', checks, attention);
  const deployed =
    environment &&
    (await examineEnvironment(examiner('environment', checks, attention), environment, options.assembly));
  const broker = options.broker ?? deployed?.url;

  const examineTheBroker = async (isAlive?: IsAlive) => {
    if (broker === undefined) {
      await atBroker('broker', async () =>
        Promise.reject(new Skipped('not examined: give its address with --broker <url>')),
      );
      return;
    }
    for (const { issuer, ...given } of callers) {
      const jwt = given.jwt ?? (await demoJwt(broker, 'alice', issuer));
      const unentitledJwt = given.unentitledJwt ?? (await demoJwt(broker, 'mallory', issuer));
      const logouts = environment?.issuers.some(
        ({ name, logoutClients }) => name === issuer && logoutClients !== undefined,
      );
      await examineBroker(atBroker, { url: broker, issuer, jwt, unentitledJwt, logouts, origins }, isAlive);
    }
  };

  const found = await findCredential(atThoughtSpot, { ...options, dialect, host }, environment, variables);
  if (found === undefined) await examineTheBroker();
  else await examineCluster(atThoughtSpot, { ...found, host, dialect, origins }, examineTheBroker);
  return { host, dialect, broker, checks };
}

type ClusterUser = Pick<ClusterTarget, 'credential' | 'user' | 'orgId'>;

async function findCredential(
  examine: Examine,
  options: Options & { readonly host: string; readonly dialect: string },
  environment: Environment | undefined,
  variables: Variables,
): Promise<ClusterUser | undefined> {
  const demo = environment ? undefined : demoCluster(options.host);
  const userFor = ({ credential }: FoundCredential, ownUser?: string, orgId?: number): ClusterUser => {
    const user =
      options.user ?? (credential.kind === 'password' ? credential.userName : (credential.serviceUser ?? ownUser));
    if (user === undefined)
      throw new UsageError('No user: name a ThoughtSpot user with --user, and its org with --org.');
    return { credential, user, orgId: options.orgId ?? orgId };
  };
  return examine('credential', async () => {
    const given = attempt(() => credentialInVariables(variables));
    if (given) return [`from ${given.source}`, userFor(given, demo?.user, demo?.orgId)];
    if (demo) {
      const byPassword = options.dialect === 'session-v2' ? demo.account : undefined;
      const credential = credentialOf(byPassword ?? { secretKey: demo.secretKey });
      const found = { credential, source: 'the demo cluster' };
      return [`the demo ${byPassword ? 'account' : 'key'} of the simulator`, userFor(found, demo.user, demo.orgId)];
    }
    if (environment) {
      if (!options.readSecret)
        throw new Skipped(
          'ThoughtSpot is not examined: set THOUGHTSPOT_SECRET_KEY (or THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD) ' +
            'and give --user, or as a reader of the secret --read-secret',
        );
      const stored = await credentialInSecret(secretIdOf(environment), environment.region);
      return [`from ${stored.source}`, userFor(stored)];
    }
    throw new UsageError(
      'No credential: set THOUGHTSPOT_SECRET_KEY, or THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD, in the environment.',
    );
  });
}

function attempt<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Finding(`it is malformed (${error.reason ?? error.code})`, 'Copy it again, without spaces around it.');
  }
}

/** Loaded on demand, because the schema of environments also loads the CDK. */
async function load(name: string, region: string | undefined): Promise<Environment> {
  const { loadEnvironment } = await import('../environment-files.ts');
  const { regionOfProfile } = await import('../deployed-stack.ts');
  try {
    // Any account is accepted here, because the checks do not use it.
    return loadEnvironment(name, { account: '000000000000', region: region ?? (await regionOfProfile()) });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
