import type { HeldToken } from './held-token.ts';

interface Heard {
  token(token: HeldToken): void;
  signedOut(): void;
}

/** Who an access token is for: `iss|sub` of a JWT, undefined for an opaque one. Only names a channel, so unverified. */
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
 * Joins the tabs of one user on one origin: they take turns (Web Locks) and pass new tokens and the sign-out on to
 * each other (BroadcastChannel), in memory only. A user whose identity is unknown, and an old browser, stay alone.
 */
export class PageChannel {
  readonly #scope: string;
  readonly #heard: Heard;
  #name: string | undefined;
  #channel: BroadcastChannel | undefined;

  constructor(scope: string, heard: Heard) {
    this.#scope = scope;
    this.#heard = heard;
  }

  /** Runs `work` while no other tab of the same user does. */
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

  /** From now on this page speaks for that user. */
  join(identity: string | undefined): void {
    const name = identity === undefined ? undefined : `ts-token|${this.#scope}|${identity}`;
    this.#channel?.close();
    this.#channel = undefined;
    this.#name = name;
    if (name === undefined || globalThis.BroadcastChannel === undefined) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = (event: MessageEvent<{ token?: HeldToken; signedOut?: boolean }>) => {
      if (event.data.token !== undefined) this.#heard.token(event.data.token);
      if (event.data.signedOut === true) this.#heard.signedOut();
    };
  }
}
