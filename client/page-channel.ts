import type { HeldToken } from './held-token.ts';

interface Receiver {
  token(token: HeldToken): void;
  signedOut(): void;
}

/** The owner of an access token: `iss|sub` of a JWT, undefined for an opaque token. Unverified: it only names a channel. */
export function identityOf(accessToken: string): string | undefined {
  try {
    const payload = accessToken.split('.')[1] ?? '';
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')));
    if (typeof claims !== 'object' || claims === null) return undefined;
    const sub: unknown = Reflect.get(claims, 'sub');
    return typeof sub === 'string' ? `${String(Reflect.get(claims, 'iss'))}|${sub}` : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Connects the tabs of one user on one origin. They take turns (Web Locks) and inform each other of new tokens and of the
 * sign-out (BroadcastChannel), in memory only. With an unknown identity or an old browser, each tab works alone.
 */
export class PageChannel {
  readonly #scope: string;
  readonly #receiver: Receiver;
  #name: string | undefined;
  #channel: BroadcastChannel | undefined;

  constructor(scope: string, receiver: Receiver) {
    this.#scope = scope;
    this.#receiver = receiver;
  }

  /** Runs `work` while no other tab of the same user runs any. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#name === undefined || globalThis.navigator?.locks === undefined) return work();
    return navigator.locks.request(this.#name, work);
  }

  share(token: HeldToken): void {
    this.#channel?.postMessage({ token });
  }

  signOut(): void {
    this.#channel?.postMessage({ signedOut: true });
  }

  /** From now on this page belongs to that user. */
  join(identity: string | undefined): void {
    const name = identity === undefined ? undefined : `ts-token|${this.#scope}|${identity}`;
    this.#channel?.close();
    this.#channel = undefined;
    this.#name = name;
    if (name === undefined || globalThis.BroadcastChannel === undefined) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = (event: MessageEvent<{ token?: HeldToken; signedOut?: boolean }>) => {
      if (event.data.token !== undefined) this.#receiver.token(event.data.token);
      if (event.data.signedOut === true) this.#receiver.signedOut();
    };
  }
}
