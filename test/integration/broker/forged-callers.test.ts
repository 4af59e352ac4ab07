/** What somebody can do who may invoke the functions, and so writes the gateway's copy of the claims as well. */
import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { httpEvent } from '../../support/http-event.ts';
import { makeSigningKeys } from '../../support/signing.ts';

const EVIL = 'https://evil.example/';
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
let broker: LocalBroker;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
});
afterAll(() => broker.close());

/** Invokes gettoken with a token, and with the claims of that token in the place of the gateway's copy. */
async function invokeWith(jwt: string) {
  const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
  const event = httpEvent({ claims, authorization: `Bearer ${jwt}` });
  const invocation = await broker.invoke('gettoken', event);
  if (invocation.status !== 'answered') throw new Error(`the function ${invocation.status}`);
  const { statusCode, body } = JSON.parse(invocation.payload) as { statusCode: number; body: string };
  const { code, userName } = JSON.parse(body) as { code?: string; userName?: string };
  // The policy may add what tells sets of entitlements apart: bob~x7k2.
  return { statusCode, code: code ?? userName?.split('~')[0] };
}

async function publicKey() {
  const { keys } = (await (await fetch(`${broker.issuer.url}/jwks`)).json()) as {
    keys: [JsonWebKey & { kid: string }];
  };
  return keys[0];
}

/** What a forger can make of an honest token of bob. */
const FORGERIES: Readonly<Record<string, (bob: string) => string | Promise<string>>> = {
  'of an issuer of his own, unsigned': (bob) =>
    `${part({ alg: 'none' })}.${part({ ...decodeJwt(bob), iss: EVIL })}.c2lnbmF0dXJl`,
  unsigned: (bob) => `${part({ alg: 'none' })}.${bob.split('.')[1]}.`,
  'with a signature of nobody': (bob) => bob.replace(/[^.]+$/, 'c2lnbmF0dXJl'),
  'signed by a key of his own': (bob) => makeSigningKeys('own').sign(decodeJwt(bob)),
  "signed by a key of his own under the issuer's id": (bob) =>
    makeSigningKeys(decodeProtectedHeader(bob).kid ?? '').sign(decodeJwt(bob)),
  'of an issuer of his own, signed by a key that it brings along': (bob) => {
    const keys = makeSigningKeys('own');
    return keys.sign({ ...decodeJwt(bob), iss: EVIL }, { jwk: keys.jwk, jku: `${EVIL}jwks` });
  },
  "with the issuer's public key as the secret of an HMAC": async (bob) => {
    const jwk = await publicKey();
    const input = `${part({ alg: 'HS256', typ: 'JWT', kid: jwk.kid })}.${bob.split('.')[1]}`;
    const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' });
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
  },
  'with the claims of another': (bob) =>
    bob.replace(/\.[^.]+\./, `.${part({ ...decodeJwt(bob), sub: 'user-alice', preferred_username: 'alice' })}.`),
  'that has expired': () => broker.issuer.accessToken('bob', { exp: Math.floor(Date.now() / 1_000) - 1 }),
  'that never expires': () => broker.issuer.accessToken('bob', { exp: undefined }),
  'that is not valid yet': () => broker.issuer.accessToken('bob', { nbf: Math.floor(Date.now() / 1_000) + 60 }),
  'that is issued in a while': () => broker.issuer.accessToken('bob', { iat: Math.floor(Date.now() / 1_000) + 60 }),
  'for another audience': () => broker.issuer.accessToken('bob', { aud: 'another-api' }),
  'for another audience, of our client': () =>
    broker.issuer.accessToken('bob', { aud: 'another-api', client_id: 'thoughtspot-token-broker' }),
  'that is an ID token of Cognito': () => broker.issuer.accessToken('bob', { token_use: 'id' }),
  'that is an ID token of Keycloak': () => broker.issuer.accessToken('bob', { typ: 'ID' }),
  'that is an ID token, by its nonce': () => broker.issuer.accessToken('bob', { nonce: 'n-0S6_WzA2Mj' }),
  'that is a logout token': () =>
    broker.issuer.accessToken('bob', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }),
};

test('bob himself is let in', async () => {
  expect(await invokeWith(await broker.issuer.accessToken('bob'))).toEqual({ statusCode: 200, code: 'bob' });
});

test.each(Object.entries(FORGERIES))(
  'whoever may invoke the function, but forges the gateway, gets nothing for a token %s',
  async (_name, forge) => {
    const jwt = await forge(await broker.issuer.accessToken('bob'));
    expect(await invokeWith(jwt)).toEqual({ statusCode: 401, code: 'invalid-token' });
  },
);
