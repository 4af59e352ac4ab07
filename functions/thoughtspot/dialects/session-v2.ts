import type { MintedToken, SessionInfo } from '../../broker/ports.ts';
import { isObject } from '../../contract/shapes.ts';
import { defined, numberIn, textIn } from '../json-fields.ts';
import { codeOf, refusesBearer } from '../rejection.ts';
import type { Reply } from '../transport.ts';
import { DAY_MS, isSuccess, requestsTo, resultIn, tokenIn, type Decoded, type Dialect, type Life } from './dialect.ts';

const NAME = 'session-v2';

/** What the beta's SDK sends by default, the media type as a language included (wire facts 1.2, seen on the wire). */
const request = requestsTo('/api/rest/v2/session', {
  accept: 'application/json',
  'content-type': 'application/json',
  'accept-language': 'application/json',
  'user-agent': 'APIMATIC 3.0',
});

/**
 * The session API of 2021, `/api/rest/v2/session*` (wire facts 1): strings in answers, seconds in requests, JSON `true`
 * from revoketoken, 500 for a refused credential, no org, no kinds of token. gettoken gives the token of the user whose
 * name and password it is sent, and needs a session as well: so the broker can mint for its service account only.
 */
export const sessionV2: Dialect = {
  name: NAME,
  mintsWithSession: true,

  unsupported(grant, credential) {
    if (credential.kind !== 'password')
      return 'session-v2 mints with a user name and a password, not with a secret key';
    if (!grant.serviceAccount || grant.user !== credential.userName)
      return 'session-v2 can mint for the service account of the secret only';
    if (grant.rights.kind !== 'full') return `session-v2 cannot narrow a token to kind ${grant.rights.kind}`;
    if (grant.provisioning !== null) return 'session-v2 cannot provision users';
    return undefined;
  },

  sessionInfo: {
    encode: ({ bearer }) => request('GET', '', bearer),
    decode(reply) {
      const model = resultIn(reply);
      if (isSuccess(reply)) return { value: sessionInfoIn(model), model };
      const refused = refusesBearer(reply) || codeOf(reply, NAME) === 'upstream-credential-refused';
      return { value: refused ? 'not-accepted' : undefined };
    },
  },

  login: {
    encode: ({ userName, password, rememberMe }) =>
      request('POST', '/login', undefined, { userName, password, rememberMe }),
    decode(reply) {
      const model = resultIn(reply);
      if (!isObject(model)) return { value: undefined, model };
      const token = tokenIn(model);
      const duration = numberIn(model, 'tokenExpiryDuration');
      const lifetimeMs = duration === undefined ? undefined : lifetime(duration).longestLifetimeMs;
      return { value: token === undefined ? {} : { token, ...defined({ lifetimeMs }) }, model };
    },
  },

  gettoken: {
    encode({ user, proof, bearer = '', validitySeconds }) {
      const password = 'password' in proof ? proof.password : '';
      return request('POST', '/gettoken', bearer, { userName: user, password, tokenExpiryDuration: validitySeconds });
    },
    decode(reply, { validitySeconds }) {
      const model = resultIn(reply);
      return { value: mintedIn(model, validitySeconds), model };
    },
  },

  logout: { encode: () => request('POST', '/logout'), decode: confirmation },

  revoketoken: {
    encode: ({ bearer }) => request('POST', '/revoketoken', bearer),
    // A bare 500 is "failed or unauthorized" and says nothing of the token; 401, or 500 with the code for it, does.
    decode: (reply) => (refusesBearer(reply) ? { value: 'not-accepted' } : confirmation(reply)),
  },
};

/** Only 200 with JSON `true` confirms. The seed's model takes a JSON string for it too (wire facts 1.4). */
function confirmation(reply: Reply): Decoded<true> {
  const json = resultIn(reply);
  const model = json === 'true' ? true : json === 'false' ? false : json;
  return { value: (reply.status === 200 && json === true) || undefined, model };
}

function mintedIn(json: unknown, validitySeconds: number | undefined): MintedToken | undefined {
  const token = tokenIn(json);
  if (token === undefined) return undefined;
  const created = textIn(json, 'tokenCreatedTime') ?? '';
  return {
    token,
    userName: textIn(json, 'userName') ?? '',
    ...lifetime(numberIn(json, 'tokenExpiryDuration'), validitySeconds),
    // The format is not documented; thirteen digits can only be epoch ms.
    ...(/^\d{13}$/.test(created) ? { createdAt: Number(created) } : {}),
    tokenType: textIn(json, 'tokenType') ?? 'Bearer',
  };
}

/**
 * The unit of tokenExpiryDuration was seconds, then ms, then seconds again (wire facts 2). What equals the request
 * settles it; otherwise both readings count, save a life under a second, which nobody grants. Nothing said: rely on 0.
 */
function lifetime(duration: number | undefined, validitySeconds?: number): Life {
  const asked = validitySeconds === undefined ? undefined : validitySeconds * 1_000;
  if (duration === undefined || duration <= 0)
    return { lifetimeMs: 0, longestLifetimeMs: Math.max(asked ?? 0, DAY_MS) };
  const [asSeconds, asMs] = [duration * 1_000, duration];
  if (asked === asSeconds || asMs < 1_000) return { lifetimeMs: asSeconds, longestLifetimeMs: asSeconds };
  if (asked === asMs) return { lifetimeMs: asMs, longestLifetimeMs: asMs };
  return { lifetimeMs: asMs, longestLifetimeMs: asSeconds };
}

/** What the model knows, without null and without what could be used as a session. */
function sessionInfoIn(json: unknown): SessionInfo | undefined {
  const userName = textIn(json, 'userName');
  if (!isObject(json) || userName === undefined) return undefined;
  const { userName: _name, userGUID: _id, authToken: _token, partialJSessionGUID: _cookie, ...rest } = json;
  const known = Object.entries(rest).filter(([key, value]) => Object.hasOwn(SESSION_INFO, key) && value !== null);
  return { userName, ...defined({ userId: textIn(json, 'userGUID') }), details: Object.fromEntries(known) };
}

/**
 * The answers of the session API as its 2021 beta publishes them. Every field is optional, and optional means absent:
 * null or another type does not fit (wire facts 1.3 and 1.4).
 */

type Guard<T> = (value: unknown) => value is T;
type Model = Readonly<Record<string, Guard<unknown>>>;
type Shape<M extends Model> = { -readonly [Key in keyof M]?: M[Key] extends Guard<infer T> ? T : never };

const text: Guard<string> = (value) => typeof value === 'string';
const number: Guard<number> = (value) => typeof value === 'number';
const boolean: Guard<boolean> = (value) => typeof value === 'boolean';
const texts: Guard<string[]> = (value) => Array.isArray(value) && value.every(text);
const record = (value: unknown): value is Record<string, string> => isObject(value) && Object.values(value).every(text);

function each<T, Name extends string>(guard: Guard<T>, ...names: readonly Name[]): Readonly<Record<Name, Guard<T>>>;
function each(guard: Guard<unknown>, ...names: readonly string[]): Model {
  return Object.fromEntries(names.map((name) => [name, guard]));
}

/** `token` is blank if `tokenType` is a cookie. */
export const SESSION_LOGIN = each(text, 'userName', 'token', 'tokenCreatedTime', 'tokenExpiryDuration', 'tokenType');

export const SESSION_INFO = {
  ...each(text, 'userName', 'userDisplayName', 'userEmail', 'userGUID', 'state', 'locale', 'timezone'),
  ...each(text, 'authToken', 'partialJSessionGUID'),
  ...each(texts, 'privileges'),
  ...each(number, 'userCreatedTime', 'firstLoginDate', 'expirationTime', 'userGroupMask'),
  ...each(boolean, 'canChangePassword', 'isSystemUser', 'isFirstLogin'),
  ...each(record, 'dateFormat', 'timeFormat', 'dateTimeFormat', 'userProperties'),
};

export type SessionLoginResponse = Shape<typeof SESSION_LOGIN>;
export type SessionInfoResponse = Shape<typeof SESSION_INFO>;

/** JSON as the model, without fields that the model does not know or that are undefined; undefined if it does not fit. */
export function readModel<M extends Model>(json: unknown, model: M): Shape<M> | undefined;
export function readModel(json: unknown, model: Model): object | undefined {
  if (!isObject(json)) return undefined;
  const known = Object.entries(json).filter(([key, value]) => Object.hasOwn(model, key) && value !== undefined);
  return known.every(([key, value]) => model[key]?.(value)) ? Object.fromEntries(known) : undefined;
}
