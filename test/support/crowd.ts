/** Many people who are alike: known to the issuer, active at ThoughtSpot, entitled by the demo policy. */
import { readDemoUsers, type DemoUsers } from '../../local/issuer.ts';
import type { LocalBroker } from '../../local/local-broker.ts';
import { readCluster, type Cluster } from '../../local/thoughtspot/cluster.ts';
import { operatorEvent } from '../../local/operator/operator-event.ts';

export function crowd(size: number): {
  readonly names: readonly string[];
  readonly users: DemoUsers;
  readonly cluster: Cluster;
} {
  const names = Array.from({ length: size }, (_, index) => `person${index + 1}`);
  const [cluster, users] = [readCluster(), readDemoUsers()];
  const [model, claims] = [cluster.users.find(({ name }) => name === 'alice'), users.users['alice']?.claims];
  if (model === undefined) throw new Error('The demo cluster has no alice.');
  return {
    names,
    users: {
      ...users,
      users: {
        ...users.users,
        ...Object.fromEntries(
          names.map((name) => [
            name,
            { about: 'one of a crowd', claims: { ...claims, sub: `user-${name}`, preferred_username: name } },
          ]),
        ),
      },
    },
    cluster: {
      ...cluster,
      users: [
        ...cluster.users,
        ...names.map((name, index) => ({
          ...model,
          name,
          id: `c0ffee00-0000-4000-8000-${String(index).padStart(12, '0')}`,
        })),
      ],
    },
  };
}

export interface LeaseRow {
  readonly user: string;
  readonly state: string;
}

/** The unfinished rows of the ledger, as the function `operator` shows them to an operator. */
export async function unfinishedRows(broker: LocalBroker): Promise<readonly LeaseRow[]> {
  const rows: LeaseRow[] = [];
  let cursor: string | undefined;
  do {
    const answer = await broker.invoke('operator', operatorEvent('GET', '/leases', { limit: 200, cursor }));
    if (answer.status !== 'answered') throw new Error(`The leases could not be listed: ${answer.status}`);
    const { body } = JSON.parse(answer.payload) as { body: string };
    const page = JSON.parse(body) as { leases: LeaseRow[]; next?: string };
    rows.push(...page.leases);
    cursor = page.next;
  } while (cursor !== undefined);
  return rows;
}
