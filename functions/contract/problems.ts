/**
 * Every refusal and failure of the broker, each with a stable code. Codes are API, sentences may change. The problem type is
 * `PROBLEM_TYPE_BASE + code`; docs/errors.md has a heading per code with cause and cure.
 */
export const PROBLEM_TYPE_BASE = 'urn:thoughtspot-token-broker:problem:';

export interface Problem {
  readonly status: number;
  readonly title: string;
  /** A sentence for the caller. Nothing from upstream, no claim value, no reason for a denial. */
  readonly detail: string;
  /** Whether the same request may succeed later; then the answer carries Retry-After. */
  readonly retry: boolean;
}

type Said = readonly [status: number, title: string, detail: string];

const problem = (...[status, title, detail]: Said): Problem => ({ status, title, detail, retry: false });
/** The same request may succeed later. */
const later = (...said: Said): Problem => ({ ...problem(...said), retry: true });

export const PROBLEMS = {
  'invalid-request': problem(
    400,
    'Invalid request',
    'The request is not well formed; `errors` names each field at fault.',
  ),
  'unsupported-media-type': problem(
    415,
    'Unsupported media type',
    'Send the body as application/json, or send no body.',
  ),
  'invalid-token': problem(401, 'Invalid access token', 'The access token is not valid here; sign in again.'),
  'sign-in-again': problem(401, 'Sign in again', 'Your sign-in is too old, or was ended; sign in again.'),
  suspended: problem(403, 'Suspended', 'You are shut out until an operator lets you in again.'),
  'not-entitled': problem(403, 'Not entitled', 'The policy of this broker does not grant you what you asked for.'),
  'insufficient-scope': problem(
    403,
    'Insufficient scope',
    'Your access token lacks the scope that this request needs.',
  ),
  'user-not-provisioned': problem(
    403,
    'User not provisioned',
    'ThoughtSpot has no active user for you in the organisation that the policy names.',
  ),
  'entitlement-conflict': later(
    403,
    'Entitlements in conflict',
    'Tokens with other rights live for the same ThoughtSpot user; no token is given until they have ended.',
  ),
  'lease-not-found': problem(404, 'Lease not found', 'You hold no such lease.'),
  'object-not-available': problem(404, 'No such object', 'ThoughtSpot has no object that you may open by this id.'),
  'mint-limit': later(
    429,
    'Too many tokens',
    'Too many new tokens were minted, or too many are live; reuse the one you hold.',
  ),
  'mint-in-progress': later(503, 'Token is being minted', 'Another request is minting this token; ask again.'),
  'superseded-by-revocation': later(
    503,
    'Revoked while minting',
    'A revocation overtook this request; nothing was released. Ask again for a new token.',
  ),
  'upstream-credential-refused': problem(
    502,
    'ThoughtSpot refuses the broker',
    'ThoughtSpot did not accept the credential of this broker. Its operators have been alerted.',
  ),
  'upstream-trusted-auth-disabled': problem(
    502,
    'Trusted authentication is off',
    'Trusted authentication is not enabled on the ThoughtSpot cluster or organisation.',
  ),
  'upstream-mismatch': problem(
    502,
    'ThoughtSpot answered for something else',
    'The token that ThoughtSpot returned is not the one that was asked for. It was revoked and withheld.',
  ),
  'upstream-invalid': problem(
    502,
    'ThoughtSpot answered nonsense',
    'The answer of ThoughtSpot could not be understood.',
  ),
  'upstream-refused': problem(502, 'ThoughtSpot refused', 'ThoughtSpot refused the request of this broker.'),
  'upstream-conflict': later(
    503,
    'Others change the same variable',
    'ThoughtSpot changes a variable of yours for others at the moment; ask again.',
  ),
  'upstream-busy': later(503, 'ThoughtSpot is busy', 'ThoughtSpot limits its callers at the moment; ask again later.'),
  'upstream-unavailable': later(503, 'ThoughtSpot is unavailable', 'ThoughtSpot cannot be reached; ask again later.'),
  'upstream-timeout': later(504, 'ThoughtSpot took too long', 'ThoughtSpot did not answer in time; ask again.'),
  'ledger-unavailable': later(503, 'Ledger is unavailable', 'The ledger of tokens cannot be reached; ask again.'),
  'ledger-denied': later(
    503,
    'Ledger denies access',
    'The broker may not use its ledger. Its operators have been alerted.',
  ),
  'key-unavailable': later(503, 'Key is unavailable', 'The key that seals tokens cannot be used; ask again later.'),
  'secret-unavailable': later(503, 'Secret is unavailable', 'The credential of the broker cannot be read; ask again.'),
  'issuer-unavailable': later(503, 'Issuer is unavailable', 'Access tokens cannot be verified now; ask again.'),
  'not-set-up': later(503, 'Not set up yet', 'The credential of this broker has not been stored yet.'),
  misconfigured: problem(
    500,
    'Broker is misconfigured',
    'The broker is not set up correctly. Its operators have been alerted.',
  ),
  'internal-error': problem(
    500,
    'Internal error',
    'The broker failed in an unforeseen way. Its operators have been alerted.',
  ),
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof PROBLEMS;
