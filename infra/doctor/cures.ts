import type { Failure } from '../../functions/broker/failure.ts';
import type { ProblemCode } from '../../functions/contract/problems.ts';
import { Finding } from './checklist.ts';

/** What was asked for, as far as it helps to say what is wrong. */
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
            "and on makes a new key and ends the old one. An org's own key opens that org only.",
        ]
      : [
          'the user name or the password is wrong, or multi-factor authentication stands in the way',
          'Sign in by hand as this user; where that asks for a second factor use a secret key instead.',
        ],
  'upstream-trusted-auth-disabled': (asked) => [
    `trusted authentication is off, on the cluster or in ${orgOf(asked)}`,
    'Switch it on in Develop > Customizations > Security settings, cluster-wide (All Orgs) or in that org; then put ' +
      'the key that appears into the secret.',
  ],
  'user-not-provisioned': (asked) => [
    `ThoughtSpot has no active user ${asked.user} in ${orgOf(asked)}`,
    'Create or activate the user there, or add them to the org (--user and --org choose others); a policy can have ' +
      'users made on their first token ("provisioning").',
  ],
  'upstream-busy': () => [
    'ThoughtSpot limits its callers (429): 100 calls a second from one address, all clients together',
    'Try again in a minute; if it stays, find out who else calls from this address.',
  ],
  'upstream-unavailable': () => [
    'ThoughtSpot cannot be reached or is down',
    'Check the host, DNS, proxies and whether the cluster lets this address in (IP allow list).',
  ],
  'upstream-timeout': () => [
    'ThoughtSpot did not answer in time',
    'Check whether a firewall swallows the connection, then try again.',
  ],
  'upstream-invalid': () => [
    'the answer is none of ThoughtSpot',
    'Check that the host is the cluster itself (no login page or proxy before it), and --dialect.',
  ],
  'upstream-refused': () => [
    'ThoughtSpot refused',
    'Check --dialect (a cluster without this API answers 404) and the privileges of the user; quote the incident to support.',
  ],
};

const TLS = /CERT|SSL|TLS|SELF_SIGNED|ALTNAME/;

/** A failure of the ThoughtSpot client as a finding. Its reason holds no text of the other side. */
export function findingOf({ code, reason }: Failure, asked: Asked): Finding {
  const [cause, cure] = EXPLANATIONS[code]?.(asked) ?? ['that did not work', 'See docs/errors.md.'];
  const found = reason === undefined ? cause : `${cause} (${reason})`;
  if (reason !== undefined && TLS.test(reason))
    return new Finding(
      found,
      "Its certificate does not hold: check host and clock; a company's own CA: NODE_EXTRA_CA_CERTS.",
      code,
    );
  return new Finding(found, cure, code);
}
