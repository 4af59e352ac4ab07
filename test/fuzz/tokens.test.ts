/** Access tokens and logout tokens, against `jose` and against lists of what we demand beyond it. */
import fc from 'fast-check';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { Failure } from '../../functions/broker/failure.ts';
import { makeIdentity } from '../../functions/identity/identity.ts';
import type { IssuerSettings } from '../../functions/identity/issuers.ts';
import { makeFakeClock, START } from '../support/fake-clock.ts';
import { ISSUER_URL, JWKS_URI, makeKeyServer } from '../support/key-server.ts';
import { recordTelemetry } from '../support/telemetry-record.ts';
import { type Count, fuzz } from './fuzzing.ts';
import { accessToken, EVENT, KEY_SET, logoutToken, NOW, SHORT_KEY_SET } from './token-cases.ts';

// --- two brokers, and jose with the same keys ---------------------------------------------------------------------------

const FIRST: IssuerSettings = {
  url: ISSUER_URL,
  audiences: ['broker', 'broker-2'],
  scopes: { token: 'broker:token', revoke: 'broker:revoke' },
  algorithms: ['RS256', 'RS512'],
  jwksUri: JWKS_URI,
  sessionClaim: 'sid',
  logoutClients: ['other', 'app', 'broker'],
};
const { sessionClaim: _, ...withoutSessions } = FIRST;
const SECOND = { ...withoutSessions, longestTokenSeconds: 3_600, refuseNonce: true, logoutType: 'JWT' } as const;

function brokerOf(issuer: IssuerSettings, keySet: typeof KEY_SET) {
  const server = makeKeyServer();
  server.answers.set(JWKS_URI, keySet);
  const { telemetry } = recordTelemetry();
  const identity = makeIdentity({ ...telemetry, issuers: [issuer], clock: makeFakeClock(), readJson: server.readJson });
  return { issuer, keys: createLocalJWKSet(keySet), ...identity };
}
type Broker = ReturnType<typeof brokerOf>;
const brokers = [brokerOf(FIRST, KEY_SET), brokerOf({ ...SECOND, algorithms: ['RS256'] }, SHORT_KEY_SET)] as const;
const broker = fc.constantFrom(...brokers);

// --- what jose says ----------------------------------------------------------------------------------------------------

interface Seen {
  readonly token: string;
  readonly head: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly issuer: IssuerSettings;
}

/** What jose takes for good; undefined for what it refuses. Its one tolerance is for `nbf`: what it means for `exp` is a rule. */
async function joseOn(token: string, { issuer, keys }: Broker, audience: readonly string[]): Promise<Seen | undefined> {
  const fixed = {
    issuer: issuer.url,
    algorithms: [...issuer.algorithms],
    currentDate: new Date(START),
    clockTolerance: 5,
  };
  const verified = await jwtVerify(token, keys, { ...fixed, audience: [...audience] }).catch(async (error: unknown) => {
    // A key that is too short is a TypeError to jose.
    if (!(error instanceof errors.JOSEError) && !(error instanceof TypeError)) throw error;
    // Without `aud` we let `client_id` count, as Cognito has it.
    const hasNone =
      error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud' && error.reason === 'missing';
    if (!hasNone || audience !== issuer.audiences) return undefined;
    const free = await jwtVerify(token, keys, fixed).catch(() => undefined);
    return issuer.audiences.some((ours) => ours === free?.payload['client_id']) ? free : undefined;
  });
  return verified && { token, head: { ...verified.protectedHeader }, claims: { ...verified.payload }, issuer };
}

// --- what we demand beyond it ------------------------------------------------------------------------------------------

type Rule = readonly [name: string, refuses: (seen: Seen) => boolean];
const finite = (value: unknown) => typeof value === 'number' && Math.abs(value) < Infinity;
const time = (value: unknown) => (typeof value === 'number' ? value : NaN);
const dictionary = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const present = (value: unknown) => value !== undefined;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Whether base64url is written in the one way that RFC 4648, 3.5, allows everybody to demand. */
function isPlain(part: string): boolean {
  const rest = part.length % 4;
  const last = ALPHABET.indexOf(part.at(-1) ?? '');
  return /^[A-Za-z0-9_-]+$/.test(part) && (rest === 0 || last % (rest === 2 ? 16 : 4) === 0);
}
/** Whether a part of the token begins with a byte order mark, which JSON must not have (RFC 8259, 8.1). */
const marked = ({ token }: Seen) =>
  token
    .split('.')
    .slice(0, 2)
    .some((part) => /^\s*7\s*7\s*u\s*[/_]/.test(part));

const ANY_TOKEN: readonly Rule[] = [
  [
    'base64url with padding, white space or bits after its end (RFC 7515, 2)',
    ({ token }) => !token.split('.').every(isPlain),
  ],
  ['a byte order mark', marked],
  ['no key id', ({ head }) => typeof head['kid'] !== 'string'],
  ['critical extensions, b64 too', ({ head }) => present(head['crit'])],
  ['no iat', ({ claims }) => !present(claims['iat'])],
  ['an iat more than 5 s ahead', ({ claims }) => time(claims['iat']) > NOW + 5],
  [
    'a claim of another type',
    ({ claims }) =>
      ['iat', 'exp', 'nbf'].some((name) => present(claims[name]) && !finite(claims[name])) ||
      ['sub', 'scope', 'jti'].some((name) => present(claims[name]) && typeof claims[name] !== 'string') ||
      [claims['aud'] ?? ''].flat().some((one) => typeof one !== 'string'),
  ],
];
const OF_ACCESS_TOKENS: readonly Rule[] = [
  ...ANY_TOKEN,
  ['no exp', ({ claims }) => !present(claims['exp'])],
  ['an exp that is over, without a tolerance', ({ claims }) => time(claims['exp']) <= NOW],
  ['an exp before its iat', ({ claims }) => time(claims['exp']) < time(claims['iat'])],
  [
    'a longer life than its issuer gives',
    ({ claims, issuer }) => time(claims['exp']) - time(claims['iat']) > (issuer.longestTokenSeconds ?? 86_400),
  ],
  [
    'another type in its header',
    ({ head: { typ = 'jwt' } }) =>
      !['jwt', 'at+jwt', 'application/at+jwt'].includes(typeof typ === 'string' ? typ.toLowerCase() : ''),
  ],
  ['events', ({ claims }) => present(claims['events'])],
  ['the marks of an ID token', ({ claims }) => present(claims['at_hash']) || present(claims['c_hash'])],
  ['another use', ({ claims }) => (claims['token_use'] ?? 'access') !== 'access'],
  ['another typ', ({ claims: { typ = 'Bearer' } }) => typ !== 'Bearer' && typ !== 'DPoP'],
  [
    'a nonce, where its issuer has none',
    ({ claims, issuer }) => issuer.refuseNonce === true && present(claims['nonce']),
  ],
  ['no subject', ({ claims: { sub = '' } }) => sub === ''],
];
/** OpenID Connect Back-Channel Logout 1.0, section by section, besides what jose verifies. */
const SPECIFICATION: readonly Rule[] = [
  ['2.4: no iat', ({ claims }) => !present(claims['iat'])],
  ['2.4: a jti that is no text', ({ claims }) => present(claims['jti']) && typeof claims['jti'] !== 'string'],
  [
    '2.4: no events, or not this one',
    ({ claims: { events } }) => !dictionary(events) || !dictionary((events as Record<string, unknown>)[EVENT]),
  ],
  ['2.4, 2.6.6: a nonce', ({ claims }) => present(claims['nonce'])],
  ['2.6.4: neither sub nor sid', ({ claims: { sub, sid } }) => !present(sub) && !present(sid)],
  ['2.6.3: an exp that is over', ({ claims }) => time(claims['exp']) <= NOW],
];
/** What the specification demands and we do not: what a token without them ends is bounded by the age of its iat. */
const NOT_DEMANDED: readonly Rule[] = [
  ['2.4: no exp', ({ claims }) => !present(claims['exp'])],
  ['2.4: no jti', ({ claims }) => !present(claims['jti'])],
];
const OF_LOGOUT_TOKENS: readonly Rule[] = [
  ...SPECIFICATION,
  ...ANY_TOKEN,
  ['an iat more than 300 s back', ({ claims }) => time(claims['iat']) < NOW - 300],
  [
    'another type in its header',
    ({ head: { typ = 'logout+jwt' }, issuer }) =>
      typ !== issuer.logoutType &&
      !['logout+jwt', 'application/logout+jwt'].includes(typeof typ === 'string' ? typ.toLowerCase() : ''),
  ],
  ['another use', ({ claims }) => present(claims['token_use']) || claims['typ'] === 'ID'],
  [
    'a sub or sid that is no text, or empty',
    ({ claims }) =>
      ['sub', 'sid'].some(
        (name) => present(claims[name]) && !(typeof claims[name] === 'string' && claims[name] !== ''),
      ),
  ],
  [
    'a sid that no claim of access tokens stands for',
    ({ claims: { sub }, issuer }) => !present(sub) && !issuer.sessionClaim,
  ],
];

// --- ours --------------------------------------------------------------------------------------------------------------

/** What was read, or undefined where the token is refused as one that is refused. */
async function ours<T>(read: Promise<T>): Promise<T | undefined> {
  return read.catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error;
    expect(['invalid-token', 'not-entitled']).toContain(error.code);
    expect(error.cause).toBeUndefined();
    return undefined;
  });
}

/** Without the names that objects have anyway, at any depth: nobody can look for a claim by them. */
const pruned = (claims: unknown): unknown =>
  JSON.parse(JSON.stringify(claims), (_name, value: unknown) =>
    dictionary(value)
      ? Object.fromEntries(
          Object.entries(value as object).filter(([name]) => name !== '__proto__' && name !== 'constructor'),
        )
      : value,
  ) as unknown;

/** Compares with jose, and with the rules that hold of what it takes for good. */
function judged(token: string, seen: Seen | undefined, rules: readonly Rule[], accepted: boolean, count: Count): void {
  const broken =
    seen === undefined ? ['jose refuses it'] : rules.filter(([, refuses]) => refuses(seen)).map(([name]) => name);
  if (accepted !== (broken.length === 0))
    throw new Error(`${accepted ? 'taken' : 'refused'}, though: ${broken.join('; ') || 'nothing is wrong'}\n${token}`);
  count(seen === undefined ? 'refused by both' : accepted ? 'taken by both' : 'refused by a rule of ours');
}

async function judgeAccessToken(token: string, broker: Broker, count: Count): Promise<Seen | undefined> {
  const { issuer, identify, loggedOut } = broker;
  const [seen, caller] = [await joseOn(token, broker, issuer.audiences), await ours(identify(token, undefined))];
  judged(token, seen, OF_ACCESS_TOKENS, caller !== undefined, count);
  if (seen === undefined || caller === undefined) return seen;
  const { sub, iat, exp, scope, scp, sid } = seen.claims;
  expect(caller.claims).toEqual(pruned(seen.claims));
  expect([caller.issuer, caller.subject]).toEqual([ISSUER_URL, sub]);
  expect([caller.issuedAt, caller.expiresAt]).toEqual([time(iat) * 1_000, time(exp) * 1_000]);
  const held = JSON.stringify(
    (typeof scope === 'string' ? scope.split(' ') : undefined) ??
      (typeof scp === 'string' ? scp.split(' ') : scp) ??
      [],
  );
  expect(caller.scopes).toEqual(['token', 'revoke'].filter((name) => held.includes(`"broker:${name}"`)));
  expect(caller.session).toBe(issuer.sessionClaim === 'sid' && typeof sid === 'string' && sid !== '' ? sid : undefined);
  expect(await ours(loggedOut(token, undefined))).toBeUndefined();
  return seen;
}

async function judgeLogoutToken(token: string, broker: Broker, count: Count): Promise<Seen | undefined> {
  const { issuer, identify, loggedOut } = broker;
  const { logoutClients = [], sessionClaim } = issuer;
  const [seen, logout] = [await joseOn(token, broker, logoutClients), await ours(loggedOut(token, undefined))];
  judged(token, seen, OF_LOGOUT_TOKENS, logout !== undefined, count);
  if (seen === undefined || logout === undefined) return seen;
  for (const [name, isSo] of NOT_DEMANDED) if (isSo(seen)) count(`taken with ${name}`);
  const { aud, iat, sub, sid } = seen.claims;
  const who =
    present(sid) && sessionClaim !== undefined
      ? { kind: 'session', issuer: ISSUER_URL, session: sid }
      : { kind: 'subject', issuer: ISSUER_URL, subject: sub };
  const client = logoutClients.find((ours) => [aud].flat().includes(ours));
  expect(logout).toEqual({ client, at: time(iat) * 1_000, scope: who });
  expect(await ours(identify(token, undefined))).toBeUndefined();
  return seen;
}

fuzz(
  'an access token is taken if jose takes it and none of our rules refuses it, and says the same to both',
  'access tokens',
  (count) =>
    fc.asyncProperty(accessToken, broker, async (token, of) => void (await judgeAccessToken(token, of, count))),
);

fuzz(
  'a logout token is taken if jose takes it and neither its specification nor a rule of ours refuses it',
  'logout tokens',
  (count) =>
    fc.asyncProperty(logoutToken, broker, async (token, of) => void (await judgeLogoutToken(token, of, count))),
);

describe('the tokens that are made up', () => {
  const kinds = {
    access: [accessToken, OF_ACCESS_TOKENS, judgeAccessToken],
    logout: [logoutToken, [...OF_LOGOUT_TOKENS, ...NOT_DEMANDED], judgeLogoutToken],
  } as const;
  test.each(['access', 'logout'] as const)('break every rule for %s tokens', async (kind) => {
    const [made, rules, judge] = kinds[kind];
    const seen: Seen[] = [];
    for (const [token, of] of fc.sample(fc.tuple(made, broker), { numRuns: 2_500, seed: 7 })) {
      const one = await judge(token, of, () => {});
      if (one !== undefined) seen.push(one);
    }
    const missed = rules.filter(([, refuses]) => !seen.some(refuses)).map(([name]) => name);
    expect(missed).toEqual([]);
  });
});
