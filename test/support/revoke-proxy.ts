/** A proxy in front of the simulator, which passes everything on but may answer revocations itself and alter mints. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProxyAnswer {
  readonly status: number;
  readonly body?: object | string;
}

export interface RevokeProxy {
  readonly url: string;
  /** Where everything goes that it does not answer itself. */
  target: string;
  /** Its own answer to a revocation, given the request's body; undefined: the simulator's. */
  answer: ((body: Readonly<Record<string, unknown>>) => ProxyAnswer | undefined) | undefined;
  /** What becomes of the simulator's answer to a mint. */
  alter: ((answer: Readonly<Record<string, unknown>>) => object) | undefined;
  close(): Promise<void>;
}

/** Starts on a free port of 127.0.0.1. Changes of `target` and `answer` hold from the next request on. */
export async function startRevokeProxy(): Promise<RevokeProxy> {
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const { method = 'GET', url = '/', headers } = request;
      const isRevocation = /\/(token\/revoke|session\/revoketoken)$/.test(url);
      const given = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      const own = isRevocation ? proxy.answer?.(given) : undefined;
      if (own) {
        const json = typeof own.body === 'object';
        response.writeHead(own.status, json ? { 'content-type': 'application/json' } : {});
        return response.end(json ? JSON.stringify(own.body) : (own.body ?? ''));
      }
      const { authorization = '', 'content-type': type = '' } = headers;
      const sent = { authorization, ...(type !== '' && { 'content-type': type }) };
      const answer = await fetch(proxy.target + url, { method, headers: sent, ...(text !== '' && { body: text }) });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      const said = await answer.text();
      if (!proxy.alter || !/\/token\/(full|object|custom)$/.test(url)) return response.end(said);
      return response.end(JSON.stringify(proxy.alter(JSON.parse(said) as Record<string, unknown>)));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: RevokeProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: '',
    answer: undefined,
    alter: undefined,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return proxy;
}
