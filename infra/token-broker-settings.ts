/** From what a TokenBroker is given to what its parts are made of: defaults, and checks of every value and of the policy. */
import path from 'node:path';
import { Token } from 'aws-cdk-lib';
import { ANY_REGION } from './environment-aws.ts';
import { environmentPolicy } from './environment-policy.ts';
import { EnvironmentError, parseEnvironment } from './environments/environment.ts';
import type { Environment } from './environments/environment.ts';
import { UNKNOWN } from './environment-faults.ts';
import { meant } from './nearest-name.ts';
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
const CALLERS = { token: 'broker:token' };
const SCOPES = { ...CALLERS, revoke: 'broker:revoke' };

/** For the checks, in the place of a construct, of which nothing is known before the deployment. */
const GIVEN_SECRET = { import: 'given-as-a-construct' };
const GIVEN_PROBER_SECRET = { import: 'prober-given-as-a-construct' };
const givenTopic = (region: string) => ({ topicArn: `arn:aws:sns:${region}:000000000000:given-as-a-construct` });
const checkable = (to: unknown, region: string) => (has('topic', to) ? givenTopic(region) : to);

export interface Settings {
  readonly environment: Environment;
  readonly policy: CheckedPolicy;
}

/** Throws an Error with every fault, each with its path, that begins with `what`. */
export function settingsOf(what: string, name: string, props: TokenBrokerProps, region: string): Settings {
  const { network, bundles: _bundles, name: _name, ...given } = props;
  // An app in JavaScript, or one that is not checked, may lack anything: the checks say what.
  const { thoughtSpot, issuers, alarms, prober, policyFile }: Partial<TokenBrokerProps> = props;
  const { fixedEgress, secret = { create: `thoughtspot-broker/${name}` } } = props;
  const knownRegion = Token.isUnresolved(region) ? ANY_REGION : region;
  const values = {
    ...DEFAULTS,
    ...given,
    thoughtSpot: thoughtSpot && { dialect: DIALECT, ...thoughtSpot },
    issuers: Array.isArray(issuers)
      ? issuers.map((issuer, at) => ({ scopes: at === 0 ? SCOPES : CALLERS, ...issuer }))
      : issuers,
    policyFile: policyFile && path.basename(policyFile),
    secret: has('secret', secret) ? GIVEN_SECRET : secret,
    alarms: has('page', alarms)
      ? { ...alarms, page: checkable(alarms.page, knownRegion), ticket: checkable(alarms.ticket, knownRegion) }
      : checkable(alarms, knownRegion),
    ...(has('secret', prober?.secret) && { prober: { secret: GIVEN_PROBER_SECRET } }),
  };
  const faults = [
    ...(policyFile === undefined || path.isAbsolute(policyFile)
      ? []
      : [`policyFile: ${policyFile} is not absolute; write path.join(__dirname, '${policyFile}')`]),
    ...(fixedEgress && network ? ['network: is there besides fixedEgress; leave one of them out'] : []),
    ...(fixedEgress && Token.isUnresolved(region)
      ? ['fixedEgress: names zones, so the stack must name its region (env: { region })']
      : []),
  ];
  try {
    const target = { account: '000000000000', region: knownRegion };
    if (faults.length > 0) throw new EnvironmentError(name, faults);
    const environment = parseEnvironment(name, values, target, ({ path: [key, ...more], text }) =>
      // The props that no environment has.
      more.length === 0 && text.endsWith(UNKNOWN) ? text + meant(String(key), ['network', 'bundles', 'name']) : text,
    );
    return { environment, policy: environmentPolicy(environment, path.dirname(policyFile)) };
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    throw new Error(`${what} cannot be built:\n${error.faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

function has<Key extends string>(key: Key, value: unknown): value is Record<Key, unknown> {
  return typeof value === 'object' && value !== null && key in value;
}
