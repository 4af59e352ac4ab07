import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { safeJsonParse, type Json } from 'aws-jwt-verify/safe-json-parse';

/** Reads a JSON document by its address. Throws an Error where there is no answer, or one that is no JSON. */
export type ReadJson = (address: URL) => Promise<Json>;

/** For one attempt, ms. */
const TIMEOUT_MS = 1_500;
/** A key set of an issuer has some thousand bytes. */
const MOST_BYTES = 262_144;

/** Follows no redirect. A failure is repeated once: a sandbox that was frozen while it waited finds a dead connection. */
export const readJson: ReadJson = (address) => attempt(address).catch(() => attempt(address));

async function attempt(address: URL): Promise<Json> {
  const get = address.protocol === 'https:' ? getHttps : getHttp;
  const options = { agent: false, headers: { accept: 'application/json' }, signal: AbortSignal.timeout(TIMEOUT_MS) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(address, options, resolve).on('error', reject);
  });
  try {
    if (response.statusCode !== 200) throw new Error(`${address.host} answered ${response.statusCode}`);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > MOST_BYTES) throw new Error(`${address.host} answered with too long a document`);
    }
    return safeJsonParse(text);
  } finally {
    response.destroy();
  }
}
