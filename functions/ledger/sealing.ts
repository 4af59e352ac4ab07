/**
 * Sealed tokens: AES-256-GCM under the data key of the hour. Envelope, version 1:
 *
 *     version (1 byte = 1) | data key: hours since the epoch (4, big endian) | IV (12, random) | tag (16) | ciphertext
 *
 * Additional data: the envelope's first five bytes, environment, pk and sk. A ciphertext that was moved to another row or
 * to another environment's table does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Failure } from '../broker/failure.ts';
import type { DataKeys, SealingKey } from './data-keys.ts';
import type { ItemKey } from './item.ts';

const VERSION = 1;
const CIPHER = 'aes-256-gcm';
const HEADER_BYTES = 5;
const IV_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealing {
  seal(token: string, place: ItemKey, by: SealingKey): Uint8Array;
  /**
   * Opens what any sandbox sealed for this row. Throws Failure `key-unavailable`, for what does not open too,
   * `ledger-unavailable` or `ledger-denied`.
   */
  open(sealed: Uint8Array, place: ItemKey, deadline: number): Promise<string>;
}

export function makeSealing(dataKeys: DataKeys, environment: string): Sealing {
  const additionalData = (header: Uint8Array, { pk, sk }: ItemKey) =>
    Buffer.concat([header, Buffer.from(JSON.stringify([environment, pk, sk]))]);

  return {
    seal(token, place, { hour, key }) {
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt8(VERSION);
      header.writeUInt32BE(hour, 1);
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, key, iv).setAAD(additionalData(header, place));
      const ciphertext = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
      return Buffer.concat([header, iv, cipher.getAuthTag(), ciphertext]);
    },

    async open(sealed, place, deadline) {
      const envelope = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      if (envelope.length < HEADER_BYTES + IV_BYTES + TAG_BYTES || envelope[0] !== VERSION) throw doesNotOpen();
      const header = envelope.subarray(0, HEADER_BYTES);
      const iv = envelope.subarray(HEADER_BYTES, HEADER_BYTES + IV_BYTES);
      const tag = envelope.subarray(HEADER_BYTES + IV_BYTES, HEADER_BYTES + IV_BYTES + TAG_BYTES);
      const ciphertext = envelope.subarray(HEADER_BYTES + IV_BYTES + TAG_BYTES);
      const key = await dataKeys.ofHour(header.readUInt32BE(1), deadline);
      const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(additionalData(header, place)).setAuthTag(tag);
      try {
        return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
      } catch {
        throw doesNotOpen();
      }
    },
  };
}

function doesNotOpen(): Failure {
  return new Failure('key-unavailable', {
    reason: 'a sealed token does not open: altered, moved from another row, or sealed by a newer version',
  });
}
