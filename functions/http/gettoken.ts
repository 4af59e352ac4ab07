import * as z from 'zod/mini';
import type { Clock } from '../broker/ports.ts';
import type { GetToken, IssuedToken } from '../broker/use-cases.ts';
import { GUID } from '../contract/shapes.ts';
import { json, plain } from './answer.ts';
import { integer, readBody, text } from './fields.ts';
import type { Route } from './http-entry.ts';

const named = (pattern: RegExp, otherwise: string) => z.string('must be a string').check(z.regex(pattern, otherwise));

const BODY = z.strictObject({
  grant: z.exactOptional(named(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'is not the name of a grant')),
  objectId: z.exactOptional(named(GUID, 'must be a GUID')),
  validitySeconds: z.exactOptional(integer(1, 2_147_483_647)),
  fresh: z.exactOptional(z.boolean('must be true or false')),
  replace: z.exactOptional(text(1_024)),
});

/** `POST /gettoken`: the token as JSON, or bare where the caller prefers text/plain. */
export function gettokenRoute(getToken: GetToken, clock: Clock): Route {
  return {
    scopes: ['token'],
    async answer({ event, caller, deadline }) {
      const issued = await getToken(caller, readBody(event, BODY), deadline);
      return prefersText(event.headers['accept']) ? plain(200, issued.token) : json(200, bodyOf(issued, clock.now()));
    },
  };
}

/** The seed's SessionLoginResponse (five strings) and what a client needs to keep the token fresh. */
function bodyOf({ token, lease, userName, orgId, expiresAt, refreshAfter }: IssuedToken, servedAt: number) {
  const createdAt = lease.upstreamCreatedAt ?? lease.issuedAt ?? lease.reservedAt;
  const lifetimeSeconds = lease.lifetimeSeconds ?? Math.max(0, Math.floor((expiresAt - createdAt) / 1000));
  return {
    userName,
    token,
    tokenCreatedTime: String(createdAt),
    tokenExpiryDuration: String(lifetimeSeconds),
    tokenType: lease.tokenType ?? 'Bearer',
    leaseId: lease.leaseId,
    orgId,
    expiresAt,
    refreshAfter,
    // A browser's clock may be wrong: with this it still knows when to refresh.
    servedAt,
  };
}

/**
 * Whether the caller would rather have `text/plain` than `application/json` (RFC 9110, 12.5.1): the higher quality wins,
 * then the closer name. On a tie, and if neither is acceptable, JSON.
 */
export function prefersText(accept: string | undefined): boolean {
  const ranges = (accept ?? '').toLowerCase().split(',').map(readRange);
  // The closest name decides alone: `text/plain;q=0, */*` refuses text.
  const weigh = (...names: readonly string[]) => {
    const distance = names.findIndex((name) => ranges.some((range) => range.name === name));
    const closest = ranges.filter(({ name }) => name === names[distance]);
    return { distance, quality: Math.max(0, ...closest.map(({ quality }) => quality)) };
  };
  const text = weigh('text/plain', 'text/*', '*/*');
  const json = weigh('application/json', 'application/*', '*/*');
  if (text.quality !== json.quality) return text.quality > json.quality;
  return text.quality > 0 && text.distance < json.distance;
}

function readRange(range: string) {
  const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
  const quality = parameters.find((part) => /^q\s*=/.test(part))?.replace(/^q\s*=\s*/, '') ?? '1';
  return { name, quality: /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(quality) ? Number(quality) : 0 };
}
