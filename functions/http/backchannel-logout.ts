/** What issuers post when somebody has signed out there: OpenID Connect Back-Channel Logout 1.0 (docs/adr/0023). */
import type { Failure } from '../broker/failure.ts';
import type { Logout } from '../broker/ports.ts';
import type { RevokeTokens, WhoSelection } from '../broker/use-cases.ts';
import { PROBLEMS } from '../contract/problems.ts';
import { oauthError, plain, type Answer } from './answer.ts';
import { readFormField } from './fields.ts';
import { answering, concealJwt, deadlineOf, issuerOf, type Edge, type HttpHandler } from './http-entry.ts';

export interface LogoutParts {
  /** Whom the token signs out. Throws Failure. */
  readonly loggedOut: (token: string, issuer: string | undefined) => Promise<Logout>;
  readonly revokeTokens: RevokeTokens;
}

/** A Lambda handler for a route that nothing opens but the logout token in the body. 200, or 400 with an OAuth error. */
export function logoutEntry(edge: Edge, ready: () => Promise<LogoutParts>): HttpHandler {
  const { telemetry, clock } = edge;
  return answering(edge, refusal, async (event, context) => {
    const token = readFormField(event, 'logout_token');
    concealJwt(telemetry, token);
    const { loggedOut, revokeTokens } = await ready();
    const { scope, client, at } = await loggedOut(token, issuerOf(event));
    const revoker = { kind: 'event', source: 'logout', name: client } as const;
    try {
      const how = { kind: 'sign-out', issuedUpTo: at } as const;
      await revokeTokens(revoker, selectionOf(scope), clock.now(), deadlineOf(clock, context), how);
    } catch (error) {
      // The issuer has said so once, and nobody asks again.
      telemetry.signals.emit('logout-failed');
      throw error;
    }
    return plain(200, '');
  });
}

function selectionOf(scope: Logout['scope']): WhoSelection {
  if (scope.kind === 'session') return scope;
  const { issuer, subject } = scope;
  return { kind: 'user', userNames: [], subjects: [{ issuer, subject }] };
}

/** Plain words for whoever reads the issuer's log. No value of the token is in a reason. */
function refusal({ code, errors, reason = '' }: Failure): Answer {
  const [fault] = errors;
  if (fault !== undefined) return oauthError('invalid_request', `${fault.field} ${fault.detail}`);
  if (code === 'invalid-token') return oauthError('invalid_request', `the logout token does not count: ${reason}`);
  const { retry, title } = PROBLEMS[code];
  return oauthError(retry ? 'temporarily_unavailable' : 'server_error', title);
}
