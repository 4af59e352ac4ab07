/** The verification that every JWT of an issuer goes through, whatever it is for. */
import type { KeyObject } from 'node:crypto';
import { JwtBaseError, JwtInvalidSignatureError, JwtParseError } from 'aws-jwt-verify/error';
import type { JwtHeader, JwtPayload } from 'aws-jwt-verify/jwt-model';
import { verifyJwt } from 'aws-jwt-verify/jwt-verifier';
import { Failure } from '../broker/failure.ts';
import type { IssuerSettings } from './issuers.ts';
import type { KeySet } from './key-set.ts';

/** Others have clocks of their own: a token may begin this much later by ours, ms. */
const CLOCK_SKEW_MS = 5_000;

/** What a token must not have, in words for people, without a value of it: [whether it has it, the words]. */
export type Fault = readonly [found: boolean, words: string];
/** The faults that only one kind of token can have. */
export type FaultsOf = (token: JwtHeader, payload: JwtPayload, issuer: IssuerSettings, now: number) => readonly Fault[];

/** The claims that the issuer has signed, of a token that has none of the faults. Throws Failure `invalid-token`. */
export async function verified(
  token: string,
  issuer: IssuerSettings,
  keys: KeySet,
  now: number,
  faultsOf: FaultsOf,
): Promise<JwtPayload> {
  let key: KeyObject | undefined;
  // The library tells the time by a clock of its own, and does not know `client_id`: both are checked by the faults.
  const options = { issuer: issuer.url, audience: null, graceSeconds: Infinity };
  const find: Parameters<typeof verifyJwt>[3] = async (_address, { header, payload }) => {
    // First what needs no key, so that only a token that could be good makes anybody ask the issuer.
    const faults = [...faultsOfAny(header, payload, issuer, now), ...faultsOf(header, payload, issuer, now)];
    const fault = faults.find(([found]) => found);
    if (fault !== undefined) throw invalid(fault[1]);
    const found = await keys.find(header.kid ?? '');
    key = found.key;
    return found.jwk;
  };
  try {
    if (token.split('.').map(respelled).join('.') !== token) throw new JwtParseError('spelled in another way');
    return await verifyJwt(token, issuer.url, options, find, () => Promise.resolve(key ?? {}));
  } catch (error) {
    // The library's own words quote claims.
    if (error instanceof JwtParseError) throw invalid('it is no JWT, or a claim has the wrong type');
    if (error instanceof JwtInvalidSignatureError) throw invalid('its signature is wrong');
    if (error instanceof JwtBaseError) throw invalid('its key is not for its algorithm');
    throw error;
  }
}

function faultsOfAny(header: JwtHeader, payload: JwtPayload, issuer: IssuerSettings, now: number): readonly Fault[] {
  const { iss, nbf = 0, iat } = payload;
  return [
    [!issuer.algorithms.some((ours) => ours === header.alg), 'its algorithm is not one of its issuer'],
    // Whoever knows no critical extension must refuse all of them (RFC 7515, 4.1.11).
    [header['crit'] !== undefined, 'it has critical extensions'],
    [iss !== issuer.url, 'it is of another issuer'],
    // A sign-out must be able to tell older tokens from newer ones, and to be forgotten one day.
    [!Number.isFinite(iat), 'it does not say when it was issued'],
    [Number(iat) * 1_000 > now + CLOCK_SKEW_MS, 'it is of the future'],
    [nbf * 1_000 > now + CLOCK_SKEW_MS, 'it is not valid yet'],
  ];
}

/** A part of a token as it must be: base64url without padding (RFC 7515, 2), of UTF-8 but for the signature. The library takes more. */
function respelled(part: string, at: number): string {
  const coding = at < 2 ? 'utf8' : 'latin1';
  return Buffer.from(Buffer.from(part, 'base64url').toString(coding), coding).toString('base64url');
}

export const invalid = (reason: string): Failure => new Failure('invalid-token', { reason });
