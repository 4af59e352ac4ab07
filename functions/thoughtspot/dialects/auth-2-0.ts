import type { Credential, Grant, SessionInfo } from '../../broker/ports.ts';
import { readErrorBody } from '../error-body.ts';
import type { SessionInfoResponse, SessionLoginResponse } from '../models.ts';
import { epochMs, isObject, numberIn, objectIn, parseJson, textIn } from '../reading.ts';
import { refusesBearer, rejectionOf } from '../rejection.ts';
import type { Reply, RequestParts } from '../transport.ts';
import { mintBody, mintedIn } from './auth-2-0-mint.ts';
import { accepted, isSuccess, rejected, type Decoded, type Dialect, type TokenValidity } from './dialect.ts';

const BASE = '/api/rest/2.0/auth';
const NAME = 'auth-2.0';

const HEADERS = {
  accept: 'application/json',
  'user-agent': 'thoughtspot-token-broker',
  // Needed by v1 endpoints only, harmless here, and sent by ThoughtSpot's own samples (wire facts 3.7).
  'x-requested-by': 'ThoughtSpot',
};

/** REST API v2.0, `/api/rest/2.0/auth/*` (wire facts 3): seconds in requests, epoch ms in answers, errors by status. */
export const auth20: Dialect = {
  name: NAME,
  mintsWithSession: false,
  obstacle,

  sessionInfo: {
    encode: ({ bearer }) => get('/session/user', bearer),
    decode(reply, _input, nowMs) {
      if (refusesBearer(reply)) return accepted(undefined);
      const info = isSuccess(reply) ? sessionInfoIn(parseJson(reply.body)) : undefined;
      return info === undefined ? refused(reply, 'GET', '/session/user', nowMs) : accepted(info);
    },
    model: (reply) => sessionInfoModel(parseJson(reply.body)),
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
    decode: (reply, _input, nowMs) =>
      isSuccess(reply) ? accepted({}) : refused(reply, 'POST', '/session/login', nowMs),
    model: (_reply, { userName }): SessionLoginResponse => ({ userName, token: '', tokenType: 'Cookie' }),
  },

  gettoken: {
    encode: (input) => post(`/token/${input.rights.kind}`, mintBody(input), input.bearer),
    decode(reply, input, nowMs) {
      const minted = isSuccess(reply) ? mintedIn(reply, input) : undefined;
      return minted === undefined ? refused(reply, 'POST', `/token/${input.rights.kind}`, nowMs) : accepted(minted);
    },
    model(reply, input) {
      const minted = mintedIn(reply, input);
      return (
        minted && {
          userName: minted.userName,
          token: minted.token,
          ...(minted.createdAt === undefined ? {} : { tokenCreatedTime: String(minted.createdAt) }),
          tokenExpiryDuration: String(Math.floor(minted.lifetimeMs / 1_000)),
          tokenType: minted.tokenType,
        }
      );
    },
  },

  logout: {
    encode: ({ bearer }) => post('/session/logout', undefined, bearer),
    decode: (reply, _input, nowMs) =>
      isSuccess(reply) ? accepted(true) : refused(reply, 'POST', '/session/logout', nowMs),
    model: () => true,
  },

  revoketoken: {
    /** The token itself as the bearer, and named in the body: right under every reading (wire facts 3.4). */
    encode: ({ bearer, userName }) =>
      post(
        '/token/revoke',
        { ...(userName === undefined ? {} : { user_identifier: userName }), token: bearer },
        bearer,
      ),
    decode(reply, _input, nowMs) {
      const gone = reply.status === 200 || reply.status === 204;
      if (gone && !readErrorBody(reply).html) return accepted(true);
      if (refusesBearer(reply) || saysTokenIsDead(reply)) return accepted(true);
      return refused(reply, 'POST', '/token/revoke', nowMs);
    },
    model: () => true,
  },

  validate: {
    /** 9.12 and later. Called with the token itself; the answer names the user by id only. */
    encode: ({ bearer }) => post('/token/validate', { token: bearer }, bearer),
    decode(reply, _input, nowMs) {
      if (refusesBearer(reply) || saysTokenIsDead(reply)) return accepted(undefined);
      const validity = isSuccess(reply) ? validityIn(reply) : undefined;
      return validity === undefined ? refused(reply, 'POST', '/token/validate', nowMs) : accepted(validity);
    },
    model: validityIn,
  },
};

function obstacle(grant: Grant, credential: Credential): string | undefined {
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

const refused = (reply: Reply, method: string, path: string, nowMs: number): Decoded<never> =>
  rejected(rejectionOf(reply, `${method} ${BASE}${path}`, NAME, nowMs));

/** 400 with code 10002 has many meanings; only the text tells that the token is no longer good. */
function saysTokenIsDead(reply: Reply): boolean {
  return reply.status === 400 && DEAD_TOKEN.test(readErrorBody(reply).text);
}

const DEAD_TOKEN =
  /\b(expired|invalid|malformed|revoked|unknown)\s+(\w+\s+){0,2}token\b|\btoken\s+(\w+\s+){0,4}(expired|invalid|malformed|revoked|not valid|not found)\b/i;

function validityIn(reply: Reply): TokenValidity | undefined {
  const json = parseJson(reply.body);
  const expires = numberIn(json, 'expiration_time_in_millis');
  const userId = textIn(json, 'valid_for_user_id');
  return expires === undefined || userId === undefined ? undefined : { expiresAt: epochMs(expires), userId };
}

function sessionInfoIn(json: unknown): SessionInfo | undefined {
  const userName = textIn(json, 'name');
  if (userName === undefined) return undefined;
  const userId = textIn(json, 'id');
  const orgId = numberIn(objectIn(json, 'current_org'), 'id');
  const { userName: _name, userGUID: _id, ...details } = sessionInfoModel(json) ?? {};
  return {
    userName,
    ...(userId === undefined ? {} : { userId }),
    ...(orgId === undefined ? {} : { orgId }),
    details: { ...details },
  };
}

/** session/user in the beta's words. Its expiration is not taken over: the docs contradict each other on its unit. */
function sessionInfoModel(json: unknown): SessionInfoResponse | undefined {
  const userName = textIn(json, 'name');
  if (!isObject(json) || userName === undefined) return undefined;
  const texts = {
    userDisplayName: textIn(json, 'display_name'),
    userEmail: textIn(json, 'email'),
    userGUID: textIn(json, 'id'),
    locale: textIn(json, 'preferred_locale'),
    state: textIn(json, 'account_status'),
  };
  const created = numberIn(json, 'creation_time_in_millis');
  const { privileges } = json;
  return {
    userName,
    ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)),
    ...(created === undefined ? {} : { userCreatedTime: created }),
    ...(Array.isArray(privileges) ? { privileges: privileges.filter((name) => typeof name === 'string') } : {}),
  };
}
