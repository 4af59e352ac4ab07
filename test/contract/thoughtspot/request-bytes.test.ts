import type { Grant } from '../../../functions/broker/ports.ts';
import { RawServer, reply } from './raw-server.ts';
import {
  custom,
  customToken,
  fullToken,
  grant,
  rig,
  SECRET_KEY,
  serviceGrant,
  sessionToken,
  PASSWORD,
  SESSION,
  TOKEN,
  withKey,
  withPassword,
} from './rig.ts';

const server = new RawServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const HEADERS_20 = {
  accept: 'application/json',
  'x-requested-by': 'ThoughtSpot',
  'user-agent': 'thoughtspot-token-broker',
};
const JIT = { displayName: 'Alice A.', email: 'alice@acme.example', groups: ['analysts'] };

describe('a mint in auth-2.0 sends', () => {
  const common = { username: 'alice', secret_key: SECRET_KEY, validity_time_in_sec: 300 };
  const object = { kind: 'object', objectId: '0fb54198-868d-45de-8929-139b0089e964' } as const;
  const rows: readonly (readonly [name: string, fact: string, changes: Partial<Grant>, path: string, body: object])[] =
    [
      [
        'a full token',
        '3.1: org_id int, auto_create explicit',
        {},
        'full',
        { ...common, org_id: 1, auto_create: false },
      ],
      [
        'a full token of the Primary org',
        '3.1: org always explicit, 0 too',
        { orgId: 0 },
        'full',
        { ...common, org_id: 0, auto_create: false },
      ],
      [
        'a full token of a user to be provisioned',
        '3.1: auto_create, email, display_name, group_identifiers',
        { provisioning: JIT },
        'full',
        {
          ...common,
          org_id: 1,
          auto_create: true,
          display_name: 'Alice A.',
          email: 'alice@acme.example',
          group_identifiers: ['analysts'],
        },
      ],
      [
        'a user to be provisioned without groups keeps them',
        '3.1: [] = no groups; omitted = keep',
        { provisioning: { groups: [] } },
        'full',
        { ...common, org_id: 1, auto_create: true },
      ],
      [
        'a token for one object',
        '3.1: object_id',
        { rights: object },
        'object',
        { ...common, org_id: 1, object_id: object.objectId, auto_create: false },
      ],
      [
        'the least custom token',
        '3.1: org_identifier STRING, persist_option required, auto_create defaults to true',
        { rights: custom() },
        'custom',
        { ...common, org_identifier: '1', persist_option: 'NONE', auto_create: false },
      ],
      [
        'a custom token with everything',
        '3.1: groups[{identifier}], variable_values, filter_rules, parameter_values, objects',
        {
          provisioning: JIT,
          rights: custom({
            persist: 'REPLACE',
            variables: [{ name: 'region', values: ['EU'] }],
            filters: [{ column: 'Region', operator: 'IN', values: ['EU', 'UK'] }],
            parameters: [{ name: 'currency', values: ['EUR'] }],
            groups: ['embedders', 'analysts'],
            objects: [{ type: 'LOGICAL_TABLE', identifier: 'sales' }, { identifier: 'costs' }],
          }),
        },
        'custom',
        {
          ...common,
          org_identifier: '1',
          persist_option: 'REPLACE',
          auto_create: true,
          display_name: 'Alice A.',
          email: 'alice@acme.example',
          groups: [{ identifier: 'embedders' }, { identifier: 'analysts' }],
          variable_values: [{ name: 'region', values: ['EU'] }],
          filter_rules: [{ column_name: 'Region', operator: 'IN', values: ['EU', 'UK'] }],
          parameter_values: [{ name: 'currency', values: ['EUR'] }],
          objects: [{ type: 'LOGICAL_TABLE', identifier: 'sales' }, { identifier: 'costs' }],
        },
      ],
    ];

  test.each(rows)('%s (%s)', async (_name, _fact, changes, path, body) => {
    server.will(reply(200, path === 'custom' ? customToken() : fullToken()));
    const { issuer, by } = rig(server.url);
    expect(await issuer.mint(grant(changes), by())).toMatchObject({ outcome: 'minted' });
    await issuer.close();
    expect(server.requests).toHaveLength(1);
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'POST', path: `/api/rest/2.0/auth/token/${path}` });
    expect(JSON.parse(request?.body ?? '')).toEqual(body);
    expect(request?.headers).toEqual({
      ...HEADERS_20,
      'content-type': 'application/json',
      'content-length': String(request?.body.length),
      host: server.url.slice('http://'.length),
      connection: 'keep-alive',
    });
  });

  test('the key of the org, when orgs have keys of their own (3.6)', async () => {
    server.will(reply(200, fullToken()));
    const perOrg = { ...withKey(), secretKeyFor: (orgId: number) => `key-of-org-${orgId}` };
    const { issuer, by } = rig(server.url, { credential: perOrg });
    await issuer.mint(grant({ orgId: 7 }), by());
    await issuer.close();
    expect(JSON.parse(server.requests[0]?.body ?? '')).toMatchObject({ secret_key: 'key-of-org-7', org_id: 7 });
  });

  test('one credential only: with a password no secret_key (3.1: precedence is contradictory)', async () => {
    server.will(reply(200, fullToken({ valid_for_username: 'svc-broker' })));
    const { issuer, by } = rig(server.url, { credential: withPassword() });
    await issuer.mint(serviceGrant(), by());
    await issuer.close();
    expect(JSON.parse(server.requests[0]?.body ?? '')).toEqual({
      username: 'svc-broker',
      password: PASSWORD,
      validity_time_in_sec: 300,
      org_id: 1,
      auto_create: false,
    });
  });
});

test.each([
  ['its user', 'alice', { user_identifier: 'alice' }],
  ['nobody', undefined, {}],
])('a revocation in auth-2.0 presents the token itself and names it with %s (3.4 point 8)', async (_, user, named) => {
  server.will(reply(204, ''));
  const { issuer, by } = rig(server.url);
  expect(await issuer.revoke(TOKEN, user, by())).toEqual({ outcome: 'dead' });
  await issuer.close();
  const [request] = server.requests;
  expect(request).toMatchObject({ method: 'POST', path: '/api/rest/2.0/auth/token/revoke' });
  expect(request?.headers).toMatchObject({ ...HEADERS_20, authorization: `Bearer ${TOKEN}` });
  expect(JSON.parse(request?.body ?? '')).toEqual({ ...named, token: TOKEN });
});

test('session information in auth-2.0 is GET session/user with the bearer (3.3)', async () => {
  server.will(reply(200, { id: 'guid', name: 'alice', current_org: { id: 1, name: 'acme' } }));
  const { issuer, by } = rig(server.url);
  expect(await issuer.sessionInfo(TOKEN, by())).toMatchObject({ userName: 'alice', userId: 'guid', orgId: 1 });
  await issuer.close();
  const [request] = server.requests;
  expect(request).toMatchObject({ method: 'GET', path: '/api/rest/2.0/auth/session/user', body: '' });
  expect(request?.headers).toMatchObject({ ...HEADERS_20, authorization: `Bearer ${TOKEN}` });
});

test('session-v2 logs in without a bearer, mints with the session, and revokes without a body (1.1, 1.2)', async () => {
  server.will(reply(200, sessionToken({ token: SESSION })), reply(200, sessionToken()), reply(200, 'true'));
  const { issuer, by } = rig(server.url, { dialect: 'session-v2', credential: withPassword() });
  expect(await issuer.mint(serviceGrant(), by())).toMatchObject({ outcome: 'minted', minted: { token: TOKEN } });
  expect(await issuer.revoke(TOKEN, 'svc-broker', by())).toEqual({ outcome: 'dead' });
  await issuer.close();
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    'accept-language': 'application/json',
    'user-agent': 'APIMATIC 3.0',
    host: server.url.slice('http://'.length),
    connection: 'keep-alive',
  };
  const body = (request: { body: string } | undefined): unknown => JSON.parse(request?.body ?? '');
  const [login, gettoken, revoke, goodbye] = server.requests;
  expect(login).toMatchObject({ method: 'POST', path: '/api/rest/v2/session/login' });
  expect(body(login)).toEqual({ userName: 'svc-broker', password: PASSWORD });
  expect(login?.headers).toEqual({ ...headers, 'content-length': String(login?.body.length) });
  expect(gettoken).toMatchObject({ method: 'POST', path: '/api/rest/v2/session/gettoken' });
  expect(body(gettoken)).toEqual({ userName: 'svc-broker', password: PASSWORD, tokenExpiryDuration: 300 });
  expect(gettoken?.headers).toMatchObject({ ...headers, authorization: `Bearer ${SESSION}` });
  expect(revoke).toEqual({
    method: 'POST',
    path: '/api/rest/v2/session/revoketoken',
    headers: { ...headers, 'content-length': '0', authorization: `Bearer ${TOKEN}` },
    body: '',
  });
  expect(goodbye).toMatchObject({ path: '/api/rest/v2/session/revoketoken' });
  expect(goodbye?.headers.authorization).toBe(`Bearer ${SESSION}`);
});

test('session information in session-v2 is a GET that carries a content type (1.2, seen on the wire)', async () => {
  server.will(reply(200, { userName: 'svc-broker', userGUID: 'guid', authToken: TOKEN, locale: 'en' }));
  const { issuer, by } = rig(server.url, { dialect: 'session-v2', credential: withPassword() });
  expect(await issuer.sessionInfo(TOKEN, by())).toEqual({
    userName: 'svc-broker',
    userId: 'guid',
    details: { locale: 'en' },
  });
  await issuer.close();
  const [request] = server.requests;
  expect(request).toMatchObject({ method: 'GET', path: '/api/rest/v2/session', body: '' });
  expect(request?.headers).toMatchObject({ 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` });
});
