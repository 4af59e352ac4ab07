import type { Failure } from '../../functions/broker/failure.ts';
import type { ProblemCode } from '../../functions/contract/problems.ts';
import { Finding } from './checklist.ts';

/** The part of the request that helps to explain what is wrong. */
export interface Asked {
  readonly credential: 'secret-key' | 'password';
  readonly user: string;
  readonly orgId: number | undefined;
}

type Explanation = readonly [cause: string, cure: string];

const orgOf = ({ orgId }: Asked): string => (orgId === undefined ? 'the org that ThoughtSpot chose' : `org ${orgId}`);

const EXPLANATIONS: Partial<Record<ProblemCode, (asked: Asked) => Explanation>> = {
  'upstream-credential-refused': ({ credential }) =>
    credential === 'secret-key'
      ? [
          'the secret key is wrong',
          'Copy it again from Develop > Customizations > Security settings > Trusted authentication: switching that off ' +
            "and on creates a new key and ends the old one. An org's own key works only for that org.",
        ]
      : [
          'the user name or the password is wrong, or multi-factor authentication is required',
          'Sign in by hand as this user. If that asks for a second factor, use a secret key instead.',
        ],
  'upstream-trusted-auth-disabled': (asked) => [
    `trusted authentication is off, on the cluster or in ${orgOf(asked)}`,
    'Switch it on in Develop > Customizations > Security settings, cluster-wide (All Orgs) or in that org; then store ' +
      'the key that appears in the secret.',
  ],
  'user-not-provisioned': (asked) => [
    `ThoughtSpot has no active user ${asked.user} in ${orgOf(asked)}`,
    'Create or activate the user there, or add them to the org (--user and --org choose others); a policy can ' +
      'create users with their first token ("provisioning").',
  ],
  'upstream-busy': () => [
    'ThoughtSpot limits calls (429): 100 per second from one address, all clients together',
    'Try again in a minute. If it continues, find out which other clients call from this address.',
  ],
  'upstream-unavailable': () => [
    'ThoughtSpot cannot be reached or is down',
    'Check the host, DNS, proxies and whether the cluster lets this address in (IP allow list).',
  ],
  'upstream-timeout': () => [
    'ThoughtSpot did not answer in time',
    'Check whether a firewall drops the connection, then try again.',
  ],
  'upstream-invalid': () => [
    'the answer does not come from ThoughtSpot',
    'Check that the host is the cluster itself, and --dialect. A 401, 403 or 407 comes from a proxy, a firewall or a sign-in ' +
      'page on the way: let this address pass there. It says nothing about the credential.',
  ],
  'upstream-refused': () => [
    'ThoughtSpot refused the request',
    'Check --dialect (a cluster without this API answers 404) and the privileges of the user; quote the incident to support.',
  ],
};

const TLS = /CERT|SSL|TLS|SELF_SIGNED|ALTNAME/;

/** A failure of the ThoughtSpot client as a finding. Its reason contains no text from the other side. */
export function findingOf({ code, reason }: Failure, asked: Asked): Finding {
  const [cause, cure] = EXPLANATIONS[code]?.(asked) ?? ['that did not work', 'See docs/errors.md.'];
  const problem = reason === undefined ? cause : `${cause} (${reason})`;
  if (reason !== undefined && TLS.test(reason))
    return new Finding(
      problem,
      "Its certificate is not valid: check the host and the clock. For a company's own CA set NODE_EXTRA_CA_CERTS.",
      code,
    );
  return new Finding(problem, cure, code);
}
