/** What a logout token must be, and what it ends: OpenID Connect Back-Channel Logout 1.0, 2.4 to 2.6. */
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
  audiences: ['broker'],
  scopes: { token: 'broker:token' },
  algorithms: ['RS256'],
  sessionClaim: 'sid',
  logoutClients: ['other', 'app'],
};
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const CLAIMS = {
  iss: ISSUER_URL,
  aud: 'app',
  sub: 'user-alice',
  sid: 's1',
  iat: NOW,
  jti: '1',
  events: { [EVENT]: {} },
};
const SESSION = { kind: 'session', issuer: ISSUER_URL, session: 's1' };
const SUBJECT = { kind: 'subject', issuer: ISSUER_URL, subject: 'user-alice' };
const keys = makeSigningKeys('k1');

interface Sent {
  readonly claims?: Record<string, unknown>;
  readonly header?: object;
  readonly settings?: Partial<IssuerSettings>;
}

/** What ends, or why nothing does. */
async function endedBy({ claims, header, settings }: Sent) {
  const { telemetry } = recordTelemetry();
  const { readJson } = makeKeyServer(keys);
  const issuers = [{ ...ISSUER, ...settings }];
  const token = keys.sign({ ...CLAIMS, ...claims }, { typ: 'logout+jwt', ...header });
  return makeIdentity({ ...telemetry, issuers, clock: makeFakeClock(), readJson })
    .loggedOut(token, undefined)
    .catch((error: unknown) => (error instanceof Failure ? error.message : error));
}

test.each<[string, Sent, object]>([
  ['its session', {}, { client: 'app', at: NOW * 1_000, scope: SESSION }],
  [
    'its session, without a subject',
    { claims: { sub: undefined } },
    { client: 'app', at: NOW * 1_000, scope: SESSION },
  ],
  [
    'its subject, without a session',
    { claims: { sid: undefined } },
    { client: 'app', at: NOW * 1_000, scope: SUBJECT },
  ],
  [
    'its subject, where access tokens name no session',
    { settings: { sessionClaim: undefined } as object },
    { client: 'app', at: NOW * 1_000, scope: SUBJECT },
  ],
  [
    'what was there at its own time, asked by the first of our clients among its own',
    { claims: { iat: NOW - 300, aud: ['somebody', 'app', 'other'] } },
    { client: 'other', at: (NOW - 300) * 1_000, scope: SESSION },
  ],
])('a logout token ends %s', async (_name, sent, expected) => {
  expect(await endedBy(sent)).toEqual(expected);
});

test.each<[string, Sent]>([
  ['no type', { header: { typ: undefined } }],
  ['the whole media type', { header: { typ: 'application/Logout+JWT' } }],
  ['the type JWT, where its issuer may write it', { header: { typ: 'JWT' }, settings: { logoutType: 'JWT' } }],
  ['the type of the specification there, too', { settings: { logoutType: 'JWT' } }],
  ['an end to come', { claims: { exp: NOW + 1 } }],
  ["Keycloak's word for a logout token", { claims: { typ: 'Logout' } }],
  ['more in its event, and another event', { claims: { events: { [EVENT]: { x: 1 }, 'https://x.example': true } } }],
  ['the clock of its issuer a moment ahead', { claims: { iat: NOW + 5 } }],
])('a logout token may have %s', async (_name, sent) => {
  expect(await endedBy(sent)).toMatchObject({ scope: SESSION });
});

const EVENTS = 'it has no event of a back-channel logout';
const TYPE = 'its type is not that of a logout token';
const NAMES = 'its sub or sid is no text';
const NO_JWT = 'it is no JWT, or a claim has the wrong type';
test.each<[string, Sent, string]>([
  ['the client of somebody else', { claims: { aud: 'somebody' } }, 'it is for another client'],
  ['several clients, none of them ours', { claims: { aud: ['x', 'y'] } }, 'it is for another client'],
  ['an empty list of clients', { claims: { aud: [] } }, 'it is for another client'],
  ['no client', { claims: { aud: undefined } }, 'it is for another client'],
  ['a client, where there are none', { settings: { logoutClients: undefined } as object }, 'it is for another client'],
  ['more than five minutes of age', { claims: { iat: NOW - 300.001 } }, 'it is older than 300 s'],
  ['a time to come', { claims: { iat: NOW + 6 } }, 'it is of the future'],
  ['no time', { claims: { iat: undefined } }, 'it does not say when it was issued'],
  ['an end at this moment', { claims: { exp: NOW } }, 'it has expired'],
  ['the type JWT, which says nothing', { header: { typ: 'JWT' } }, TYPE],
  ['the type of an access token', { header: { typ: 'at+jwt' } }, TYPE],
  ['that type, where its issuer may write JWT', { header: { typ: 'at+jwt' }, settings: { logoutType: 'JWT' } }, TYPE],
  ['JWT in other letters there', { header: { typ: 'jwt' }, settings: { logoutType: 'JWT' } }, TYPE],
  ['a type that only ends like it', { header: { typ: 'x-logout+jwt' } }, TYPE],
  ['a type that only begins like it', { header: { typ: 'logout+jwt2' } }, TYPE],
  ['a type that is a list', { header: { typ: ['logout+jwt'] } }, TYPE],
  ['token_use', { claims: { token_use: 'access' } }, 'it is an ID token or an access token'],
  ['typ ID among its claims', { claims: { typ: 'ID' } }, 'it is an ID token or an access token'],
  ['no events', { claims: { events: undefined } }, EVENTS],
  ['null for its events', { claims: { events: null } }, EVENTS],
  ['other events', { claims: { events: { other: {} } } }, EVENTS],
  ['events in a list', { claims: { events: [{ [EVENT]: {} }] } }, EVENTS],
  ['events that are the name of one', { claims: { events: EVENT } }, EVENTS],
  ['an event that is no object', { claims: { events: { [EVENT]: true } } }, EVENTS],
  ['an event that is a list', { claims: { events: { [EVENT]: [] } } }, EVENTS],
  ['an event by a name that every object has', { claims: { events: { constructor: {} } } }, EVENTS],
  ['a nonce', { claims: { nonce: 'n' } }, 'it has a nonce'],
  ['a nonce that is null', { claims: { nonce: null } }, 'it has a nonce'],
  ['an empty session', { claims: { sid: '' } }, NAMES],
  ['an empty subject', { claims: { sub: '' } }, NAMES],
  ['a session that is a list', { claims: { sid: ['s1'] } }, NAMES],
  ['a subject that is a list', { claims: { sub: ['user-alice'] } }, NO_JWT],
  ['nobody in it', { claims: { sub: undefined, sid: undefined } }, 'it names neither a subject nor a session'],
  [
    'a session only, where access tokens name none',
    { claims: { sub: undefined }, settings: { sessionClaim: undefined } as object },
    'it names a session only, and the environment does not say which claim of access tokens names theirs',
  ],
  ['critical extensions', { header: { crit: ['b64'], b64: true } }, 'it has critical extensions'],
  ['another algorithm', { header: { alg: 'none' } }, 'its algorithm is not one of its issuer'],
  ['another issuer', { claims: { iss: `${ISSUER_URL}/` } }, 'it is of another issuer'],
  ['the id of a key that its issuer has not', { header: { kid: 'k2' } }, 'its issuer has no such key'],
])('a logout token cannot have %s', async (_name, sent, why) => {
  expect(await endedBy(sent)).toBe(`invalid-token: ${why}`);
});
