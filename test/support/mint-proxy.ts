/** A proxy in front of the simulator that alters the answers to mints and passes on everything else. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MintProxy {
  readonly url: string;
  /** Where everything goes: it is known only after the broker has started with this proxy. */
  target: string;
  close(): Promise<void>;
}

/** Starts on a free port of 127.0.0.1. */
export async function startMintProxy(alter: (answer: Readonly<Record<string, unknown>>) => object): Promise<MintProxy> {
  const pass = async (method: string, path: string, headers: Record<string, string>, body: string) => {
    const answer = await fetch(proxy.target + path, { method, headers, ...(body !== '' && { body }) });
    const said = await answer.text();
    const minted = answer.ok && /\/token\/(full|object|custom)$/.test(path);
    return { answer, said: minted ? JSON.stringify(alter(JSON.parse(said) as Record<string, unknown>)) : said };
  };
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const { method = '', url = '', headers } = request;
      const { authorization = '', 'content-type': type = '' } = headers;
      const sent = { authorization, ...(type !== '' && { 'content-type': type }) };
      const { answer, said } = await pass(method, url, sent, Buffer.concat(chunks).toString());
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.end(said);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: MintProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: '',
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return proxy;
}
