import type { SessionInfoResponse, SessionLoginResponse } from './models.ts';
import { isObject, parseJson } from './reading.ts';
import type { Reply } from './transport.ts';

type Check = 'string' | 'number' | 'boolean' | 'strings' | 'texts';

/** Field by field what the beta's schema accepts. `texts` is an object of optional strings. */
export const LOGIN_MODEL = {
  userName: 'string',
  token: 'string',
  tokenCreatedTime: 'string',
  tokenExpiryDuration: 'string',
  tokenType: 'string',
} as const satisfies Record<keyof SessionLoginResponse, Check>;

export const SESSION_INFO_MODEL = {
  userName: 'string',
  userDisplayName: 'string',
  userEmail: 'string',
  userCreatedTime: 'number',
  userGUID: 'string',
  canChangePassword: 'boolean',
  isSystemUser: 'boolean',
  userGroupMask: 'number',
  privileges: 'strings',
  expirationTime: 'number',
  authToken: 'string',
  locale: 'string',
  timezone: 'string',
  dateFormat: 'texts',
  timeFormat: 'texts',
  dateTimeFormat: 'texts',
  partialJSessionGUID: 'string',
  isFirstLogin: 'boolean',
  firstLoginDate: 'number',
  userProperties: 'texts',
  state: 'string',
} as const satisfies Record<keyof SessionInfoResponse, Check>;

type Model = Readonly<Record<string, Check>>;
type Shape<M extends Model> = {
  -readonly [Key in keyof M]?: {
    string: string;
    number: number;
    boolean: boolean;
    strings: string[];
    texts: Record<string, string>;
  }[M[Key]];
};

/** The body as the model, fields that the model does not know dropped; undefined if it does not fit. */
export function readModel<M extends Model>(reply: Reply, model: M): Shape<M> | undefined {
  const json = parseJson(reply.body);
  if (!isObject(json)) return undefined;
  const known = Object.fromEntries(Object.entries(json).filter(([key]) => Object.hasOwn(model, key)));
  return fits(known, model) ? known : undefined;
}

function fits<M extends Model>(json: Readonly<Record<string, unknown>>, model: M): json is Shape<M> {
  return Object.entries(model).every(([key, check]) => !Object.hasOwn(json, key) || CHECKS[check](json[key]));
}

const CHECKS: Readonly<Record<Check, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  strings: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  texts: (value) => isObject(value) && Object.values(value).every((item) => typeof item === 'string'),
};
