import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import { ISSUER_NAME } from '../contract/functions.ts';
import { secureUrl, withoutMark } from '../contract/shapes.ts';

/** A client of the OIDC issuer, in the sense of OAuth: the prober signs in as it with the client credentials grant. */
export interface OidcClient {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface ProberCredential extends OidcClient {
  readonly tokenUrl: string;
  /** Name of the issuer, whose routes are called; left out: the first, which has no name. */
  readonly issuer?: string | undefined;
  readonly scope?: string | undefined;
  /** Some issuers want it as a parameter of the token request. */
  readonly audience?: string | undefined;
  /** A second client, to which the policy grants nothing. */
  readonly unentitled?: OidcClient | undefined;
}

const text = z.string('is missing or not a string').check(
  z.minLength(1, 'is empty'),
  z.refine((value) => value.isWellFormed(), 'holds half a character'),
);
const tokenUrl = text.check(z.refine((value) => secureUrl(value) !== undefined, 'is no https URL'));
const client = { clientId: text, clientSecret: text };
const document = z.strictObject({
  ...client,
  tokenUrl,
  issuer: z.optional(text.check(z.regex(ISSUER_NAME, 'is not the name of an issuer'))),
  scope: z.optional(text),
  audience: z.optional(text),
  unentitled: z.optional(z.strictObject(client)),
});

/** Parses the prober's secret. Throws Failure `misconfigured` that names each fault by its path, never a value. */
export function parseProberSecret(secret: string): ProberCredential {
  const result = document.safeParse(jsonOf(secret));
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `$.${path.map(String).join('.')}: ${message}`);
  throw new Failure('misconfigured', { reason: `the prober's secret: ${faults.join('; ')}` });
}

function jsonOf(secret: string): unknown {
  try {
    return JSON.parse(withoutMark(secret));
  } catch {
    // The parser's own words may repeat what it read.
    throw new Failure('misconfigured', { reason: "the prober's secret is not JSON" });
  }
}
