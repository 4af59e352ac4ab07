/**
 * Connects the tabs of one user on one origin, and the providers of one page: they take turns (Web Locks) and tell each
 * other of tokens and of the sign-out (BroadcastChannel), in memory only. Where the identity is not known, or the browser
 * is old, each provider works alone.
 */
import { type HeldToken, parseToken } from './held-token.ts';
import { isKnown } from './identity.ts';
import { fieldOf } from './token-error.ts';

/** How long a new tab waits for the token of an open one before it asks the broker, ms. */
const ANSWER_WITHIN_MS = 50;

export interface Tabs {
  /** Runs `work` while no other tab of this user runs any; after `timeoutMs` without a turn it runs all the same. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  share(token: HeldToken): void;
  /** Asks the open tabs for their token, and gives them a moment to answer. */
  askForToken(): Promise<void>;
  signOut(): void;
  close(): void;
}

export interface Receiver {
  token(token: HeldToken): void;
  /** The token to give to a tab that has just been opened. */
  current(): HeldToken | undefined;
  signedOut(): void;
}

interface Membership {
  readonly endpoint: string;
  readonly grant: string;
  readonly identity: string;
  readonly timeoutMs: number;
}

export function joinTabs({ endpoint, grant, identity, timeoutMs }: Membership, receiver: Receiver): Tabs {
  // A sign-out concerns every grant, so all grants share one channel and one lock.
  const name = `ts-token|${endpoint}|${identity}`;
  const owner = { identity, grant };
  const channel = isKnown(identity) && globalThis.BroadcastChannel ? new BroadcastChannel(name) : undefined;
  const locks = isKnown(identity) ? globalThis.navigator?.locks : undefined;
  let answered: (() => void) | undefined;

  const post = (message: object) => channel?.postMessage({ ...owner, ...message });
  if (channel) channel.onmessage = ({ data }: MessageEvent<unknown>) => receive(data);

  function receive(data: unknown): void {
    if (fieldOf(data, 'identity') !== owner.identity) return;
    if (fieldOf(data, 'signedOut') === true) return receiver.signedOut();
    if (fieldOf(data, 'grant') !== owner.grant) return;
    const current = receiver.current();
    if (fieldOf(data, 'wanted') === true && current) post({ token: current });
    const passedOn = fieldOf(data, 'token');
    if (passedOn === undefined) return;
    try {
      receiver.token(parseToken(passedOn));
      answered?.();
    } catch {
      // Another version of the client: what it says is not understood, and not needed.
    }
  }

  return {
    async alone(work) {
      if (!locks) return work();
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), timeoutMs);
      let begun = false;
      try {
        return await locks.request(name, { signal: controller.signal }, () => {
          begun = true;
          clearTimeout(timer);
          return work();
        });
      } catch (error) {
        // A tab that is frozen keeps its turn; nobody waits for it.
        if (begun) throw error;
        return await work();
      } finally {
        clearTimeout(timer);
      }
    },
    share: (token) => post({ token }),
    async askForToken() {
      if (!channel) return;
      await new Promise<void>((resolve) => {
        answered = resolve;
        setTimeout(resolve, ANSWER_WITHIN_MS);
        post({ wanted: true });
      });
      answered = undefined;
    },
    signOut: () => post({ signedOut: true }),
    close() {
      if (channel) channel.onmessage = null;
      channel?.close();
    },
  };
}
