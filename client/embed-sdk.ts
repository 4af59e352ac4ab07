/**
 * What the client knows of ThoughtSpot's Visual Embed SDK: it keeps its token and its configuration in a global slot
 * (`_tsEmbedSDK`), and asks for a token again without saying why (wire facts 5).
 */
import { fieldOf, isNo } from './token-error.ts';
import { within } from './time-limit.ts';

const slot = (): unknown => fieldOf(globalThis, '_tsEmbedSDK');

/** The token that the SDK holds, if it holds one. */
export function tokenOfSdk(): unknown {
  return fieldOf(slot(), 'cachedAuthToken');
}

/** Makes the SDK forget its token, so that it cannot show one user's data to the next. */
export function clearSdk(): void {
  Reflect.set(Object(slot()) as object, 'cachedAuthToken', null);
}

/**
 * Whether ThoughtSpot says that this token is dead, by the request with which the SDK itself checks one. False also where
 * that cannot be told, or where the page has switched such checks off.
 */
export async function isDead(token: string, send: typeof fetch, timeoutMs: number): Promise<boolean> {
  const config = fieldOf(slot(), 'embedConfig');
  const host = fieldOf(config, 'thoughtSpotHost');
  if (typeof host !== 'string' || fieldOf(config, 'disableTokenVerification')) return false;
  const headers = { authorization: `Bearer ${token}` };
  return within(timeoutMs, (signal) =>
    send(`${host}/callosum/v1/session/isactive`, { headers, credentials: 'omit', signal }),
  ).then(
    ({ status }) => isNo(status),
    () => false,
  );
}
