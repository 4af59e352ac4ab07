/** Two people, mia and mona, whom a rule takes for one ThoughtSpot user, each with entitlements of their own. */
import { readFileSync } from 'node:fs';
import type { DemoUsers } from '../../local/issuer.ts';
import { DEFAULT_POLICY } from '../../local/settings.ts';
import type { Cluster } from '../../local/thoughtspot/cluster.ts';

const TEAM = 'acme-team';

export function withOneTeam(users: DemoUsers, cluster: Cluster) {
  const demo = JSON.parse(readFileSync(DEFAULT_POLICY, 'utf8')) as { readonly rules: readonly object[] };
  const claims = users.users['alice']?.claims;
  const [model] = cluster.users;
  if (model === undefined) throw new Error('The cluster has no users.');
  const member = (sub: string, region: string) => ({ about: '', claims: { ...claims, team: TEAM, sub, region } });
  return {
    policy: { ...demo, rules: [teamRule, ...demo.rules] },
    users: { ...users, users: { ...users.users, mia: member('mia', 'emea'), mona: member('mona', 'apac') } },
    cluster: { ...cluster, users: [...cluster.users, { ...model, name: TEAM, id: `guid-of-${TEAM}` }] },
  };
}

/** That the claim is the same for two people, no check can know. */
const teamRule = {
  name: 'teams',
  when: { claim: 'team', present: true },
  user: { claim: 'team' },
  org: 1,
  grants: [
    {
      name: 'regional',
      kind: 'custom',
      persist: 'REPLACE',
      variables: [{ name: 'region_var', values: { claim: 'region', allow: ['emea', 'apac'] } }],
      validity: { defaultSeconds: 300, minSeconds: 30, maxSeconds: 900 },
    },
  ],
  accept: ['entitlements-may-differ'],
};
