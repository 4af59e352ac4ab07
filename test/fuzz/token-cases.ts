/** Tokens as an issuer, an issuer with faults, or anybody else could make them; most of them nearly right. */
import { createHmac, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { START } from '../support/fake-clock.ts';
import { ISSUER_URL } from '../support/key-server.ts';
import { oddText, oddValue } from './fuzzing.ts';

export const NOW = START / 1_000;
export const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

// --- keys --------------------------------------------------------------------------------------------------------------

const rsa = (bits = 2_048) => generateKeyPairSync('rsa', { modulusLength: bits });
const pairs = { k1: rsa(), k2: rsa(), weak: rsa(1_024), enc: rsa(), ops: rsa(), open: rsa(), pss: rsa(), other: rsa() };
const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const listed = (kid: string, key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), kid, ...more });
/** A set as an issuer may publish it: with keys that do not sign, that are too short, or that everybody knows. */
export const KEY_SET = {
  keys: [
    listed('k1', pairs.k1.publicKey, { alg: 'RS256', use: 'sig' }),
    listed('k2', pairs.k2.publicKey, { key_ops: ['verify'] }),
    listed('weak', pairs.weak.publicKey),
    listed('enc', pairs.enc.publicKey, { use: 'enc' }),
    listed('ops', pairs.ops.publicKey, { key_ops: ['encrypt'] }),
    listed('open', pairs.open.privateKey, { use: 'sig' }),
    listed('pss', pairs.pss.publicKey, { alg: 'PS256', use: 'sig' }),
    listed('ec', elliptic.publicKey, { alg: 'ES256', use: 'sig' }),
    { kty: 'oct', kid: 'oct', k: Buffer.alloc(32).toString('base64url') },
  ],
};

// --- tokens ------------------------------------------------------------------------------------------------------------

const ABSENT = Symbol('absent');
/** In most cases the first. */
const mostly = (right: unknown, ...others: unknown[]) =>
  fc.oneof(
    { weight: 150, arbitrary: fc.constant(right) },
    { weight: 10, arbitrary: fc.constantFrom(...others) },
    { weight: 1, arbitrary: oddValue },
  );
const INFINITE = '\u0001infinite';
const TIMES = [
  ...[-86_401, -3_601, -301, -300, -60, -5, -0.5, 0, 0.5, 1, 4.999, 5, 5.001, 6, 60, 300, 3_540, 86_340].map(
    (s) => NOW + s,
  ),
  ...[NOW * 1_000, String(NOW), null, -1, 0, [], INFINITE, `-${INFINITE}`, true, ABSENT],
];
/** Critical extensions: jose knows "b64", which says whether the claims are in base64url. */
const extensions = mostly(
  {},
  { crit: ['b64'], b64: true },
  { crit: ['b64'], b64: true },
  { crit: ['b64'], b64: false },
  ...[[], ['b64'], ['exp'], 'b64', null].map((crit) => ({ crit })),
  { crit: ['exp'], exp: 1 },
  { b64: false },
) as fc.Arbitrary<object>;
const header = fc.record({
  alg: mostly(
    'RS256',
    'RS512',
    'RS512',
    'RS384',
    'none',
    'None',
    'HS256',
    'ES256',
    'PS256',
    'rs256',
    ['RS256'],
    ABSENT,
  ),
  kid: mostly(
    'k1',
    'k2',
    'k2',
    'weak',
    'enc',
    'ops',
    'open',
    'pss',
    'ec',
    'oct',
    'new',
    '__proto__',
    'K1',
    '',
    null,
    ABSENT,
  ),
  typ: mostly(
    ABSENT,
    'JWT',
    'at+jwt',
    'application/at+jwt',
    'application/jwt',
    'logout+jwt',
    'application/logout+jwt',
    'dpop+jwt',
    'jwt',
    ['at+jwt'],
    1,
    '',
  ),
  jwk: mostly(ABSENT, KEY_SET.keys[0], {}),
  cty: mostly(ABSENT, 'JWT'),
});
const shared = {
  iss: mostly(ISSUER_URL, `${ISSUER_URL}/`, 'https://evil.example', '', [ISSUER_URL], null, ABSENT),
  iat: mostly(NOW - 60, ...TIMES),
  nbf: mostly(ABSENT, ...TIMES),
  jti: mostly('1', 1, '', null, ABSENT),
  sid: mostly('s1', '', 1, ['s1'], null, ABSENT),
  scope: mostly('openid broker:token', 'broker:token broker:revoke', '', ['broker:token'], null, ABSENT),
  typ: mostly(ABSENT, 'Bearer', 'DPoP', 'ID', 'Refresh', 'Logout', null),
  token_use: mostly(ABSENT, 'access', 'id', 'refresh', null),
  nonce: mostly(ABSENT, 'n', '', null),
  constructor: mostly(ABSENT, {}, { constructor: 1 }),
  groups: mostly(['analysts'], [], { __proto__: { a: 1 } }, 'viewer'),
};
const accessClaims = fc.record({
  ...shared,
  sub: mostly('user-alice', '', 'user-bob', 1, null, ['user-alice'], ABSENT),
  aud: mostly('broker', ['broker', 'x'], ['x', 'broker-2'], 'app', [], 'x', ['broker', 1], null, ABSENT, ABSENT),
  client_id: mostly(ABSENT, 'broker', 'x', ['broker'], null),
  exp: mostly(NOW + 300, ...TIMES),
  events: mostly(ABSENT, {}, { [EVENT]: {} }, null),
  at_hash: mostly(ABSENT, 'x', null),
  c_hash: mostly(ABSENT, 'x'),
  scp: mostly(ABSENT, ['broker:token'], 'broker:revoke', 1),
});
const logoutClaims = fc.record({
  ...shared,
  sub: mostly('user-alice', '', 1, null, ...Array<symbol>(6).fill(ABSENT)),
  sid: mostly('s1', '', 1, ['s1'], null, ...Array<symbol>(6).fill(ABSENT)),
  aud: mostly('app', ['x', 'app', 'other'], 'other', 'broker', [], ['app', 1], null, ABSENT),
  exp: mostly(NOW + 120, ...TIMES),
  events: mostly(
    { [EVENT]: {} },
    ABSENT,
    {},
    null,
    [],
    EVENT,
    { [EVENT]: [] },
    { [EVENT]: { x: 1 } },
    { [EVENT]: null },
    { x: {} },
  ),
});

/** One key that signs, and others: a token need not say which. */
export const SHORT_KEY_SET = {
  keys: KEY_SET.keys.filter(({ kid }) => ['k1', 'enc', 'pss', 'ec', 'oct'].includes(kid)),
};

/** What happens to the bytes of a header or of claims before they are signed: by an issuer with a fault of its own. */
type Spoil = (text: string, at: number) => Buffer;
const inserted =
  (bytes: readonly number[]): Spoil =>
  (text, at) => {
    const whole = Buffer.from(text);
    const where = at % (whole.length + 1);
    return Buffer.concat([whole.subarray(0, where), Buffer.from(bytes), whole.subarray(where)]);
  };
const SPOILS: readonly Spoil[] = [
  (text) => Buffer.from(`\ufeff${text}`),
  (text) => Buffer.from(` ${text}\n`),
  (text) => Buffer.from(`${text}\0`),
  (text) => Buffer.from(`[${text}]`),
  (text) => Buffer.from(text, 'utf16le'),
  (text, at) => Buffer.from(text.slice(0, at % text.length)),
  (text) => Buffer.from(text.replace('{', '{"iss":"https://evil.example","kid":"other","alg":"none","exp":1,')),
  (text) => Buffer.from(text.replace(/\}$/, ',"sub":"user-bob","aud":"broker","kid":"k2","crit":["x"]}')),
  (text) => Buffer.from(text.replace(/\}$/, ',"__proto__":{"sub":"user-bob"},"x":{"__proto__":1,"constructor":2}}')),
  inserted([0xff]),
  inserted([0xc0, 0xae]),
  inserted([0xed, 0xa0, 0x80]),
  inserted([0xc3]),
  inserted([0x0b]),
];
/** What happens to a part of a token in its written form, or to the whole: before it is signed, or by anybody after that. */
const FORMS: readonly ((part: string) => string)[] = [
  (part) => `${part}=`,
  (part) => `${part}==`,
  (part) => `${part}===`,
  (part) => part.padEnd(Math.ceil(part.length / 4) * 4, '='),
  (part) => `${part}A`,
  (part) => `${part}AA`,
  (part) => part.slice(0, -1),
  (part) => `${part.slice(0, -1)}${part.endsWith('A') ? 'B' : 'A'}`,
  (part) => part.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1)),
  (part) => `${part.slice(0, 9)} \n${part.slice(9)}`,
  (part) => `${part}\n`,
  (part) => part.replaceAll('-', '+').replaceAll('_', '/'),
  (part) => part.toLowerCase(),
  () => '',
];
const WHOLES: readonly ((token: string) => string)[] = [
  (token) => `${token}.`,
  (token) => `${token}.AA`,
  (token) => `.${token}`,
  (token) => ` ${token}`,
  (token) => `${token}\n`,
  (token) => `Bearer ${token}`,
  (token) => token.replace('.', '..'),
  (token) => token.replace(/\.[^.]*$/, ''),
  (token) => token.replace(/[^.]*$/, ''),
];

interface Made {
  readonly head: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  readonly signer: string;
  readonly spoilt: readonly (readonly [part: 0 | 1, spoil: Spoil, at: number])[];
  readonly written: readonly (readonly [when: 'before' | 'after', part: 0 | 1 | 2, form: (part: string) => string])[];
  readonly whole: (token: string) => string;
}
const seldom = <T>(one: fc.Arbitrary<T>) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(one, { minLength: 1, maxLength: 2 }) },
  );
const madeOf = (claims: fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<Made> =>
  fc.record({
    head: fc.tuple(header, extensions).map((both) => Object.assign({}, ...both) as Record<string, unknown>),
    claims,
    signer: mostly('as it says', 'other', 'secret', 'nobody') as fc.Arbitrary<string>,
    spoilt: seldom(fc.tuple(fc.constantFrom(0 as const, 1 as const), fc.constantFrom(...SPOILS), fc.nat(400))),
    written: seldom(
      fc.tuple(
        fc.constantFrom('before' as const, 'after' as const),
        fc.constantFrom(0 as const, 1 as const, 2 as const),
        fc.constantFrom(...FORMS),
      ),
    ),
    whole: fc.oneof(
      { weight: 20, arbitrary: fc.constant((token: string) => token) },
      { weight: 1, arbitrary: fc.constantFrom(...WHOLES) },
    ),
  });

const json = (members: Record<string, unknown>) =>
  JSON.stringify(Object.fromEntries(Object.entries(members).filter(([, value]) => value !== ABSENT)))
    .replaceAll(`"${INFINITE.replace('\u0001', '\\u0001')}"`, '1e999')
    .replaceAll(`"-${INFINITE.replace('\u0001', '\\u0001')}"`, '-1e999');

function tokenOf({ head, claims, signer, spoilt, written, whole }: Made): string {
  const parts = [json(head), json(claims)].map((text, index) => {
    const [, spoil, at = 0] = spoilt.find(([part]) => part === index) ?? [];
    return (spoil?.(text, at) ?? Buffer.from(text)).toString('base64url');
  });
  const write = (moment: 'before' | 'after') => {
    for (const [when, part, form] of written)
      if (when === moment && part < parts.length) parts[part] = form(parts[part] ?? '');
  };
  write('before');
  parts.push(signatureOf(parts.join('.'), head, signer));
  write('after');
  return whole(parts.join('.'));
}

function signatureOf(input: string, { alg, kid }: Record<string, unknown>, signer: string): string {
  if (signer === 'nobody' || alg === 'none') return '';
  if (signer === 'secret') {
    const pem = pairs.k1.publicKey.export({ format: 'pem', type: 'spki' });
    return createHmac('sha256', pem).update(input).digest('base64url');
  }
  const name = signer === 'other' ? signer : kid;
  const { privateKey } = Object.entries(pairs).find(([each]) => each === name)?.[1] ?? pairs.k1;
  const hash = /^RS(384|512)$/.exec(typeof alg === 'string' ? alg : '')?.[1] ?? '256';
  return createSign(`RSA-SHA${hash}`).update(input).sign(privateKey).toString('base64url');
}

const sentOf = (claims: fc.Arbitrary<Record<string, unknown>>) =>
  fc.oneof({ weight: 40, arbitrary: madeOf(claims).map(tokenOf) }, { weight: 1, arbitrary: oddText });
export const accessToken = sentOf(accessClaims);
export const logoutToken = sentOf(logoutClaims);
