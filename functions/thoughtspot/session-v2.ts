import type { MintedToken, SessionInfo } from '../broker/ports.ts';
import { isObject } from '../contract/shapes.ts';
import { epochMs, numberIn, parseJson, textIn } from './json-fields.ts';
import { SESSION_INFO_FIELDS } from './session-api.ts';
import { refusesBearer, rejectionOf } from './rejection.ts';
import type { Reply, RequestParts } from './transport.ts';
import { isSuccess, isToken, type Dialect } from './dialect.ts';

const BASE = '/api/rest/v2/session';
const NAME = 'session-v2';
/** Longest life that is assumed where an answer says none, ms. */
const DAY_MS = 86_400_000;

/** What the beta's SDK sends by default, the media type as a language included (wire facts 1.2, seen on the wire). */
const HEADERS = {
  accept: 'application/json',
  'content-type': 'application/json',
  'accept-language': 'application/json',
  'user-agent': 'APIMATIC 3.0',
};

/**
 * The session API of 2021, `/api/rest/v2/session*` (wire facts 1): strings in answers, seconds in requests, JSON `true`
 * from revoketoken, 500 for a refused credential, no org, no kinds of token. gettoken gives the token of the user
 * whose name and password it is sent, and wants a session as well: so the broker can mint for its service account only.
 */
export const sessionV2: Dialect = {
  name: NAME,
  mintsWithSession: true,

  cannotMint(grant, credential) {
    if (credential.kind !== 'password')
      return 'session-v2 mints with a user name and a password, not with a secret key';
    if (!grant.serviceAccount || grant.user !== credential.userName)
      return 'session-v2 can mint for the service account of the secret only';
    if (grant.rights.kind !== 'full') return `session-v2 cannot narrow a token to kind ${grant.rights.kind}`;
    if (grant.provisioning !== null) return 'session-v2 cannot provision users';
    return undefined;
  },

  sessionInfo: {
    encode: ({ bearer }) => request('GET', '', { bearer }),
    decode(reply) {
      const isRefused = () => rejectionOf(reply, '', NAME, 0).failure.code === 'upstream-credential-refused';
      const info = isSuccess(reply) ? sessionInfoIn(parseJson(reply.body)) : undefined;
      return info ?? (refusesBearer(reply) || isRefused() ? 'token-not-accepted' : undefined);
    },
  },

  login: {
    encode: ({ userName, password, rememberMe }) =>
      request('POST', '/login', { body: { userName, password, ...(rememberMe === undefined ? {} : { rememberMe }) } }),
    decode(reply) {
      const json = isSuccess(reply) ? parseJson(reply.body) : undefined;
      return isObject(json) ? (mintedIn(json) ?? 'cookie-session') : undefined;
    },
  },

  gettoken: {
    encode({ userName, proof, bearer, validitySeconds }) {
      const password = proof.kind === 'password' ? proof.password : '';
      const validity = validitySeconds === undefined ? {} : { tokenExpiryDuration: validitySeconds };
      return request('POST', '/gettoken', { bearer: bearer ?? '', body: { userName, password, ...validity } });
    },
    decode: (reply, { validitySeconds }) =>
      isSuccess(reply) ? mintedIn(parseJson(reply.body), validitySeconds) : undefined,
  },

  logout: {
    encode: () => request('POST', '/logout', {}),
    decode: booleanIn,
  },

  revoketoken: {
    encode: ({ bearer }) => request('POST', '/revoketoken', { bearer }),
    // A bare 500 is "failed or unauthorized" and proves nothing; 401, or 500 with the code for it, does.
    decode: (reply) => refusesBearer(reply) || booleanIn(reply),
  },
};

function request(
  method: 'GET' | 'POST',
  path: string,
  { bearer, body }: { bearer?: string; body?: Readonly<Record<string, unknown>> },
): RequestParts {
  return {
    method,
    path: `${BASE}${path}`,
    headers: { ...HEADERS, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
}

/** `true`, `false`, or either as a JSON string (wire facts 1.4). */
function booleanIn(reply: Reply): boolean | undefined {
  const json = isSuccess(reply) ? parseJson(reply.body) : undefined;
  if (json === true || json === 'true') return true;
  return json === false || json === 'false' ? false : undefined;
}

function mintedIn(json: unknown, validitySeconds?: number): MintedToken | undefined {
  const token = textIn(json, 'token');
  if (!isToken(token)) return undefined;
  const created = textIn(json, 'tokenCreatedTime');
  return {
    token,
    userName: textIn(json, 'userName') ?? '',
    ...lifetime(numberIn(json, 'tokenExpiryDuration'), validitySeconds),
    // The format is not documented; thirteen digits can only be epoch ms.
    ...(created !== undefined && /^\d{13}$/.test(created) ? { createdAt: epochMs(Number(created)) } : {}),
    tokenType: textIn(json, 'tokenType') ?? 'Bearer',
  };
}

/**
 * The unit of tokenExpiryDuration was seconds, then ms, then seconds again (wire facts 2). What equals the request
 * settles it; otherwise both readings count, save a life under a second, which nobody grants. Nothing said: rely on 0.
 */
function lifetime(
  duration: number | undefined,
  validitySeconds?: number,
): Pick<MintedToken, 'lifetimeMs' | 'longestLifetimeMs'> {
  const asked = validitySeconds === undefined ? undefined : validitySeconds * 1_000;
  if (duration === undefined || duration <= 0)
    return { lifetimeMs: 0, longestLifetimeMs: Math.max(asked ?? 0, DAY_MS) };
  const [asSeconds, asMs] = [duration * 1_000, duration];
  if (asked === asSeconds || asMs < 1_000) return { lifetimeMs: asSeconds, longestLifetimeMs: asSeconds };
  if (asked === asMs) return { lifetimeMs: asMs, longestLifetimeMs: asMs };
  return { lifetimeMs: asMs, longestLifetimeMs: asSeconds };
}

function sessionInfoIn(json: unknown): SessionInfo | undefined {
  const userName = textIn(json, 'userName');
  if (!isObject(json) || userName === undefined) return undefined;
  const userId = textIn(json, 'userGUID');
  const { userName: _name, userGUID: _id, authToken: _token, partialJSessionGUID: _cookie, ...rest } = json;
  const known = Object.entries(rest).filter(([key, value]) => SESSION_INFO_FIELDS.has(key) && value !== null);
  return { userName, ...(userId === undefined ? {} : { userId }), details: Object.fromEntries(known) };
}
