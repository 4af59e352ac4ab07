/** Listening on loopback, and saying plainly which port is taken by what. */
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { CommandError } from './command.ts';

export const LOOPBACK = '127.0.0.1';

/** A port that one of the local servers needs is in use. The message says which, what for, and what to do. */
export class PortTaken extends CommandError {
  override readonly name = 'PortTaken';
  readonly port: number;

  constructor(port: number, purpose: string) {
    super(
      `Port ${port} on ${LOOPBACK} is taken; it is wanted for ${purpose}.\n` +
        `Stop what listens there, or move all ports of the broker: BROKER_PORT=${port < 10_000 ? 18787 : 8787} npm start`,
    );
    this.port = port;
  }
}

/** Runs `start`, which binds `port`; a port in use becomes `PortTaken`. */
export async function claimPort<T>(port: number, purpose: string, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') throw new PortTaken(port, purpose);
    throw error;
  }
}

/** Binds a server to loopback; port 0 takes any free one. Returns its origin. Throws `PortTaken`. */
export function listen(server: Server, port: number, purpose: string): Promise<string> {
  return claimPort(port, purpose, async () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(port, LOOPBACK, resolve);
    await promise;
    server.off('error', reject);
    const { port: bound } = server.address() as AddressInfo;
    return `http://${LOOPBACK}:${bound}`;
  });
}

/** Stops listening and drops every connection, whatever is in flight on it. Closing twice is fine. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/** Ends a connection with a TCP reset, as a crashed peer would. */
export function resetConnection(socket: Socket): void {
  socket.resetAndDestroy();
}

/** Collects a request's body. `limit` in bytes; beyond it the rest is read and thrown away and the result is undefined. */
export async function readBody(request: AsyncIterable<Buffer>, limit = Infinity): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size <= limit ? Buffer.concat(chunks) : undefined;
}
