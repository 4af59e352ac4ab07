/** The issuers of an environment: whose access tokens count, and where their callers have their routes. */
import { z } from 'zod';
import { ISSUER_NAME } from '../functions/contract/functions.ts';
import { discoveryOf, isLoopback } from '../functions/contract/shapes.ts';
import { faultOfVariable } from '../functions/wiring/config.ts';

export const required = (problem: string) => ({ error: problem });

/** https; in development also http to this machine, as an emulator of AWS or a simulator of ThoughtSpot has it. */
export const isSecure = (url: URL, development: boolean): boolean =>
  url.protocol === 'https:' || (development && url.protocol === 'http:' && isLoopback(url));

const issuerUrl = (development: boolean) =>
  z.string(required('is missing; write the iss claim')).refine((value) => {
    const url = URL.parse(value);
    return url !== null && isSecure(url, development) && url.search === '' && url.hash === '' && !/\s/.test(value);
  }, 'must be https and exactly the iss claim; API Gateway reads <issuer>/.well-known/openid-configuration');

const keysUrl = (development: boolean) =>
  z.string().refine((value) => {
    const url = URL.parse(value);
    return url !== null && isSecure(url, development);
  }, 'must be the https URL of the key set; left out, it is read from the discovery document');

/** As the functions read it (functions/identity/issuers.ts), but for its length, which is API Gateway's. */
const scope = z
  .string(required('is missing; write the scope as it is in the token'))
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/, 'must be one scope of at most 64 characters, or none');

/** An OIDC issuer whose access tokens count. The first has the routes at the root, others have theirs at `/i/<name>/...`. */
const issuerIn = (development: boolean) =>
  z.strictObject({
    name: z
      .string()
      .regex(ISSUER_NAME, 'use 1 to 32 of a-z, 0-9 and -, a letter first; it is a part of the path')
      .optional(),
    url: issuerUrl(development),
    audiences: z
      .array(z.string().min(1))
      .min(1, 'name at least one; otherwise any token of the issuer would be accepted')
      .max(50, 'API Gateway has room for 50'),
    /**
     * `token: 'none'` only if the issuer cannot issue scopes: then any token with the audience is accepted. `revoke`: of operators,
     * who list, revoke and suspend everybody, of whatever issuer. Left out, nobody of this one is an operator.
     */
    scopes: z.strictObject({
      token: scope,
      revoke: scope
        .refine((value) => value !== 'none', 'operators always need a scope; leave it out for none')
        .optional(),
    }),
    /** What it signs with; API Gateway takes no other than these. */
    algorithms: z
      .array(z.enum(['RS256', 'RS384', 'RS512'], 'choose RS256, RS384 or RS512'))
      .min(1)
      .default(['RS256']),
    /** Where its keys are. Left out, the functions ask its discovery document first, one round trip more. */
    jwksUri: keysUrl(development).optional(),
    /** Longest that its access tokens may live, s; 86,400 (a day) if left out. Longer ones are refused. */
    longestTokenSeconds: z.int().min(60).max(604_800).optional(),
    /** The claim of its access tokens that names the session, which a logout token calls `sid` (docs/front-end.md). */
    sessionClaim: z.string().min(1).optional(),
    /** Ids of the front ends' clients there: takes its logout tokens for them, at `POST /backchannel-logout`. */
    logoutClients: z.array(z.string().min(1)).min(1, 'name a client, or leave it out').optional(),
    /** Auth0, and older Keycloak, write this as the type of logout tokens. Others must write `logout+jwt`, or none. */
    logoutType: z.literal('JWT').optional(),
    /** Set it where its access tokens have no `nonce`: a token with one is an ID token then, and is refused. */
    refuseNonce: z.boolean().optional(),
  });

/** API Gateway has room for this many authorizers. */
const MOST_ISSUERS = 10;
/** All variables of a function together have 4 KB. */
const LONGEST_ISSUERS = 2_500;

export const issuersIn = (development: boolean) =>
  z
    .array(issuerIn(development), required('is missing; list at least one issuer, as in dev.ts'))
    .min(1, 'list at least one issuer')
    .max(MOST_ISSUERS, `API Gateway has room for ${MOST_ISSUERS}`)
    .superRefine((all, context) => {
      const fault = (path: PropertyKey[], message: string) =>
        context.addIssue({ code: 'custom', path, message, input: all });
      for (const [index, { name, url }] of all.entries()) {
        const before = all.slice(0, index);
        if (index === 0 && name !== undefined) fault([0, 'name'], 'must be left out: its routes are at the root');
        if (index > 0 && name === undefined) fault([index, 'name'], 'is missing; its routes are at /i/<name>/...');
        if (name !== undefined && before.some((other) => other.name === name))
          fault([index, 'name'], 'is that of another issuer');
        if (before.some((other) => discoveryOf(other.url) === discoveryOf(url)))
          fault([index, 'url'], 'is that of another issuer; one issuer may have several audiences');
      }
      const text = JSON.stringify(all);
      if (text.length > LONGEST_ISSUERS)
        fault([], `have ${text.length} characters as JSON; at most ${LONGEST_ISSUERS} fit`);
      const refused = context.issues.length === 0 ? faultOfVariable('ISSUERS', text) : undefined;
      if (refused !== undefined) fault([], refused);
    });
