/** From what a TokenBroker is given to what its parts are made of: defaults, and checks of every value and of the policy. */
import path from 'node:path';
import { Token } from 'aws-cdk-lib';
import { environmentPolicy } from './environment-policy.ts';
import { EnvironmentError, parseEnvironment } from './environments/environment.ts';
import type { Environment, EnvironmentInput } from './environments/environment.ts';
import type { CheckedPolicy } from './policy/check.ts';
import type { TokenBrokerProps } from './token-broker-props.ts';

const DEFAULTS = {
  purpose: 'production',
  logLevel: 'INFO',
  revocationSchedules: [],
  sweepRate: 20,
  dueShards: 16,
  throttle: { ratePerSecond: 50, burst: 100 },
  deployment: 'canary',
  logRetentionDays: 365,
} as const satisfies Partial<TokenBrokerProps>;
const DIALECT = 'auth-2.0';
const SCOPES = { token: 'broker:token', revoke: 'broker:revoke' };

/** For the checks, in the place of a construct, of which nothing is known before the deployment. */
const GIVEN_SECRET = { import: 'given-as-a-construct' };
const GIVEN_TOPIC = { topicArn: 'arn:aws:sns:us-east-1:000000000000:given-as-a-construct' };
const ANY_REGION = 'us-east-1';

export interface Settings {
  readonly environment: Environment;
  readonly policy: CheckedPolicy;
}

/** Throws an Error with every fault, each with its path, that begins with `what`. */
export function settingsOf(what: string, name: string, props: TokenBrokerProps, region: string): Settings {
  const { network, prober, bundles: _bundles, name: _name, ...given } = props;
  const { thoughtSpot, issuers, alarms, policyFile, secret = { create: `thoughtspot-broker/${name}` } } = props;
  const values: EnvironmentInput = {
    ...DEFAULTS,
    ...given,
    thoughtSpot: { dialect: DIALECT, ...thoughtSpot },
    issuers: issuers.map((issuer) => ({ scopes: SCOPES, ...issuer })),
    policyFile: path.basename(policyFile),
    secret: 'secret' in secret ? GIVEN_SECRET : secret,
    alarms: 'topic' in alarms ? GIVEN_TOPIC : alarms,
    ...(prober && { prober: { secret: 'secret' in prober.secret ? GIVEN_SECRET : prober.secret } }),
  };
  const { fixedEgress } = props;
  const faults = [
    ...(path.isAbsolute(policyFile)
      ? []
      : [`policyFile: ${policyFile} is not absolute; write path.join(__dirname, '${policyFile}')`]),
    ...(fixedEgress && network ? ['network: is there besides fixedEgress; leave one of them out'] : []),
    ...(fixedEgress && Token.isUnresolved(region)
      ? ['fixedEgress: names zones, so the stack must name its region (env: { region })']
      : []),
  ];
  try {
    const target = { account: '000000000000', region: Token.isUnresolved(region) ? ANY_REGION : region };
    if (faults.length > 0) throw new EnvironmentError(name, faults);
    const environment = parseEnvironment(name, values, target);
    return { environment, policy: environmentPolicy(environment, path.dirname(policyFile)) };
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    throw new Error(`${what} cannot be built:\n${error.faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}
