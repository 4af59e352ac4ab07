/**
 * What the ledger calls rows and tokens where others can see it: the leaseId handle and the keyed token digest. Both
 * come from the ledger's digest key, each through its own derived key, and are bound to the environment.
 */
import { type KeyObject, createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync } from 'node:crypto';
import * as z from 'zod/mini';
import type { LeaseKey } from '../broker/lease.ts';

export interface Handles {
  /** HMAC-SHA256 of the token, base64url (43 characters): the same token gives the same digest, a one-way value. */
  readonly tokenDigest: (token: string) => string;
  /** Opaque handle of a row. The same row always has the same handle, so a retry by a client sees the same leaseId. */
  readonly leaseId: (key: LeaseKey) => string;
  /** The row a handle names; undefined for anything this broker did not make. Never throws. */
  readonly leaseKey: (leaseId: string) => LeaseKey | undefined;
}

export interface HandlesOptions {
  readonly environment: string;
  /** 32 bytes. Its cache is the caller's: it is asked on each use. */
  readonly digestKey: (deadline: number) => Promise<KeyObject>;
}

/** Handle: version (1) | synthetic IV (12) | ciphertext | tag (16), base64url. */
const VERSION = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

const handlePlaintext = z.tuple([z.string(), z.string(), z.int().check(z.positive())]);

/** Handles under the digest key; the derived keys are kept for as long as the source gives the same. */
export function makeHandles(options: HandlesOptions): (deadline: number) => Promise<Handles> {
  let known: { readonly digestKey: KeyObject; readonly handles: Handles } | undefined;
  return async (deadline) => {
    const digestKey = await options.digestKey(deadline);
    if (known?.digestKey !== digestKey) known = { digestKey, handles: handlesUnder(digestKey, options.environment) };
    return known.handles;
  };
}

function handlesUnder(digestKey: KeyObject, environment: string): Handles {
  // Key objects, made once: with raw bytes each call below takes four times as long (measured, Node 24).
  const derive = (purpose: string) =>
    createSecretKey(Buffer.from(hkdfSync('sha256', digestKey, environment, `thoughtspot-token-broker/${purpose}`, 32)));
  const tokenKey = derive('token-digest');
  const handleKey = derive('lease-id');
  const ivKey = derive('lease-id-iv');

  return {
    tokenDigest: (token) => createHmac('sha256', tokenKey).update(token).digest('base64url'),

    leaseId({ user, fingerprint, generation }) {
      const plaintext = Buffer.from(JSON.stringify([user, fingerprint, generation]));
      // Deterministic: the IV is a digest of the plaintext, so equal rows give equal handles and no IV serves two plaintexts.
      const iv = createHmac('sha256', ivKey).update(plaintext).digest().subarray(0, IV_BYTES);
      const cipher = createCipheriv(CIPHER, handleKey, iv);
      const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), iv, ciphertext, cipher.getAuthTag()]).toString('base64url');
    },

    leaseKey(leaseId) {
      const handle = Buffer.from(leaseId, 'base64url');
      // Decoding is lenient; a handle is good in one spelling only.
      if (handle.toString('base64url') !== leaseId || handle[0] !== VERSION) return undefined;
      try {
        const iv = handle.subarray(1, 1 + IV_BYTES);
        const decipher = createDecipheriv(CIPHER, handleKey, iv, { authTagLength: TAG_BYTES });
        decipher.setAuthTag(handle.subarray(-TAG_BYTES));
        const ciphertext = handle.subarray(1 + IV_BYTES, -TAG_BYTES);
        const plaintext = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
        const [user, fingerprint, generation] = handlePlaintext.parse(JSON.parse(plaintext.toString()));
        return { user, fingerprint, generation };
      } catch {
        return undefined;
      }
    },
  };
}
