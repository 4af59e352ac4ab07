import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A request as it came over the wire, header names in lower case. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the server does once it has read a request whole. */
export type Act = (socket: Socket, request: RawRequest) => void;

/**
 * A server on loopback that speaks no more HTTP than a test asks of it: it reads whole requests, keeps them, and acts
 * them out one after the other; the last act is repeated. It is not the simulator, and knows nothing of ThoughtSpot.
 */
export class RawServer {
  readonly requests: RawRequest[] = [];
  connections = 0;
  #acts: readonly Act[] = [reply(500, '')];
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    this.#read(socket);
  });

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Forgets the requests seen, and acts these out from the next request on. */
  will(...acts: Act[]): void {
    this.requests.length = 0;
    this.#acts = acts;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #read(socket: Socket): void {
    let buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      const end = buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [line = '', ...fields] = buffer.subarray(0, end).toString('latin1').split('\r\n');
      const headers = Object.fromEntries(
        fields.map((field) => {
          const colon = field.indexOf(':');
          return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
        }),
      );
      const length = Number(headers['content-length'] ?? 0);
      const start = end + 4;
      if (buffer.length < start + length) return;
      const [method = '', path = ''] = line.split(' ');
      const request = { method, path, headers, body: buffer.subarray(start, start + length).toString('utf8') };
      buffer = buffer.subarray(start + length);
      const act = this.#acts[Math.min(this.requests.length, this.#acts.length - 1)];
      this.requests.push(request);
      act?.(socket, request);
    });
  }
}

/** A whole answer; an object is sent as JSON, a string as it is. */
export function reply(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Act {
  const json = typeof body !== 'string';
  const text = json ? JSON.stringify(body) : body;
  const all: Record<string, string> = { ...(json ? { 'content-type': 'application/json' } : {}), ...headers };
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  // RFC 9110: no content and no length with 204.
  const length = status === 204 ? '' : `content-length: ${Buffer.byteLength(text)}\r\n`;
  return (socket) => socket.write(`HTTP/1.1 ${status} Whatever\r\n${fields.join('')}${length}\r\n${text}`);
}

/** A whole answer of bytes, in a coding. */
export const bytes = (status: number, body: Buffer, encoding?: string): Act => {
  const coding = encoding === undefined ? '' : `content-encoding: ${encoding}\r\n`;
  const head = `HTTP/1.1 ${status} Whatever\r\n${coding}content-length: ${body.byteLength}\r\n\r\n`;
  return (socket) => socket.write(Buffer.concat([Buffer.from(head), body]));
};

export const html = (status: number, text: string): Act =>
  reply(status, `<!doctype html><html><body>${text}</body></html>`, { 'content-type': 'text/html; charset=utf-8' });

/** Reads the request and drops the connection: the reply is lost. */
export const lose: Act = (socket) => socket.destroy();

/** Never answers. */
export const ignore: Act = () => undefined;

/** Promises `length` bytes, sends `sent`, and then keeps still. */
export const slow = (status: number, sent: string, length: number): Act => {
  return (socket) => socket.write(`HTTP/1.1 ${status} Whatever\r\ncontent-length: ${length}\r\n\r\n${sent}`);
};

/** Promises `length` bytes, sends `sent`, and drops the connection. */
export const cutShort = (status: number, sent: string, length: number): Act => {
  return (socket) => socket.end(`HTTP/1.1 ${status} Whatever\r\ncontent-length: ${length}\r\n\r\n${sent}`);
};

export const raw = (text: string): Act => {
  return (socket) => socket.end(text);
};
