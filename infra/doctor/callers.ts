/** With whose access tokens the broker is examined, and at which routes: each issuer has its own. */
import { ISSUER_NAME } from '../../functions/contract/functions.ts';
import { meant } from '../nearest-name.ts';
import { type Options, UsageError } from './options.ts';

export interface ExaminedCaller {
  /** Name of the issuer whose routes are called; undefined for the first one. */
  readonly issuer: string | undefined;
  readonly jwt: string | undefined;
  /** Of a caller to whom the policy grants nothing. */
  readonly unentitledJwt: string | undefined;
}

type Known = readonly { readonly name?: string | undefined; readonly url: string }[];
type Tokens = Pick<Options, 'issuer' | 'jwts' | 'unentitledJwt'>;

/**
 * One caller for each issuer of the environment, with the access token that is of it; without an environment one, of the
 * issuer that is named. Throws UsageError for an issuer that is not known, and for two access tokens of one issuer.
 */
export function callersOf({ issuer, jwts, unentitledJwt }: Tokens, known?: Known): readonly ExaminedCaller[] {
  if (issuer !== undefined && !(known?.some(({ name }) => name === issuer) ?? ISSUER_NAME.test(issuer)))
    throw new UsageError(`--issuer ${issuer} is none of the issuers${listed(known ?? [], issuer)}`);
  const issuers = known ?? [{ name: issuer, url: '' }];
  const nameFor = (jwt: string) => {
    const iss = issuer === undefined && issuers.length > 1 ? issOf(jwt) : undefined;
    if (iss === undefined) return issuer;
    const own = issuers.find(({ url }) => url === iss);
    if (own !== undefined) return own.name;
    throw new UsageError(`An access token is of ${iss}, which is none of the issuers${listed(issuers)}`);
  };
  const owned = [jwts, unentitledJwt === undefined ? [] : [unentitledJwt]].map((tokens) =>
    tokens.map((jwt) => ({ jwt, owner: nameFor(jwt) })),
  );
  return issuers.map(({ name }) => {
    const [own = [], strangers = []] = owned.map((tokens) => tokens.filter(({ owner }) => owner === name));
    if (own.length > 1) throw new UsageError(`Give one access token of ${name ?? 'the first issuer'}, not several.`);
    return { issuer: name, jwt: own[0]?.jwt, unentitledJwt: strangers[0]?.jwt };
  });
}

function listed(known: Known, misspelt = ''): string {
  const names = known.flatMap(({ name }) => name ?? []);
  const all = known.map(({ name, url }) => `${name ?? 'the first, which has no name'} (${url})`);
  return known.length === 0 ? '.' : `${meant(misspelt, names) || '.'} Known: ${all.join(', ')}.`;
}

/** Who issued an access token, by its own word; undefined if it cannot be read. */
function issOf(jwt: string): string | undefined {
  try {
    const payload = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as {
      iss?: unknown;
    } | null;
    return typeof payload?.iss === 'string' ? payload.iss : undefined;
  } catch {
    return undefined;
  }
}
