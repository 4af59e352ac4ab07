import { once } from 'node:events';
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';

/** Reads a JSON document by its address. Throws an Error where there is no answer, or one that is no JSON. */
export type ReadJson = (address: URL) => Promise<unknown>;

/** For one attempt, ms. */
const TIMEOUT_MS = 1_500;
/** A key set of an issuer has some thousand bytes. */
const MOST_BYTES = 262_144;

/** Follows no redirect. A failure is repeated once: a sandbox that was frozen while it waited finds a dead connection. */
export const readJson: ReadJson = (address) => attempt(address).catch(() => attempt(address));

async function attempt(address: URL): Promise<unknown> {
  const get = address.protocol === 'https:' ? getHttps : getHttp;
  const headers = { accept: 'application/json' };
  const request = get(address, { agent: false, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    if (response.statusCode !== 200) throw new Error(`${address.host} answered ${response.statusCode}`);
    let text = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > MOST_BYTES) throw new Error(`${address.host} answered with too long a document`);
    }
    return JSON.parse(text);
  } finally {
    request.destroy();
  }
}
