/**
 * The worked policies of infra/environments through the bundles that are deployed, against the simulated cluster: each
 * of their cases is asked for over HTTP, and what ThoughtSpot was sent is read back from it.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isPerEntitlement } from '../../../functions/broker/lease.ts';
import { parseCases, type PolicyCase } from '../../../infra/policy/cases.ts';
import { type LocalBroker, startLocalBroker } from '../../../local/local-broker.ts';
import { readCluster } from '../../../local/thoughtspot/cluster.ts';

const folder = path.join(__dirname, '..', '..', '..', 'infra', 'environments');
const read = (file: string): unknown => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));

/** The gateway refuses a token that has ended, the local issuer signs as itself, and it is now: other cases are unit tests. */
const canBeAsked = ({ callerTokenSeconds, at, expect: expected, claims }: PolicyCase): boolean =>
  callerTokenSeconds === undefined &&
  at === undefined &&
  !(claims['iss'] !== undefined && expected.rule === 'auditors');

interface Granted {
  readonly user: string;
  readonly orgId: number;
  readonly rights: Rights;
  readonly provisioning?: { readonly displayName?: string; readonly email?: string; readonly groups: string[] } | null;
}
type Rights =
  | { readonly kind: 'full' }
  | { readonly kind: 'object'; readonly objectId: string }
  | {
      readonly kind: 'custom';
      readonly persist: string;
      readonly variables: readonly { name: string; values: string[] }[];
    };

/** A cluster with the orgs of the policy, and the users that the policy does not have created. */
function clusterFor(cases: readonly PolicyCase[]) {
  const granted = cases.flatMap(({ expect: expected }) => ('refused' in expected ? [] : [expected]));
  const orgs = [...new Set(granted.map(({ orgId }) => orgId))];
  const users = granted.filter(({ provisioning }) => provisioning === null || provisioning === undefined);
  const names = [...new Set(users.map(({ user }) => user))];
  return {
    ...readCluster(),
    orgs: [...new Set([0, ...orgs])].map((id) => ({ id, name: `org ${id}` })),
    groups: [],
    users: names.map((name) => ({ name, id: `guid-of-${name}`, orgs, groups: [] })),
    liveboards: granted.flatMap(({ orgId, rights }) => {
      const { objectId } = rights as { objectId?: string };
      return objectId === undefined ? [] : [{ id: objectId, name: 'Liveboard', org: orgId }];
    }),
  };
}

describe.each(['policy.dev', 'policy.prod', 'policy.example-abac'])('%s, end to end', (name) => {
  const cases = parseCases(read(`${name}.cases.json`));
  let broker: LocalBroker;

  beforeAll(async () => {
    const users = { audience: 'thoughtspot-token-broker', users: { anyone: { about: 'every caller', claims: {} } } };
    broker = await startLocalBroker({
      policy: path.join(folder, `${name}.json`),
      users,
      simulator: { cluster: clusterFor(cases) },
      sweepEveryMs: null,
    });
  });
  afterAll(() => broker.close());

  async function ask(one: PolicyCase, body: object | undefined, query = '', headers: Record<string, string> = {}) {
    // A subject of its own for each case: no case is served the token of another.
    const claims = { ...one.claims, iss: broker.issuer.url, sub: one.name, scope: 'broker:token' };
    const response = await fetch(`${broker.url}/gettoken${query}`, {
      method: 'POST',
      headers: {
        ...headers,
        authorization: `Bearer ${await broker.issuer.accessToken('anyone', claims)}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
  }

  it.each(cases.filter(canBeAsked).map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const before = broker.simulator?.requests().length ?? 0;
    const { status, answer } = await ask(one, one.request);
    const mints = broker.simulator?.requests().slice(before) ?? [];
    if (one.claims['token_use'] === 'id') {
      // Refused before any policy is asked.
      expect([status, answer['code'], mints]).toEqual([401, 'invalid-token', []]);
      return;
    }
    if ('refused' in one.expect) {
      expect([status, answer['code']]).toEqual([one.expect.refused === 'not-entitled' ? 403 : 400, one.expect.refused]);
      expect(mints).toEqual([]);
      return;
    }
    const expected = one.expect as unknown as Granted;
    const granted = { ...expected, user: expected.user === one.claims['sub'] ? one.name : expected.user };
    const userName = String(answer['userName']);
    expect(isPerEntitlement(userName) ? userName.slice(0, -17) : userName).toBe(granted.user);
    expect({ status, ...answer }).toMatchObject({ status: 200, orgId: granted.orgId });
    expect(mints).toHaveLength(1);
    expect(mints[0]?.endpoint).toContain(`/auth/token/${granted.rights.kind}`);
    expect(mints[0]?.body).toMatchObject(onTheWire({ ...granted, user: userName }));

    const hostile = { 'x-user-name': 'tsadmin', 'x-forwarded-user': 'tsadmin', 'x-ts-org-id': '0' };
    const again = await ask(one, one.request, '?userName=tsadmin&orgId=0&grant=other', hostile);
    expect(again.answer).toMatchObject({ userName, orgId: granted.orgId, leaseId: answer['leaseId'] });
    const forged = await ask(one, { ...one.request, userName: 'tsadmin', orgId: 0 });
    expect([forged.status, forged.answer['code']]).toEqual([400, 'invalid-request']);
    expect(broker.simulator?.requests()).toHaveLength(before + 1);
  });
});

/** User, org, auto_create and persist_option are always said, never left to ThoughtSpot's defaults. */
function onTheWire({ user, orgId, rights, provisioning }: Granted): object {
  const who = { username: user, auto_create: Boolean(provisioning) };
  const profile = provisioning ? { display_name: provisioning.displayName, email: provisioning.email } : {};
  if (rights.kind !== 'custom') {
    const groups = provisioning ? { group_identifiers: provisioning.groups } : {};
    const object = rights.kind === 'object' ? { object_id: rights.objectId } : {};
    return { ...who, ...profile, ...groups, ...object, org_id: orgId };
  }
  const variables = rights.variables.map((variable) => ({ ...variable }));
  return {
    ...who,
    ...profile,
    org_identifier: String(orgId),
    persist_option: rights.persist,
    variable_values: variables,
  };
}
