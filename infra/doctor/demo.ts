import { z } from 'zod';
import { isLoopback, withoutMark } from '../../functions/contract/shapes.ts';
import { readIfThere } from './options.ts';

const cluster = z.object({
  secretKey: z.string(),
  users: z.array(z.object({ name: z.string(), orgs: z.array(z.number()), password: z.string().optional() })),
});

export interface DemoCluster {
  readonly secretKey: string;
  readonly user: string;
  readonly orgId: number | undefined;
  /** The account for session-v2. */
  readonly account: { readonly userName: string; readonly password: string } | undefined;
}

/** The demo key and a demo user of the simulator, for a host on this machine; undefined for any other host. */
export function demoCluster(host: string): DemoCluster | undefined {
  const text = isLoopback(new URL(host)) ? readIfThere('local', 'thoughtspot', 'cluster.json') : undefined;
  if (text === undefined) return undefined;
  const { secretKey, users } = cluster.parse(JSON.parse(withoutMark(text)));
  const [user] = users;
  const account = users.find(({ password }) => password !== undefined);
  return {
    secretKey,
    user: user?.name ?? 'alice',
    orgId: user?.orgs[0],
    account: account?.password === undefined ? undefined : { userName: account.name, password: account.password },
  };
}

/** An access token for a demo user of an issuer, from a broker on this machine; undefined for any other broker. */
export async function demoJwt(broker: string, user: string, issuer?: string): Promise<string | undefined> {
  if (!isLoopback(new URL(broker))) return undefined;
  try {
    const query = new URLSearchParams({ user, ...(issuer !== undefined && { issuer }) });
    const answer = await fetch(`${broker}/__local/jwt?${query}`);
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}
