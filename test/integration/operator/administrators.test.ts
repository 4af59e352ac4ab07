/** Administrators of an org (docs/adr/0031), through the gateway and the bundles: what they can do, and what they cannot. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDemoUsers } from '../../../local/issuer.ts';
import { type LocalBroker, startLocalBroker } from '../../../local/local-broker.ts';
import { type Answered, type Request, type Witness, witness } from '../../support/broker-witness.ts';
import { ledgerRows } from '../../support/ledger-rows.ts';

interface Document {
  readonly rules: readonly { readonly name: string; readonly when: { readonly all: readonly object[] } }[];
}
const document = JSON.parse(readFileSync(join(import.meta.dirname, '../../../local/policy.json'), 'utf8')) as Document;
const members = document.rules.find(({ name }) => name === 'tenant-members');
const admins = {
  ...members,
  name: 'admins',
  administers: 'own-org',
  when: { all: [...(members?.when.all ?? []), { claim: 'groups', contains: 'acme-admins' }] },
};
const { users, ...rest } = readDemoUsers();
const { alice, bob } = users;
/** alice works for both tenants; boss is an administrator of acme besides bob. */
const demo = {
  ...rest,
  users: {
    ...users,
    'alice at globex': {
      about: '',
      claims: { ...alice?.claims, sub: 'other', groups: ['viewers'], 'https://broker.example/tenant': 'globex' },
    },
    boss: { about: '', claims: { ...bob?.claims, sub: 'user-boss', preferred_username: 'boss' } },
  },
};

let broker: LocalBroker;
let seen: Witness;
beforeAll(async () => {
  const policy = { ...document, rules: [admins, ...document.rules] };
  broker = await startLocalBroker({ sweepEveryMs: null, users: demo, policy });
  seen = witness(broker);
});
afterAll(async () => {
  expect(await seen.leaks()).toEqual([]);
  await broker.close();
});

const post = (user: string, path: string, body: object) => seen.ask(user, path, { body });
const get = (user: string, path: string) => seen.ask(user, path, { method: 'GET' });
const said = ({ status, code }: Answered) => [status, code];
const OK = [200, undefined];
const SUSPENDED = [403, 'suspended'];
const REFUSED = [403, 'insufficient-scope'];
const tokenOf = async (user: string) => (await seen.ask(user)).json;
const isAlive = (token: unknown) => broker.simulator?.tokens().includes(String(token));

test('suspends a person within the org, who goes on in another, and lets her in again', async () => {
  const [here, there, carols] = [await tokenOf('alice'), await tokenOf('alice at globex'), await tokenOf('carol')];
  expect(said(await post('bob', '/suspend', { userName: 'alice' }))).toEqual(OK);
  expect(said(await seen.ask('alice'))).toEqual(SUSPENDED);
  expect([here, there, carols].map(({ token }) => isAlive(token))).toEqual([false, true, true]);
  expect((await tokenOf('alice at globex'))['leaseId']).toBe(there['leaseId']);

  const { json } = await get('bob', '/blocks');
  expect(json['blocks']).toMatchObject([{ scope: { kind: 'user', user: 'alice', orgId: 1 } }]);
  expect(said(await post('bob', '/reinstate', { userName: 'alice', orgId: 1 }))).toEqual(OK);
  expect(said(await seen.ask('alice'))).toEqual(OK);
  const line = broker.output.lines().find(({ text }) => text.includes('"action":"suspend"'))?.text ?? '';
  expect(line).toContain('"subject":"user-bob"');
  expect(line).toContain('covers user alice 1');
});

test('lists and revokes the leases of a person within the org, and of the whole org', async () => {
  const [here, there, carols] = [await tokenOf('alice'), await tokenOf('alice at globex'), await tokenOf('carol')];
  const { json } = await get('bob', '/leases?user=alice');
  expect(json['leases']).toMatchObject([{ leaseId: here['leaseId'], orgId: 1 }]);
  expect((await get('bob', '/leases?user=carol')).json).toEqual({ leases: [] });

  expect(said(await post('bob', '/leases/revoke', { userName: 'alice', keepSignIn: true }))).toEqual(OK);
  expect([here, there].map(({ token }) => isAlive(token))).toEqual([false, true]);
  const again = await tokenOf('alice');
  expect((await post('bob', '/leases/revoke', { orgId: 1, keepSignIn: true })).status).toBe(202);
  await seen.sweepToRest();
  expect([again, there, carols].map(({ token }) => isAlive(token))).toEqual([false, true, true]);
});

describe('cannot', () => {
  let carols: Readonly<Record<string, unknown>>;
  let alices: Readonly<Record<string, unknown>>;
  /** All rows that matter, and who lives. */
  const state = async () => {
    const { leases, cutOffs } = await ledgerRows(broker);
    const rows = leases.map(({ leaseId, state, generation, fingerprint }) => [leaseId, fingerprint, generation, state]);
    return JSON.stringify([rows, cutOffs, broker.simulator?.tokens()]);
  };
  beforeAll(async () => {
    carols = await tokenOf('carol');
    alices = await tokenOf('alice');
    await post('ops', '/suspend', { userName: 'mallory', orgId: 2 });
  });

  const of = (path: string, body: () => object, expected: unknown[] = REFUSED) => [path, body, expected] as const;
  const FAULT = [400, 'invalid-request'];
  const subject = () => ({ issuer: broker.issuer.url, sub: 'user-carol' });
  test.each<[string, readonly [path: string, body: () => object, expected: unknown[]]]>([
    ['revoke everybody', of('/leases/revoke', () => ({ all: true }))],
    ['revoke another org', of('/leases/revoke', () => ({ orgId: 2 }))],
    ['revoke no org', of('/leases/revoke', () => ({ orgId: -1 }), FAULT)],
    ['revoke an org that is a text', of('/leases/revoke', () => ({ orgId: '1' }), FAULT)],
    ['revoke somebody in another org', of('/leases/revoke', () => ({ userName: 'carol', orgId: 2 }))],
    ['revoke somebody in another org, in another case', of('/leases/revoke', () => ({ userName: 'CAROL', orgId: 2 }))],
    ['revoke a subject', of('/leases/revoke', () => ({ subject: subject() }))],
    ["revoke another's lease", of('/leases/revoke', () => ({ leaseId: carols['leaseId'] }))],
    ['revoke a lease that nobody has', of('/leases/revoke', () => ({ leaseId: 'made-up' }))],
    ['revoke a lease of the own org by its id', of('/leases/revoke', () => ({ leaseId: alices['leaseId'] }))],
    ["revoke another's token", of('/leases/revoke', () => ({ token: carols['token'] }))],
    ['revoke what a rule gave', of('/leases/revoke', () => ({ rule: 'tenant-members' }))],
    ['revoke what a policy gave', of('/leases/revoke', () => ({ policyVersion: 'x' }))],
    ['end shared leases', of('/leases/revoke', () => ({ userName: 'alice', endShared: true }))],
    ['revoke nothing', of('/leases/revoke', () => ({}), FAULT)],
    ['revoke two things', of('/leases/revoke', () => ({ userName: 'alice', orgId: 1, all: true }), FAULT)],
    ['use the route of callers', of('/revoketoken', () => ({ userName: 'alice', orgId: 1 }))],
    ['suspend everybody', of('/suspend', () => ({ all: true }))],
    ['suspend the own org, and be shut out with it', of('/suspend', () => ({ orgId: 1 }))],
    ['suspend another org', of('/suspend', () => ({ orgId: 2 }))],
    ['suspend a subject', of('/suspend', () => ({ subject: subject() }))],
    ['suspend somebody in another org', of('/suspend', () => ({ userName: 'carol', orgId: 2 }))],
    ['reinstate everybody', of('/reinstate', () => ({ all: true }))],
    ['reinstate the own org', of('/reinstate', () => ({ orgId: 1 }))],
    ['reinstate somebody in another org', of('/reinstate', () => ({ userName: 'mallory', orgId: 2 }))],
  ])('%s', async (_name, [path, body, expected]) => {
    const before = await state();
    expect(said(await post('bob', path, body()))).toEqual(expected);
    expect(await state()).toBe(before);
  });

  test.each<[string, string, unknown[]]>([
    ['list everybody', '/leases', FAULT],
    ['list another org', '/leases?user=carol&org=2', REFUSED],
    ['list unused users', '/leases?usersUnusedSince=1', REFUSED],
    ['list on from where another list ended', '/leases?user=alice&cursor=0%20x', FAULT],
    ['list all blocks, page by page', '/blocks?cursor=0%20', FAULT],
  ])('%s', async (_name, path, expected) => {
    expect(said(await get('bob', path))).toEqual(expected);
  });

  test('see a suspension in another org', async () => {
    expect(JSON.stringify((await get('bob', '/blocks')).json)).not.toContain('mallory');
    expect(JSON.stringify((await get('ops', '/blocks')).json)).toContain('mallory');
  });

  test('do anything unless a rule says so', async () => {
    for (const user of ['alice', 'carol', 'mallory']) {
      expect(said(await post(user, '/suspend', { userName: 'bob' }))).toEqual(REFUSED);
      expect(said(await get(user, '/leases?user=alice'))).toEqual(REFUSED);
      expect(said(await get(user, '/blocks'))).toEqual(REFUSED);
    }
  });

  const shutOut: readonly (readonly [string, object])[] = [
    ['as a person', { userName: 'boss' }],
    ['within the org', { userName: 'boss', orgId: 1 }],
    ['with the org', { orgId: 1 }],
    ['with everybody', { all: true }],
  ];
  test.each(shutOut)('do anything while shut out %s, nor end that', async (_name, whom) => {
    await post('ops', '/suspend', whom);
    const asked: readonly (readonly [string, Request])[] = [
      ['/suspend', { body: { userName: 'alice' } }],
      ['/reinstate', { body: { userName: 'boss' } }],
      ['/leases?user=alice', { method: 'GET' }],
    ];
    for (const [path, request] of asked) expect(said(await seen.ask('boss', path, request))).toEqual(SUSPENDED);
    expect(said(await post('ops', '/reinstate', whom))).toEqual(OK);
    expect(said(await get('boss', '/leases?user=alice'))).toEqual(OK);
  });

  test('lift a suspension of the person in every org', async () => {
    await post('ops', '/suspend', { userName: 'alice' });
    expect((await post('bob', '/reinstate', { userName: 'alice' })).json).toEqual({ reinstated: 0 });
    expect(said(await seen.ask('alice'))).toEqual(SUSPENDED);
    await post('ops', '/reinstate', { userName: 'alice' });
  });
});
