/** A crowd that holds tokens of a whole local broker: minted through its gateway, in its sandboxes. */
import type { LocalBroker } from '../local/local-broker.ts';

/** People who sign in at the same time. */
const BROWSERS = 3;

/** Mints for everybody, without ThoughtSpot's rate limit; their access tokens. Throws for anybody who is refused. */
export async function holdTokens(
  { url, issuer, simulator }: LocalBroker,
  names: readonly string[],
  claimsOf: (name: string) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<ReadonlyMap<string, string>> {
  const queue = [...names];
  const jwts = new Map<string, string>();
  const limited = simulator?.switches().rateLimit ?? false;
  const browser = async () => {
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const jwt = await issuer.accessToken(name, claimsOf(name));
      const headers = { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ validitySeconds: 3_600 });
      const answer = await fetch(`${url}/gettoken`, { method: 'POST', headers, body });
      if (answer.status !== 200) throw new Error(`${name} has no token: ${answer.status} ${await answer.text()}`);
      await answer.text();
      jwts.set(name, jwt);
    }
  };
  simulator?.set({ rateLimit: false });
  await Promise.all(Array.from({ length: BROWSERS }, browser));
  simulator?.set({ rateLimit: limited });
  return jwts;
}
