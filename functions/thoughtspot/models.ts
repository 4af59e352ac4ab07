/**
 * The data of the session API as its 2021 beta publishes it. Every field is optional, and optional means absent: null
 * or another type is a fault (wire facts 1.3 and 1.4).
 */

export interface ApiRestV2SessionLoginRequest {
  userName: string;
  password: string;
  rememberMe?: boolean;
}

export interface ApiRestV2SessionGettokenRequest {
  userName: string;
  password: string;
  /** Seconds, as a number; in the answer the field of this name is a string. */
  tokenExpiryDuration?: number;
}

export interface SessionLoginResponse {
  userName?: string;
  /** Blank if tokenType is a cookie. */
  token?: string;
  tokenCreatedTime?: string;
  tokenExpiryDuration?: string;
  tokenType?: string;
}

export interface DateFormat {
  formatPattern?: string;
}

export interface SessionInfoResponse {
  userName?: string;
  userDisplayName?: string;
  userEmail?: string;
  userCreatedTime?: number;
  userGUID?: string;
  canChangePassword?: boolean;
  isSystemUser?: boolean;
  userGroupMask?: number;
  privileges?: string[];
  expirationTime?: number;
  authToken?: string;
  locale?: string;
  timezone?: string;
  dateFormat?: DateFormat;
  timeFormat?: DateFormat;
  dateTimeFormat?: DateFormat;
  partialJSessionGUID?: string;
  isFirstLogin?: boolean;
  firstLoginDate?: number;
  userProperties?: { persona?: string; mail?: string };
  state?: string;
}

/** Names that sessionInfo answers with, but for tokens and cookies, which leave the broker under no name. */
export const SESSION_INFO_FIELDS: ReadonlySet<string> = new Set([
  'userDisplayName',
  'userEmail',
  'userCreatedTime',
  'canChangePassword',
  'isSystemUser',
  'userGroupMask',
  'privileges',
  'expirationTime',
  'locale',
  'timezone',
  'dateFormat',
  'timeFormat',
  'dateTimeFormat',
  'isFirstLogin',
  'firstLoginDate',
  'userProperties',
  'state',
] satisfies (keyof SessionInfoResponse)[]);
