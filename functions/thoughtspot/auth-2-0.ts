import type { Credential, Grant, SessionInfo } from '../broker/ports.ts';
import { readErrorBody } from './error-body.ts';
import { isObject } from '../contract/shapes.ts';
import { numberIn, objectIn, parseJson, textIn } from './json-fields.ts';
import { refusesBearer } from './rejection.ts';
import type { Reply, RequestParts } from './transport.ts';
import { mintBody, mintedIn } from './auth-2-0-mint.ts';
import { isSuccess, type Dialect } from './dialect.ts';

const BASE = '/api/rest/2.0/auth';

const HEADERS = {
  accept: 'application/json',
  'user-agent': 'thoughtspot-token-broker',
  // Needed by v1 endpoints only, harmless here, and sent by ThoughtSpot's own samples (wire facts 3.7).
  'x-requested-by': 'ThoughtSpot',
};

/** REST API v2.0, `/api/rest/2.0/auth/*` (wire facts 3): seconds in requests, epoch ms in answers, errors by status. */
export const auth20: Dialect = {
  name: 'auth-2.0',
  mintsWithSession: false,
  cannotMint,

  sessionInfo: {
    encode: ({ bearer }) => get('/session/user', bearer),
    decode(reply) {
      if (refusesBearer(reply)) return 'token-not-accepted';
      return isSuccess(reply) ? sessionInfoIn(parseJson(reply.body)) : undefined;
    },
  },

  login: {
    encode: ({ userName, password, rememberMe = false, orgId }) =>
      post('/session/login', {
        username: userName,
        password,
        remember_me: rememberMe,
        ...(orgId === undefined ? {} : { org_identifier: String(orgId) }),
      }),
    // 204 and a cookie: a session of the browser's kind, without a token.
    decode: (reply) => (isSuccess(reply) ? 'cookie-session' : undefined),
  },

  gettoken: {
    encode: (input) => post(`/token/${input.rights.kind}`, mintBody(input), input.bearer),
    decode: (reply, input) => (isSuccess(reply) ? mintedIn(reply, input) : undefined),
  },

  logout: {
    encode: ({ bearer }) => post('/session/logout', undefined, bearer),
    decode: (reply) => isSuccess(reply) || undefined,
  },

  revoketoken: {
    /** The token itself as the bearer, and named in the body: right under every reading (wire facts 3.4). */
    encode: ({ bearer, userName }) =>
      post(
        '/token/revoke',
        { ...(userName === undefined ? {} : { user_identifier: userName }), token: bearer },
        bearer,
      ),
    decode(reply) {
      const gone = (reply.status === 200 || reply.status === 204) && !readErrorBody(reply).html;
      return gone || refusesBearer(reply) || saysTokenIsDead(reply) || undefined;
    },
  },
};

function cannotMint(grant: Grant, credential: Credential): string | undefined {
  if (credential.kind === 'secret-key') return undefined;
  if (grant.user !== credential.userName) return 'a password can mint for its own user only; others need a secret key';
  if (grant.provisioning !== null) return 'provisioning needs a secret key';
  return undefined;
}

const bearerHeader = (bearer: string | undefined): Readonly<Record<string, string>> =>
  bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };

const get = (path: string, bearer: string): RequestParts => ({
  method: 'GET',
  path: `${BASE}${path}`,
  headers: { ...HEADERS, ...bearerHeader(bearer) },
});

const post = (path: string, body: Readonly<Record<string, unknown>> = {}, bearer?: string): RequestParts => ({
  method: 'POST',
  path: `${BASE}${path}`,
  headers: { ...HEADERS, 'content-type': 'application/json', ...bearerHeader(bearer) },
  body: JSON.stringify(body),
});

/** 400 with code 10002 has many meanings; only the text says that the token is no longer good. */
function saysTokenIsDead(reply: Reply): boolean {
  return reply.status === 400 && DEAD_TOKEN.test(readErrorBody(reply).text);
}

const DEAD_TOKEN =
  /\b(expired|invalid|malformed|revoked|unknown)\s+(\w+\s+){0,2}token\b|\btoken\s+(\w+\s+){0,4}(expired|invalid|malformed|revoked|not valid|not found)\b/i;

/** session/user in the beta's words. Its expiration is not taken over: the docs contradict each other on its unit. */
function sessionInfoIn(json: unknown): SessionInfo | undefined {
  const userName = textIn(json, 'name');
  if (!isObject(json) || userName === undefined) return undefined;
  const userId = textIn(json, 'id');
  const orgId = numberIn(objectIn(json, 'current_org'), 'id');
  const texts = {
    userDisplayName: textIn(json, 'display_name'),
    userEmail: textIn(json, 'email'),
    locale: textIn(json, 'preferred_locale'),
    state: textIn(json, 'account_status'),
  };
  const created = numberIn(json, 'creation_time_in_millis');
  const { privileges } = json;
  return {
    userName,
    ...(userId === undefined ? {} : { userId }),
    ...(orgId === undefined ? {} : { orgId }),
    details: {
      ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)),
      ...(created === undefined ? {} : { userCreatedTime: created }),
      ...(Array.isArray(privileges) ? { privileges: privileges.filter((name) => typeof name === 'string') } : {}),
    },
  };
}
