import type { DialectName } from './rejection.ts';
import { originOf } from './origin.ts';
import { makeTransport, type Transport } from './transport.ts';

export interface Configuration {
  /** Origin of the cluster; https, http only for loopback. */
  readonly baseUrl: string;
  readonly dialect: DialectName;
  /** Bearer of the operations that send one; a function is asked at each call. */
  readonly accessToken: string | (() => string);
  /** For connecting, head and body together, ms. */
  readonly timeout: number;
  /** auth-2.0: revoketoken names the user besides the token. */
  readonly userName?: string;
  /** auth-2.0: login and gettoken ask for this org; without it ThoughtSpot chooses one. */
  readonly orgId?: number;
}

const DEFAULTS = { baseUrl: 'https://localhost:443', dialect: 'session-v2', accessToken: '', timeout: 30_000 } as const;

/**
 * One cluster, one configuration, for SessionController. Where the beta's client waited for ever by default, this one
 * gives up after 30 s. Prints without its access token. Call `close` when done: it holds connections.
 */
export class Client {
  readonly transport: Transport;
  readonly #configuration: Configuration;

  constructor(configuration: Partial<Configuration> = {}, transport?: Transport) {
    this.#configuration = { ...DEFAULTS, ...configuration };
    this.transport = transport ?? makeTransport(originOf(this.#configuration.baseUrl), Date.now);
  }

  /** The same cluster and connections with some settings changed; another `baseUrl` gets connections of its own. */
  withConfiguration(changes: Partial<Configuration>): Client {
    const next = { ...this.#configuration, ...changes };
    return new Client(next, next.baseUrl === this.#configuration.baseUrl ? this.transport : undefined);
  }

  get dialect(): DialectName {
    return this.#configuration.dialect;
  }

  get timeout(): number {
    return this.#configuration.timeout;
  }

  get userName(): string | undefined {
    return this.#configuration.userName;
  }

  get orgId(): number | undefined {
    return this.#configuration.orgId;
  }

  /** The bearer for the next call. */
  bearer(): string {
    const { accessToken } = this.#configuration;
    return typeof accessToken === 'string' ? accessToken : accessToken();
  }

  close(): Promise<void> {
    return this.transport.close();
  }
}
