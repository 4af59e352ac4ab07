import { Finding, Skipped } from './checklist.ts';
import type { Examine } from './checklist.ts';

const TIMEOUT_MS = 10_000;

export interface CorsQuestion {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly origins: readonly string[];
  /** What to do about an origin that is not allowed. */
  readonly cure: (origin: string) => string;
}

/** Sends a preflight request for each origin, as a browser would, to see whether the origin may call. */
export async function examineCors(examine: Examine, { url, method, origins, cure }: CorsQuestion): Promise<void> {
  if (origins.length === 0)
    await examine('CORS', async () => Promise.reject(new Skipped('no origin to check: add --origin <https://...>')));
  for (const origin of origins) {
    await examine(`CORS ${origin}`, async () => {
      const allowed = await allowedOrigin(url, method, origin);
      if (allowed === origin) return ['may call', undefined];
      const said = allowed === null ? 'no origin at all' : `${allowed} instead`;
      throw new Finding(`a browser at ${origin} may not call: the preflight allows ${said}`, cure(origin));
    });
  }
}

async function allowedOrigin(url: string, method: string, origin: string): Promise<string | null> {
  try {
    const answer = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,content-type',
      },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return answer.headers.get('access-control-allow-origin');
  } catch {
    throw new Finding('the preflight got no answer', 'See the first failure above.');
  }
}
