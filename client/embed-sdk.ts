/**
 * What the client knows of ThoughtSpot's Visual Embed SDK: it keeps its token and its configuration in a global slot
 * (`_tsEmbedSDK`), and asks for a token again without saying why (wire facts 5).
 */
import { fieldOf } from './token-error.ts';
import { within } from './time-limit.ts';

const slot = (): unknown => Reflect.get(globalThis, '_tsEmbedSDK');

/** The token that the SDK holds, if it holds one. */
export function tokenOfSdk(): unknown {
  return fieldOf(slot(), 'cachedAuthToken') ?? undefined;
}

/** Makes the SDK forget its token, so that it cannot show one user's data to the next. */
export function clearSdk(): void {
  const held = slot();
  if (typeof held === 'object' && held !== null) Reflect.set(held, 'cachedAuthToken', null);
}

/**
 * Whether ThoughtSpot takes this token, by the request with which the SDK itself checks one; undefined if that cannot be
 * told, or if the page has switched such checks off.
 */
export async function isAccepted(token: string, send: typeof fetch, timeoutMs: number): Promise<boolean | undefined> {
  const config = fieldOf(slot(), 'embedConfig');
  const host = fieldOf(config, 'thoughtSpotHost');
  if (typeof host !== 'string' || fieldOf(config, 'disableTokenVerification') === true) return undefined;
  const headers = { authorization: `Bearer ${token}`, 'x-requested-by': 'ThoughtSpot' };
  try {
    const { ok, status } = await within(timeoutMs, 'ThoughtSpot', (signal) =>
      send(`${host}/callosum/v1/session/isactive`, { headers, credentials: 'omit', cache: 'no-store', signal }),
    );
    return ok ? true : status === 401 || status === 403 ? false : undefined;
  } catch {
    return undefined;
  }
}
