/** Shapes that several rooms recognise in data from outside, each defined once. */

/** A JSON object, as opposed to null, a list or a scalar. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Removes the byte order mark that Windows editors and some servers write before JSON, which JSON.parse refuses. */
export const withoutMark = (text: string): string => text.replace(/^\ufeff/, '');

/** Control, format, surrogate, private-use, unassigned and other invisible characters (the blank of Braille, too), and line separators. */
export const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

export const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Where an issuer describes itself (OpenID Connect Discovery 1.0, 4): issuers that differ in a slash share it. */
export const discoveryOf = (issuer: string): string => `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;

/** RFC 6761 reserves every name under `localhost` for the machine itself. */
const LOOPBACK = /^(([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether a URL leads to this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return LOOPBACK.test(hostname);
}

/** The text as an origin that credentials may travel to: a secure URL without path, query or embedded credentials. */
export function secureOrigin(text: string): string | undefined {
  const url = secureUrl(text);
  return url !== undefined && (text === url.origin || text === `${url.origin}/`) ? url.origin : undefined;
}

/** The text as a URL that credentials may travel to: https, or http to this machine. Undefined for anything else. */
export function secureUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null) return undefined;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)) ? url : undefined;
}
