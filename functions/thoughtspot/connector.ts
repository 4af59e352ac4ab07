import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import makeUndiciConnector from 'undici/lib/core/connect.js';

/** A connection that takes longer is given up, ms: nothing was sent on it, so the call may be tried again. */
const CONNECT_TIMEOUT_MS = 3_000;

export interface Connector {
  readonly connect: buildConnector.connector;
  /** Opens one connection in advance; the next `connect` takes it. Never throws: a failure appears in that call. */
  warm(origin: URL): Promise<void>;
  close(): void;
}

/**
 * Opens sockets for the pool. Certificates are always verified: `rejectUnauthorized` is set here, so that
 * NODE_TLS_REJECT_UNAUTHORIZED in the environment cannot turn it off. A warmed socket older than `idleLimitMs` is not
 * used, since the other side may have closed it while the sandbox was frozen.
 */
export function makeConnector(now: () => number, idleLimitMs: number): Connector {
  const open = makeUndiciConnector({ rejectUnauthorized: true, allowH2: false, timeout: CONNECT_TIMEOUT_MS });
  let spare: { readonly socket: Socket; readonly openedAt: number } | undefined;

  const drop = (): void => {
    spare?.socket.destroy();
    spare = undefined;
  };

  return {
    connect(options, callback) {
      const ready = spare;
      if (ready === undefined || ready.socket.destroyed || now() - ready.openedAt > idleLimitMs) {
        drop();
        open(options, callback);
        return;
      }
      spare = undefined;
      ready.socket.ref();
      // Never at once: undici expects the answer after its own call has returned, and else waits for ever.
      queueMicrotask(() => {
        callback(null, ready.socket);
        ready.socket.off('error', ignore);
      });
    },
    warm(origin) {
      return new Promise((resolve) => {
        const { hostname, host, protocol, port } = origin;
        open({ hostname: hostname.replace(/^\[|\]$/g, ''), host, protocol, port }, (...[error, socket]) => {
          if (error === null) {
            drop();
            // Until the pool takes it over nobody else listens: an error event would end the process.
            socket.on('error', ignore);
            socket.unref();
            spare = { socket, openedAt: now() };
          }
          resolve();
        });
      });
    },
    close: drop,
  };
}

const ignore = (): void => undefined;
