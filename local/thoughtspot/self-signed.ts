import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const der = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const utcTime = (year: number): Buffer => der(0x17, Buffer.from(`${String(year % 100).padStart(2, '0')}0101000000Z`));
const oid = (...bytes: readonly number[]): Buffer => der(0x06, Buffer.from(bytes));

/** A certificate for 127.0.0.1 and localhost that nobody has signed but itself, so that no key lies in the repository. PEM. */
export function selfSigned(): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const algorithm = sequence(oid(0x2b, 0x65, 0x70));
  const name = sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from('broker test')))));
  const names = sequence(der(0x87, Buffer.from([127, 0, 0, 1])), der(0x82, Buffer.from('localhost')));
  const address = der(0x04, names);
  const year = new Date().getUTCFullYear();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name,
    sequence(utcTime(year - 1), utcTime(year + 2)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(sequence(oid(0x55, 0x1d, 0x11), address))),
  );
  const signature = der(0x03, Buffer.from([0]), sign(null, body, privateKey));
  const text = sequence(body, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
  };
}

/** Writes a certificate (PEM) where NODE_EXTRA_CA_CERTS can name it, and its key, if it is given, beside it. Returns its file. */
export function certificateFile(cert: string, key?: string): string {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'certificate-')), 'certificate.pem');
  writeFileSync(file, cert);
  if (key !== undefined) writeFileSync(keyOf(file), key, { mode: 0o600 });
  return file;
}

/** The file of the key of a certificate. */
export const keyOf = (certificate: string): string => path.join(path.dirname(certificate), 'key.pem');
