import { Failure } from '../../../functions/broker/failure.ts';
import { makeIdentity } from '../../../functions/identity/identity.ts';
import type { IssuerSettings } from '../../../functions/identity/issuers.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { ISSUER_URL, makeKeyServer } from '../../support/key-server.ts';
import { makeSigningKeys } from '../../support/signing.ts';
import { recordTelemetry } from '../../support/telemetry-record.ts';

const NOW = START / 1_000;
const ISSUER: IssuerSettings = {
  url: ISSUER_URL,
  audiences: ['broker', 'broker-v2'],
  scopes: { token: 'broker:token', revoke: 'broker:revoke' },
  algorithms: ['RS256'],
};
const PARTNER_URL = 'https://partner.example/';
const PARTNER = { ...ISSUER, name: 'partner', url: PARTNER_URL, jwksUri: `${PARTNER_URL}keys` };
const TIMES = { iat: NOW - 60, exp: NOW + 300 };
const CLAIMS = { iss: ISSUER_URL, sub: 'user-alice', aud: 'broker', ...TIMES, scope: 'openid broker:token' };

const keys = makeSigningKeys('k1');
const partnerKeys = makeSigningKeys('k1');

function identity(change: Partial<IssuerSettings> = {}) {
  const { telemetry } = recordTelemetry();
  const server = makeKeyServer(keys);
  server.answers.set(PARTNER.jwksUri, { keys: [partnerKeys.jwk] });
  const issuers = [{ ...ISSUER, ...change }, PARTNER];
  const made = makeIdentity({ ...telemetry, issuers, clock: makeFakeClock(), readJson: server.readJson });
  return { ...made, server };
}

interface Sent {
  readonly claims?: Record<string, unknown>;
  readonly header?: object;
  readonly settings?: Partial<IssuerSettings>;
  readonly jwt?: string;
}

const callerOf = ({ claims = {}, header, settings, jwt }: Sent = {}) =>
  identity(settings).identify(jwt ?? keys.sign({ ...CLAIMS, ...claims }, header), undefined);

/** `code: reason`, as operators read it. */
async function refusalOf(sent: Sent): Promise<string> {
  const error: unknown = await callerOf(sent).then(
    () => 'a caller',
    (thrown: unknown) => thrown,
  );
  return error instanceof Failure ? error.message : String(error);
}

const HEADER = '{"alg":"RS256","kid":"k1"}';
const NO_JWT = 'it is no JWT, or a claim has the wrong type';
const part = (text: string) => Buffer.from(text).toString('base64url');

const latin = (text: string, ...[from, to]: [string, string]) => Buffer.from(text.replace(from, to), 'latin1');
const respelt = (jwt: string) => jwt.replace(/.$/, (last) => ({ A: 'B', Q: 'R', g: 'h', w: 'x' })[last] ?? last);

describe('who calls', () => {
  test('is read typed from the token that was verified', async () => {
    const { claims, ...caller } = await callerOf({ claims: { groups: ['analysts'], level: 3 } });
    expect(caller).toEqual({
      issuer: ISSUER_URL,
      subject: 'user-alice',
      issuedAt: (NOW - 60) * 1_000,
      expiresAt: (NOW + 300) * 1_000,
      scopes: ['token'],
    });
    expect(claims).toMatchObject({ groups: ['analysts'], level: 3 });
  });

  test.each<[string, Sent, string | undefined]>([
    ['where the issuer names the claim', { claims: { sid: 's1' }, settings: { sessionClaim: 'sid' } }, 's1'],
    ['by a namespaced claim', { claims: { 'https://x/sid': 's2' }, settings: { sessionClaim: 'https://x/sid' } }, 's2'],
    ['not without the setting', { claims: { sid: 's1', undefined: 's1' } }, undefined],
    ['not where the claim is no text', { claims: { sid: 7 }, settings: { sessionClaim: 'sid' } }, undefined],
    ['not where the claim is empty', { claims: { sid: '' }, settings: { sessionClaim: 'sid' } }, undefined],
    ['not by what every object has', { settings: { sessionClaim: 'constructor' } }, undefined],
  ])('has a session %s', async (_name, sent, session) => {
    expect((await callerOf(sent)).session).toBe(session);
  });

  test.each([
    ['two groups', ['viewer', 'admin']],
    ['one group that reads like two', ['viewer] [admin']],
    ['one group with a space', ['viewer admin']],
  ])('keeps %s apart from what looks the same flattened', async (_name, groups) => {
    expect((await callerOf({ claims: { groups } })).claims['groups']).toEqual(groups);
  });

  test.each<[string, Sent]>([
    ['one of several audiences', { claims: { aud: ['other', 'broker-v2'] } }],
    ['client_id, without aud', { claims: { aud: undefined, client_id: 'broker' } }],
    ['one second left', { claims: { exp: NOW + 1 } }],
    ['begins this second', { claims: { nbf: NOW } }],
    ['begins a moment later by our clock', { claims: { nbf: NOW + 5 } }],
    ['no type', { header: { typ: undefined } }],
    ['type JWT', { header: { typ: 'JWT' } }],
    ['type application/at+jwt', { header: { typ: 'application/at+JWT' } }],
    ['a nonce, as older Keycloak puts into access tokens', { claims: { nonce: 'n' } }],
    ['token_use of an access token', { claims: { token_use: 'access' } }],
    ["Keycloak's word for an access token", { claims: { typ: 'Bearer' } }],
    ['an end between two seconds', { claims: { exp: NOW + 0.5 } }],
    ['a begin between two seconds', { claims: { nbf: NOW + 4.999 } }],
    ['an end at its iat', { claims: { iat: NOW + 2, exp: NOW + 2 } }],
    ['a life of a day', { claims: { iat: NOW, exp: NOW + 86_400 } }],
    ['no nonce, where access tokens have none', { settings: { refuseNonce: true } }],
    ['one of several algorithms', { settings: { algorithms: ['RS512', 'RS256'] } }],
    ["an iat by the issuer's clock, which is a moment ahead", { claims: { iat: NOW + 5 } }],
  ])('may have a token with %s', async (_name, sent) => {
    expect(await refusalOf(sent)).toBe('a caller');
  });

  test.each<[string, Sent, string]>([
    ['no text', { jwt: '' }, 'it is no JWT, or a claim has the wrong type'],
    ['no JWT', { jwt: 'opaque' }, 'it is no JWT, or a claim has the wrong type'],
    ['five parts', { jwt: 'a.b.c.d.e' }, 'it is no JWT, or a claim has the wrong type'],
    [
      'two tokens',
      { jwt: `${keys.sign(CLAIMS)},Bearer ${keys.sign(CLAIMS)}` },
      'it is no JWT, or a claim has the wrong type',
    ],
    [
      'a payload that is no JSON',
      { jwt: `${part('{}')}.${part('x')}.c2ln` },
      'it is no JWT, or a claim has the wrong type',
    ],
    [
      'a payload that is a list',
      { jwt: `${part('{}')}.${part('[]')}.c2ln` },
      'it is no JWT, or a claim has the wrong type',
    ],
    ['a scope that is a list', { claims: { scope: ['broker:token'] } }, 'it is no JWT, or a claim has the wrong type'],
    ['an algorithm of no key', { header: { alg: 'none' } }, 'its algorithm is not one of its issuer'],
    ['no algorithm', { header: { alg: undefined } }, 'its algorithm is not one of its issuer'],
    ['another algorithm of the same key', { header: { alg: 'RS512' } }, 'its algorithm is not one of its issuer'],
    [
      'an algorithm that its key excludes',
      { header: { alg: 'RS512' }, settings: { algorithms: ['RS512'] } },
      'its key is not for its algorithm',
    ],
    ['no iat', { claims: { iat: undefined } }, 'it does not say when it was issued'],
    ['an iat in milliseconds', { claims: { iat: NOW * 1_000 } }, 'it is of the future'],
    [
      'an iat in a while, which a sign-out until then would not cover',
      { claims: { iat: NOW + 6 } },
      'it is of the future',
    ],
    ['an end before its iat', { claims: { iat: NOW + 2, exp: NOW + 1 } }, 'it ended before it was issued'],
    ...['iat', 'exp', 'nbf', 'aud', 'sub', 'scope', 'iss'].map((name): [string, Sent, string] => [
      `null for its ${name}`,
      { claims: { [name]: null } },
      NO_JWT,
    ]),
    ...['iat', 'exp', 'nbf'].flatMap((name): [string, Sent, string][] => [
      [`a text for its ${name}`, { claims: { [name]: String(NOW) } }, NO_JWT],
      // Of two members of one name the last counts.
      [
        `no number for its ${name}`,
        { jwt: keys.signTexts(HEADER, `${JSON.stringify(CLAIMS).slice(0, -1)},\"${name}\":1e999}`) },
        NO_JWT,
      ],
    ]),
    ['lists for issuer and subject', { claims: { iss: [ISSUER_URL], sub: ['user-alice'] } }, NO_JWT],
    ['a number among its audiences', { claims: { aud: [1, 'broker'] } }, NO_JWT],
    ['audiences in one text', { claims: { aud: 'other broker' } }, 'it is for another audience'],
    [
      'a list of clients, without aud',
      { claims: { aud: undefined, client_id: ['broker'] } },
      'it is for another audience',
    ],
    ['another token in it', { jwt: keys.signTexts(HEADER.replace('{', '{"cty":"JWT",'), keys.sign(CLAIMS)) }, NO_JWT],
    ['a line break in it', { jwt: keys.sign(CLAIMS).replace('.', '.\n') }, NO_JWT],
    ['no signature', { jwt: keys.sign(CLAIMS).replace(/[^.]+$/, '') }, NO_JWT],
    ['padding after its signature', { jwt: `${keys.sign(CLAIMS)}==` }, NO_JWT],
    ['padding that base64 would not have', { jwt: `${keys.sign(CLAIMS)}=` }, NO_JWT],
    ['padding that was signed', { jwt: keys.signTexts(`${HEADER} `, `${JSON.stringify(CLAIMS)} `, true) }, NO_JWT],
    // 256 bytes leave four bits of the last character without a meaning.
    ['a second spelling of its signature', { jwt: respelt(keys.sign(CLAIMS)) }, NO_JWT],
    [
      'a header that is no UTF-8',
      { jwt: keys.signTexts(latin(HEADER, '}', ',"x":"\xff"}'), JSON.stringify(CLAIMS)) },
      NO_JWT,
    ],
    [
      'a subject that is no UTF-8',
      { jwt: keys.signTexts(HEADER, latin(JSON.stringify(CLAIMS), 'alice', 'alic\xe9')) },
      NO_JWT,
    ],
    ['more after its signature', { jwt: `${keys.sign(CLAIMS)}AAAA` }, 'its signature is wrong'],
    ...[1, null, ['k1'], { k1: true }].map((kid): [string, Sent, string] => [
      `${JSON.stringify(kid)} for a key id`,
      { header: { kid } },
      NO_JWT,
    ]),
    ['the id of what every object has', { header: { kid: '__proto__' } }, 'its issuer has no such key'],
    ['no critical extensions, but the word', { header: { crit: [] } }, 'it has critical extensions'],
    [
      'two algorithms, of which the last is none',
      { jwt: keys.signTexts('{"alg":"RS256","kid":"k1","alg":"none"}', JSON.stringify(CLAIMS)) },
      'its algorithm is not one of its issuer',
    ],
    ['a life of more than a day', { claims: { iat: NOW, exp: NOW + 86_401 } }, 'it lives longer than 86400 s'],
    [
      'a longer life than its issuer gives',
      { claims: { iat: NOW, exp: NOW + 301 }, settings: { longestTokenSeconds: 300 } },
      'it lives longer than 300 s',
    ],
    ['critical extensions', { header: { crit: ['b64'], b64: false } }, 'it has critical extensions'],
    ['another issuer', { claims: { iss: 'https://evil.example/' } }, 'it is of another issuer'],
    ['a slash more in its issuer', { claims: { iss: `${ISSUER_URL}/` } }, 'it is of another issuer'],
    ['no issuer', { claims: { iss: undefined } }, 'it is of another issuer'],
    ['another audience', { claims: { aud: 'other' } }, 'it is for another audience'],
    [
      'another audience, and our client_id',
      { claims: { aud: 'other', client_id: 'broker' } },
      'it is for another audience',
    ],
    [
      'an empty list of audiences, and our client_id',
      { claims: { aud: [], client_id: 'broker' } },
      'it is for another audience',
    ],
    ['neither audience nor client', { claims: { aud: undefined } }, 'it is for another audience'],
    ['an end at this second', { claims: { exp: NOW } }, 'it has expired, or never does'],
    ['no end', { claims: { exp: undefined } }, 'it has expired, or never does'],
    ['a begin in a while', { claims: { nbf: NOW + 6 } }, 'it is not valid yet'],
    ['the type of a logout token', { header: { typ: 'logout+jwt' } }, 'its type is not that of an access token'],
    ['the type of a proof of possession', { header: { typ: 'dpop+jwt' } }, 'its type is not that of an access token'],
    ['a type that is a list', { header: { typ: ['JWT'] } }, 'its type is not that of an access token'],
    ['a type that is no text', { header: { typ: ['JWT', 'x'] } }, 'its type is not that of an access token'],
    ['events, as a logout token has', { claims: { events: {} } }, 'it is a logout token'],
    ['token_use id', { claims: { token_use: 'id' } }, 'it is an ID token'],
    ['typ ID among its claims', { claims: { typ: 'ID' } }, 'it is an ID token'],
    ['the hash of an access token, as ID tokens of Okta have', { claims: { at_hash: 'x' } }, 'it is an ID token'],
    ['the hash of a code, as ID tokens of the hybrid flow have', { claims: { c_hash: null } }, 'it is an ID token'],
    ...['Refresh', 'Offline', 'Logout', 'RegistrationAccessToken', ''].map((typ): [string, Sent, string] => [
      `typ ${typ} among its claims, as other tokens of Keycloak have`,
      { claims: { typ } },
      'it is no access token',
    ]),
    ['token_use refresh', { claims: { token_use: 'refresh' } }, 'it is no access token'],
    ['token_use of another type', { claims: { token_use: ['access'] } }, 'it is no access token'],
    ['the type of a security event', { header: { typ: 'secevent+jwt' } }, 'its type is not that of an access token'],
    [
      'the type of a signed answer of userinfo',
      { header: { typ: 'application/jwt;x' } },
      'its type is not that of an access token',
    ],
    ['an end before 1970', { claims: { exp: -1 } }, 'it has expired, or never does'],
    ['an audience within a list', { claims: { aud: [['broker']] } }, 'it is no JWT, or a claim has the wrong type'],
    ['an audience that only looks alike', { claims: { aud: 'Broker' } }, 'it is for another audience'],
    ['an algorithm in other letters', { header: { alg: 'rs256' } }, 'its algorithm is not one of its issuer'],
    ['an algorithm of elliptic curves', { header: { alg: 'ES256' } }, 'its algorithm is not one of its issuer'],
    ['an algorithm that is no text', { header: { alg: ['RS256'] } }, 'it is no JWT, or a claim has the wrong type'],
    [
      'a key of its own in the header',
      { jwt: makeSigningKeys('k1').sign(CLAIMS, { jwk: makeSigningKeys('k1').jwk }) },
      'its signature is wrong',
    ],
    [
      'a nonce, where access tokens have none',
      { claims: { nonce: 'n' }, settings: { refuseNonce: true } },
      'it has a nonce, as ID tokens have',
    ],
    ['no key id', { header: { kid: undefined } }, 'its issuer has no such key'],
    ['the id of an unknown key', { header: { kid: 'k2' } }, 'its issuer has no such key'],
    ['the signature of another key', { jwt: makeSigningKeys('k1').sign(CLAIMS) }, 'its signature is wrong'],
    ['the signature of another issuer that we trust', { jwt: partnerKeys.sign(CLAIMS) }, 'its signature is wrong'],
  ])('cannot have a token with %s', async (_name, sent, reason) => {
    expect(await refusalOf(sent)).toBe(`invalid-token: ${reason}`);
  });

  test.each([[undefined], ['']])('must have a subject, not %p', async (sub) => {
    expect(await refusalOf({ claims: { sub } })).toBe('not-entitled: the token has no sub');
  });

  test('has the claims that were signed, and none that an object brings along', async () => {
    const { claims } = await callerOf({
      jwt: keys.sign(JSON.parse(`{"__proto__":{"tenant":"acme"},${JSON.stringify(CLAIMS).slice(1)}`) as object),
    });
    for (const name of ['tenant', 'constructor', '__proto__']) expect(claims[name]).toBeUndefined();
  });

  test.each<[object, readonly string[], Partial<IssuerSettings>?]>([
    [{ scope: 'openid  broker:token' }, ['token']],
    [{ scope: 'broker:token broker:revoke' }, ['token', 'revoke']],
    [{ scope: undefined, scp: 'broker:token' }, ['token']],
    [{ scope: undefined, scp: ['broker:token', 1, 'broker:revoke'] }, ['token', 'revoke']],
    [{ scope: 'openid', scp: ['broker:token'] }, []],
    [{ scope: 'broker' }, []],
    [{ scope: undefined }, []],
    [{ scope: undefined }, ['token'], { scopes: { token: 'none', revoke: 'broker:revoke' } }],
    [{ scope: 'broker:token broker:revoke undefined' }, ['token'], { scopes: { token: 'broker:token' } }],
    [{ scope: undefined, scp: ['broker:token', null] }, ['token'], { scopes: { token: 'broker:token' } }],
  ])('holds, by %j, the scopes %j', async (claims, scopes, settings = {}) => {
    expect((await callerOf({ claims: { ...claims }, settings })).scopes).toEqual(scopes);
  });

  test.each(['jku', 'x5u'])(
    'is asked of no address that the token brings along as %s, whoever has signed it',
    async (name) => {
      const evil = 'https://evil.example/keys';
      const { identify, server } = identity();
      const strangers = makeSigningKeys('k1');
      server.answers.set(evil, { keys: [strangers.jwk] });
      const header = { [name]: evil, jwk: strangers.jwk, x5c: ['MIIB'] };
      await expect(identify(strangers.sign(CLAIMS, header), undefined)).rejects.toThrow('its signature is wrong');
      expect(await identify(keys.sign(CLAIMS, header), undefined)).toMatchObject({ subject: 'user-alice' });
      expect(server.reads).not.toContain(evil);
    },
  );

  test('asks nobody for a key where the token is refused whatever its key is', async () => {
    const { identify, server } = identity();
    for (const claims of [{ iss: 'https://evil.example/' }, { exp: 1 }, { aud: 'other' }, { iat: NOW + 6 }])
      await expect(identify(keys.sign({ ...CLAIMS, ...claims }), undefined)).rejects.toThrow('invalid-token');
    expect(server.reads).toEqual([]);
  });

  test('finds the keys of every issuer read in advance, and tells how long the longest token of any lives', async () => {
    const { warm, longestTokenMs, server } = identity({ longestTokenSeconds: 300, jwksUri: `${ISSUER_URL}/keys` });
    await warm();
    expect(server.reads).toEqual([`${ISSUER_URL}/keys`, PARTNER.jwksUri]);
    expect(longestTokenMs).toBe(86_400_000);
  });

  test.each([
    ['the first issuer, at the root', keys, CLAIMS, undefined, 'user-alice'],
    ['the first issuer, at the routes of another', keys, CLAIMS, 'partner', 'invalid-token: it is of another issuer'],
    ['another issuer, at its own routes', partnerKeys, { ...CLAIMS, iss: PARTNER_URL }, 'partner', 'user-alice'],
    [
      'another issuer, at the root',
      partnerKeys,
      { ...CLAIMS, iss: PARTNER_URL },
      undefined,
      'invalid-token: it is of another issuer',
    ],
    [
      'anybody, at routes of nobody',
      keys,
      CLAIMS,
      'nobody',
      'misconfigured: the route is of no issuer that is configured',
    ],
  ])('is judged by the issuer of the route: %s', async (_name, signer, claims, route, expected) => {
    const found = identity().identify(signer.sign(claims), route);
    expect(
      await found.then(
        ({ subject }) => subject,
        (error: Error) => error.message,
      ),
    ).toBe(expected);
  });
});
