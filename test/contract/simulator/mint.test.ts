import type { Simulator } from '../../../local/thoughtspot/simulator.ts';
import type { Switches } from '../../../local/thoughtspot/switches.ts';
import { call, debugOf, start, type Reply } from './cluster-client.ts';

const NOW = 1_800_000_000_000;
const ALICE = 'a11ce000-6a55-4c1f-8a8e-1d5a2b7c0001';
const LIVEBOARD = '11111111-aaaa-4bbb-8ccc-000000000001';
const PASSWORD = 'simulated-Pa55word-of-svc-broker';

let simulator: Simulator;
let key: string;

beforeAll(async () => {
  simulator = await start({ clock: () => NOW });
  key = simulator.secretKey();
});
beforeEach(() => simulator.reset());
afterAll(() => simulator.close());

type Kind = 'full' | 'object' | 'custom';
const mint = (kind: Kind, body: unknown): Promise<Reply> =>
  call(simulator.url, `POST /api/rest/2.0/auth/token/${kind}`, { body });

/** A request that is granted; tests change it. `undefined` takes a field away. */
const request = (kind: Kind, changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  username: 'alice',
  secret_key: key,
  ...{
    full: { org_id: 1 },
    object: { org_id: 1, object_id: LIVEBOARD },
    custom: { org_identifier: 'acme', persist_option: 'NONE' },
  }[kind],
  ...changes,
});

describe('a granted mint answers as wire facts 3.2 say', () => {
  const token = expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) as unknown;
  const times = { creation_time_in_millis: NOW, expiration_time_in_millis: NOW + 300_000 };
  const subject = { valid_for_user_id: ALICE, valid_for_username: 'alice' };
  const full = { token, ...times, ...subject, scope: { access_type: 'FULL', org_id: 1, metadata_id: null } };

  test.each([
    ['full', full],
    ['object', { ...full, scope: { access_type: 'REPORT_BOOK_VIEW', org_id: 1, metadata_id: LIVEBOARD } }],
    [
      'custom',
      {
        id: expect.any(String) as unknown,
        token,
        ...times,
        org: { id: 1, name: 'acme' },
        user: { id: ALICE, name: 'alice' },
      },
    ],
  ] as const)('token/%s', async (kind, expected) => {
    const reply = await mint(kind, request(kind));
    expect(reply.status).toBe(200);
    expect(reply.json).toEqual(expected);
    expect(simulator.state()).toMatchObject({ mints: 1, tokens: [{ user: 'alice', org: 1, kind }] });
  });

  test.each([
    ['a chosen validity', 'full', { validity_time_in_sec: 60 }],
    ['an empty password beside the key, the default of the schema', 'full', { password: '' }],
    ['auto_create null, as the schema allows', 'full', { auto_create: null }],
    ['fields that the cluster does not know', 'full', { nonsense: 1 }],
    ['an Org by its number in a string', 'custom', { org_identifier: '1' }],
    ['a filter rule', 'custom', { filter_rules: [{ column_name: 'region', operator: 'IN', values: ['west'] }] }],
    [
      'variables with REPLACE',
      'custom',
      { persist_option: 'REPLACE', variable_values: [{ name: 'region', values: ['west'] }] },
    ],
    [
      'variables with APPEND',
      'custom',
      { persist_option: 'APPEND', variable_values: [{ name: 'region', values: ['west'] }] },
    ],
    ['a parameter', 'custom', { parameter_values: [{ name: 'p', values: ['1'] }] }],
    ['an object', 'custom', { objects: [{ type: 'LOGICAL_TABLE', identifier: 'sales' }] }],
  ] as const)('with %s', async (_what, kind, changes) => {
    expect((await mint(kind, request(kind, changes))).status).toBe(200);
  });

  test('every mint gives another token, with characters that need encoding', async () => {
    const replies = [await mint('full', request('full')), await mint('full', request('full'))];
    const [one, other] = replies.map((reply) => (reply.json as { token: string }).token);
    expect(one).not.toBe(other);
    for (const character of ['+', '/', '=']) expect(one).toContain(character);
    expect(Buffer.from(String(one), 'base64').toString('latin1')).toMatch(/^alice:/);
  });

  test('by the user’s own password', async () => {
    const reply = await mint('full', { username: 'svc-broker', password: PASSWORD, org_id: 2 });
    expect(reply.json).toMatchObject({ valid_for_username: 'svc-broker', scope: { org_id: 2 } });
  });
});

describe('a mint is refused, and changes nothing, with', () => {
  test.each<[string, Kind, Record<string, unknown>, number, RegExp, Partial<Switches>?]>([
    ['no username', 'full', { username: undefined }, 400, /username/],
    ['an empty username', 'full', { username: '' }, 400, /username/],
    ['a username that is no string', 'full', { username: 7 }, 400, /username/],
    ['no credential', 'full', { secret_key: undefined }, 400, /Either secret_key or password/],
    ['two empty credentials', 'full', { secret_key: '', password: '' }, 400, /Either secret_key or password/],
    ['two credentials', 'full', { password: PASSWORD }, 400, /Only one/],
    ['a wrong key', 'full', { secret_key: 'nope' }, 401, /incorrect/],
    ['a wrong password', 'full', { username: 'svc-broker', secret_key: undefined, password: 'nope' }, 401, /incorrect/],
    ['the password of a user that has none', 'full', { secret_key: undefined, password: 'nope' }, 401, /incorrect/],
    ['a validity of 0', 'full', { validity_time_in_sec: 0 }, 400, /validity_time_in_sec/],
    ['a validity in a string', 'full', { validity_time_in_sec: '300' }, 400, /validity_time_in_sec/],
    ['a validity of null', 'full', { validity_time_in_sec: null }, 400, /validity_time_in_sec/],
    ['an auto_create that is no boolean', 'full', { auto_create: 'false' }, 400, /auto_create/],
    ['groups that are no array', 'full', { group_identifiers: 'analysts' }, 400, /group_identifiers/],
    ['an Org that does not exist', 'full', { org_id: 99 }, 400, /Org/],
    ['an Org that the user is not in', 'full', { org_id: 2 }, 400, /Org/],
    ['an Org that the user is not in, and auto_create', 'full', { org_id: 2, auto_create: true }, 400, /Org/],
    ['an unknown user', 'full', { username: 'nobody' }, 400, /not found/],
    ['a user name in another case', 'full', { username: 'Alice' }, 400, /not found/],
    ['an inactive user', 'full', { username: 'dave' }, 403, /INACTIVE/],
    ['user_parameters, the path being off', 'full', { user_parameters: {} }, 400, /JWT Beta endpoint is disabled/],
    ['another Org’s own key', 'full', { secret_key: 'c2a7e0b4-1f58-4d93-a6c9-08e5d37b2f22' }, 401, /incorrect/],
    ['no object_id', 'object', { object_id: undefined }, 400, /object_id/],
    ['an object_id that is no GUID', 'object', { object_id: 'sales' }, 400, /GUID/],
    ['an unknown Liveboard', 'object', { object_id: '99999999-aaaa-4bbb-8ccc-000000000001' }, 400, /object/],
    ['a Liveboard of another Org', 'object', { object_id: '11111111-aaaa-4bbb-8ccc-000000000002' }, 400, /object/],
    ['no persist_option', 'custom', { persist_option: undefined }, 400, /persist_option/],
    ['an unknown persist_option', 'custom', { persist_option: 'KEEP' }, 400, /persist_option/],
    ['NONE and variables', 'custom', { variable_values: [{ name: 'r', values: ['w'] }] }, 400, /NONE cannot/],
    [
      'RESET and variables',
      'custom',
      { persist_option: 'RESET', variable_values: [{ name: 'r', values: ['w'] }] },
      400,
      /RESET cannot/,
    ],
    [
      'a variable without values',
      'custom',
      { persist_option: 'REPLACE', variable_values: [{ name: 'r' }] },
      400,
      /values/,
    ],
    [
      'a value that is no string',
      'custom',
      { persist_option: 'REPLACE', variable_values: [{ name: 'r', values: [1] }] },
      400,
      /values/,
    ],
    [
      'an unknown operator',
      'custom',
      { filter_rules: [{ column_name: 'r', operator: '=', values: ['w'] }] },
      400,
      /operator/,
    ],
    ['a filter without column', 'custom', { filter_rules: [{ operator: 'EQ', values: ['w'] }] }, 400, /column_name/],
    [
      'a parameter with two values',
      'custom',
      { parameter_values: [{ name: 'p', values: ['1', '2'] }] },
      400,
      /exactly one/,
    ],
    ['groups as plain strings', 'custom', { groups: ['analysts'] }, 400, /groups/],
    ['an org_identifier that is a number', 'custom', { org_identifier: 1 }, 400, /org_identifier/],
    ['trusted authentication off', 'full', {}, 403, /not enabled/, { trustedAuth: false }],
    ['no Org, if it must be there', 'full', { org_id: undefined }, 400, /Org/, { orgWhenOmitted: 'refuse' }],
    ['no Org, if Primary is meant by that', 'full', { org_id: undefined }, 400, /Org/, { orgWhenOmitted: 'primary' }],
    ['an unknown user, if that is a 404', 'full', { username: 'nobody' }, 404, /not found/, { unknownUserStatus: 404 }],
  ])('%s (token/%s)', async (_what, kind, changes, status, debug, switches = {}) => {
    simulator.set(switches);
    const users = simulator.state().users;
    const reply = await mint(kind, request(kind, changes));
    expect([reply.status, debugOf(reply.json)]).toEqual([status, expect.stringMatching(debug)]);
    expect(simulator.state()).toMatchObject({ mints: 0, tokens: [], users });
  });

  test.each([
    ['a body that is no JSON', '{', {}, 400],
    ['a body that is no object', '[]', {}, 400],
    ['no body', undefined, { 'content-type': 'application/json' }, 400],
    ['another content type', '{}', { 'content-type': 'text/plain' }, 415],
  ])('%s', async (_what, body, headers, status) => {
    const reply = await call(simulator.url, 'POST /api/rest/2.0/auth/token/full', { body, headers });
    expect(reply.status).toBe(status);
  });
});

describe('the field of the wrong endpoint gives a token for the wrong Org, without a word', () => {
  test.each([
    ['org_identifier on full', 'full', { org_id: undefined, org_identifier: '2' }],
    ['an org_id that is no number, on full', 'full', { org_id: '2' }],
    ['org_id on custom', 'custom', { org_identifier: undefined, org_id: 2 }],
  ] as const)('%s', async (_what, kind, changes) => {
    const reply = await mint(kind, request(kind, { username: 'svc-broker', ...changes }));
    expect(reply.status).toBe(200);
    expect(simulator.state().tokens).toMatchObject([{ org: 0 }]);
  });
});

describe('with both credentials, if they are not refused,', () => {
  const both = { username: 'svc-broker', secret_key: 'wrong', password: PASSWORD, org_id: 0 };
  test.each([
    ['password', both, 200],
    ['secret-key', both, 401],
    ['secret-key', { ...both, secret_key: '5d1c2f7e-93ab-4e0d-8c64-b7f2a90e4c11', password: 'wrong' }, 200],
  ] as const)('the %s counts', async (bothCredentials, body, status) => {
    simulator.set({ bothCredentials });
    expect((await mint('full', body)).status).toBe(status);
  });
});

describe('a mint with auto_create', () => {
  const user = (name: string) => simulator.state().users.find((known) => known.name === name);

  test('creates the user in the Org with its groups, and groups that are missing', async () => {
    await mint('full', request('full', { username: 'erin', auto_create: true, group_identifiers: ['new-group'] }));
    expect(user('erin')).toMatchObject({ status: 'ACTIVE', orgs: [1], groups: ['new-group'] });
  });

  test('is the default on custom, and not on full', async () => {
    expect((await mint('full', request('full', { username: 'erin' }))).status).toBe(400);
    expect((await mint('custom', request('custom', { username: 'erin' }))).status).toBe(200);
    expect(user('erin')).toBeDefined();
  });

  test('needs the secret key', async () => {
    const body = { username: 'svc-broker', password: PASSWORD, org_id: 1, auto_create: true };
    expect((await mint('full', body)).status).toBe(200);
    expect((await mint('full', { ...body, username: 'erin' })).status).toBe(401);
  });

  test.each([
    ['full', { group_identifiers: ['viewers'] }, ['viewers']],
    ['full', { group_identifiers: [] }, []],
    ['full', {}, ['analysts']],
    ['full', { group_identifiers: ['viewers'], auto_create: false }, ['analysts']],
    ['custom', { groups: [{ identifier: 'viewers' }] }, ['analysts']],
  ] as const)('on %s leaves an existing user with %j in groups %j', async (kind, changes, groups) => {
    expect((await mint(kind, request(kind, { auto_create: true, ...changes }))).status).toBe(200);
    expect(user('alice')?.groups).toEqual(groups);
  });
});

test('the Org’s own key works for its Org, which is then the default', async () => {
  const body = { username: 'carol', secret_key: simulator.secretKey(2) };
  const reply = await mint('full', body);
  expect(reply.json).toMatchObject({ scope: { org_id: 2 } });
});

test('with user_parameters on, runtime filters reach the token', async () => {
  simulator.set({ userParameters: true });
  const user_parameters = { runtime_filters: [{ column_name: 'region', operator: 'EQ', values: ['west'] }] };
  await mint('full', request('full', { user_parameters }));
  expect(simulator.state().tokens[0]?.entitlements.filters).toEqual([
    { column: 'region', operator: 'EQ', values: ['west'] },
  ]);
});
