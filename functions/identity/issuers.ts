import * as z from 'zod/mini';
import { ISSUER_NAME } from '../contract/functions.ts';
import { discoveryOf, secureUrl } from '../contract/shapes.ts';

const text = z.string().check(z.minLength(1));
const address = text.check(z.refine((value) => secureUrl(value) !== undefined));
/** A scope token (RFC 6749, 3.3). */
const scope = z.string().check(z.regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/));
const issuer = z.strictObject({
  /** Part of the path of its routes, `/i/<name>/...`. The one without a name has the routes at the root. */
  name: z.exactOptional(z.string().check(z.regex(ISSUER_NAME))),
  /** Exactly as in the `iss` of its tokens. */
  url: address,
  /** One of them is in the `aud` of a token, or is its `client_id` where it has no `aud`. */
  audiences: z.array(text).check(z.minLength(1)),
  /** What it calls the scope of callers (`none`: it has no such scope), and of operators over all; left out: it has none. */
  scopes: z.strictObject({ token: scope, revoke: z.exactOptional(scope.check(z.refine((value) => value !== 'none'))) }),
  /** What it signs with; the gateway takes no others. */
  algorithms: z.array(z.enum(['RS256', 'RS384', 'RS512'])).check(z.minLength(1)),
  /** Where its keys are; left out: where its discovery document says. */
  jwksUri: z.exactOptional(address),
  /** Longest that its access tokens may live (`exp - iat`), s: for so long a sign-out is kept. Left out: a day. */
  longestTokenSeconds: z.exactOptional(z.int().check(z.minimum(60), z.maximum(604_800))),
  /** The claim of its access tokens that names the session there; it is what a logout token has as `sid`. */
  sessionClaim: z.exactOptional(text),
  /** Clients whose logout tokens count, by their ids there: the `aud` of those tokens. Left out: it has no such route. */
  logoutClients: z.exactOptional(z.array(text).check(z.minLength(1))),
  /** A header `typ` of its logout tokens that says nothing of the kind, and counts besides `logout+jwt` and none: Auth0 has it. */
  logoutType: z.exactOptional(z.literal('JWT')),
  /** Its access tokens have no `nonce`, so that a token with one must be an ID token. */
  refuseNonce: z.exactOptional(z.boolean()),
});

/** An OIDC issuer, and which of its tokens count. */
export type IssuerSettings = Readonly<z.infer<typeof issuer>>;

export const longestSecondsOf = ({ longestTokenSeconds = 86_400 }: IssuerSettings): number => longestTokenSeconds;

/** The first has no name. A route, and an `iss`, is of one issuer only. */
const areDistinct = (all: readonly IssuerSettings[]) =>
  all[0]?.name === undefined &&
  new Set(all.flatMap(({ name, url }) => [name, discoveryOf(url)])).size === 2 * all.length;

/** The issuers that a JSON text lists; undefined if it lists none, or if anything in it is not as it must be. */
export function parseIssuers(json: string): readonly IssuerSettings[] | undefined {
  try {
    return z.array(issuer).check(z.minLength(1), z.refine(areDistinct)).parse(JSON.parse(json));
  } catch {
    return undefined;
  }
}
