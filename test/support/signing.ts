/** An issuer's signing keys in the test's own hands, to sign any token, a wrong one too. */
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface SigningKeys {
  readonly publicKey: KeyObject;
  /** As in the issuer's key set. */
  readonly jwk: Readonly<Record<string, unknown>>;
  /** A JWT with these claims; `header` replaces parts of the usual one. */
  sign(claims: object, header?: object): string;
  /** The same of header and claims as they are written; with `padded`, the padding of base64 stays. */
  signTexts(header: string | Buffer, claims: string | Buffer, padded?: boolean): string;
}

const part = (text: string | Buffer, padded: boolean) => {
  const written = Buffer.from(text).toString('base64url');
  return padded ? written.padEnd(Math.ceil(written.length / 4) * 4, '=') : written;
};

/** RSA keys under an id. */
export function makeSigningKeys(kid: string, modulusLength = 2048): SigningKeys {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const signTexts = (header: string | Buffer, claims: string | Buffer, padded = false) => {
    const input = `${part(header, padded)}.${part(claims, padded)}`;
    return `${input}.${createSign('RSA-SHA256').update(input).sign(privateKey).toString('base64url')}`;
  };
  return {
    publicKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' },
    sign: (claims, header = {}) =>
      signTexts(JSON.stringify({ alg: 'RS256', typ: 'at+jwt', kid, ...header }), JSON.stringify(claims)),
    signTexts,
  };
}
