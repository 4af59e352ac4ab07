import { Failure } from '../../../functions/broker/failure.ts';
import type { Logout } from '../../../functions/broker/ports.ts';
import type { RevokeTokens } from '../../../functions/broker/use-cases.ts';
import { logoutEntry } from '../../../functions/http/backchannel-logout.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { httpEvent, jwtOf, lambdaContext } from '../../support/http-event.ts';
import { recordTelemetry } from '../../support/telemetry-record.ts';

const FORM = 'application/x-www-form-urlencoded';
const TOKEN = jwtOf({ sid: 's1' });
const SESSION: Logout = { scope: { kind: 'session', issuer: 'i', session: 's1' }, client: 'app', at: START - 1_000 };
const SUBJECT: Logout = { scope: { kind: 'subject', issuer: 'i', subject: 'sub' }, client: 'app', at: START - 1_000 };

interface Posted {
  readonly body?: string;
  readonly type?: string;
  readonly logout?: Logout | Failure;
  readonly revoke?: Failure;
}

async function post({ body = `logout_token=${TOKEN}`, type = FORM, logout = SESSION, revoke }: Posted = {}) {
  const record = recordTelemetry();
  const asked: unknown[] = [];
  const revoked: Parameters<RevokeTokens>[] = [];
  const handler = logoutEntry(
    { name: 'backchannellogout', telemetry: record.telemetry, clock: makeFakeClock() },
    async () => ({
      loggedOut: async (...call) => {
        asked.push(call);
        if (logout instanceof Failure) throw logout;
        return logout;
      },
      revokeTokens: async (...call) => {
        revoked.push(call);
        if (revoke !== undefined) throw revoke;
        return { revoked: 1, pending: 0 };
      },
    }),
  );
  const routeKey = 'POST /i/partner/backchannel-logout';
  const event = httpEvent({ routeKey, authorization: null, flattened: null, headers: { 'content-type': type }, body });
  const { statusCode, body: said = '' } = await handler(event, lambdaContext(20_000));
  return { ...record, asked, revoked, answer: [statusCode, said === '' ? '' : (JSON.parse(said) as object)] };
}

test.each([
  ['the session that it names', SESSION, SESSION.scope],
  ['the subject that it names', SUBJECT, { kind: 'user', userNames: [], subjects: [{ issuer: 'i', subject: 'sub' }] }],
])('a logout token of the issuer of the route signs out %s, up to its own time', async (_name, logout, selection) => {
  const { answer, asked, revoked, concealed, signals } = await post({ logout });
  expect(answer).toEqual([200, '']);
  expect(asked).toEqual([[TOKEN, 'partner']]);
  const revoker = { kind: 'event', source: 'logout', name: 'app' };
  const how = { kind: 'sign-out', issuedUpTo: START - 1_000 };
  expect(revoked).toEqual([[revoker, selection, START, START + 19_250, how]]);
  expect(concealed).toEqual([TOKEN, ...TOKEN.split('.')]);
  expect(signals).toEqual([]);
});

const invalid = (description: string) => [400, { error: 'invalid_request', error_description: description }];
test.each<[string, Posted, unknown[]]>([
  ['no form', { type: 'application/json' }, invalid('body is not a form')],
  ['no token', { body: 'token=x' }, invalid('logout_token must be there once')],
  ['an empty token', { body: 'logout_token=' }, invalid('logout_token must be there once')],
  ['two tokens', { body: `logout_token=a&logout_token=b` }, invalid('logout_token must be there once')],
  ['too much', { body: `logout_token=${'x'.repeat(16_384)}` }, invalid('body has more than 16384 bytes')],
  [
    'a token that does not count',
    { logout: new Failure('invalid-token', { reason: 'it has a nonce' }) },
    invalid('the logout token does not count: it has a nonce'),
  ],
  [
    'an issuer that cannot be asked',
    { logout: new Failure('issuer-unavailable', { reason: 'x' }) },
    [400, { error: 'temporarily_unavailable', error_description: 'Issuer is unavailable' }],
  ],
  [
    'a broker that is set up wrongly',
    { logout: new Failure('misconfigured', { reason: 'x' }) },
    [400, { error: 'server_error', error_description: expect.any(String) as string }],
  ],
])('a request with %s signs nobody out, and says why in words of OAuth', async (_name, posted, answer) => {
  const found = await post(posted);
  expect(found.answer).toEqual(answer);
  expect(found.revoked).toEqual([]);
  expect(found.counted('logout-failed')).toBe(0);
});

test('a sign-out that cannot be written is counted, since the issuer does not ask again', async () => {
  const { answer, counted } = await post({ revoke: new Failure('ledger-unavailable', { reason: 'it is away' }) });
  expect(answer).toMatchObject([400, { error: 'temporarily_unavailable' }]);
  expect(counted('logout-failed')).toBe(1);
});
