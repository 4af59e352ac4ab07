import { parseCluster, readCluster } from '../../../../local/thoughtspot/cluster.ts';

const demo = () => structuredClone(readCluster());

test('the demo cluster has the users that the demo needs', () => {
  const users = new Map(demo().users.map((user) => [user.name, user]));
  expect([...users.keys()]).toEqual(['alice', 'bob', 'carol', 'dave', 'svc-broker', 'prober', 'tsadmin']);
  expect(users.get('dave')?.status).toBe('INACTIVE');
  expect(users.get('svc-broker')?.orgs).toEqual([0, 1, 2]);
});

test.each<[string, (cluster: ReturnType<typeof demo>) => unknown, RegExp]>([
  ['no object', () => 7, /must be a JSON object/],
  ['no secret key', (cluster) => ({ ...cluster, secretKey: '' }), /secretKey must be/],
  ['no users', ({ users: _users, ...rest }) => rest, /users must be an array/],
  [
    'a user without name',
    (cluster) => ({ ...cluster, users: [{ id: 'x', orgs: [0], groups: [] }] }),
    /users\[0\]\.name/,
  ],
  [
    'an unknown field',
    (cluster) => ({ ...cluster, orgs: [{ id: 0, name: 'Primary', key: 'x' }] }),
    /orgs\[0\]\.key is not a known field/,
  ],
  ['no Primary Org', (cluster) => ({ ...cluster, orgs: cluster.orgs.slice(1) }), /Primary/],
  ['a user twice', (cluster) => ({ ...cluster, users: [...cluster.users, ...cluster.users] }), /alice is there twice/],
  ['a group that is missing', (cluster) => ({ ...cluster, groups: [] }), /group analysts of alice is missing/],
  [
    'an Org that is missing',
    (cluster) => ({ ...cluster, orgs: cluster.orgs.slice(0, 1) }),
    /is in Org 1, which is missing/,
  ],
])('a cluster file with %s is refused by name', (_what, spoil, message) => {
  expect(() => parseCluster(spoil(demo()))).toThrow(message);
});
