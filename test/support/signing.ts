/** An issuer's signing keys in the test's own hands, to sign any token, a wrong one too. */
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface SigningKeys {
  readonly publicKey: KeyObject;
  /** As in the issuer's key set. */
  readonly jwk: Readonly<Record<string, unknown>>;
  /** A JWT with these claims; `header` replaces parts of the usual one. */
  sign(claims: object, header?: object): string;
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** RSA keys under an id. */
export function makeSigningKeys(kid: string, modulusLength = 2048): SigningKeys {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  return {
    publicKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' },
    sign(claims, header = {}) {
      const input = `${part({ alg: 'RS256', typ: 'at+jwt', kid, ...header })}.${part(claims)}`;
      return `${input}.${createSign('RSA-SHA256').update(input).sign(privateKey).toString('base64url')}`;
    },
  };
}
