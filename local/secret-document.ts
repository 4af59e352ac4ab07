/** The secret's JSON, as an operator would have put it into Secrets Manager. */
import { randomBytes } from 'node:crypto';
import type { ThoughtSpotChoice } from './settings.ts';
import type { Cluster } from './thoughtspot/cluster.ts';

/** For a real cluster the credential given; for the simulator what its cluster file says, by dialect. */
export function secretDocument(thoughtspot: ThoughtSpotChoice, cluster: Cluster): object {
  const digestKey = randomBytes(32).toString('base64');
  if (thoughtspot.kind === 'cluster') return { ...thoughtspot.credential, digestKey };
  if (thoughtspot.dialect === 'session-v2') {
    const account = cluster.users.find(({ name }) => name === 'svc-broker');
    return { userName: account?.name, password: account?.password, digestKey };
  }
  const own = cluster.orgs.flatMap(({ id, secretKey }) =>
    secretKey === undefined ? [] : [[id, { secretKey }] as const],
  );
  return { secretKey: cluster.secretKey, digestKey, ...(own.length > 0 && { orgs: Object.fromEntries(own) }) };
}
