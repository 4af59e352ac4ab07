/**
 * Connects the tabs of one user on one origin, and the providers of one page: they take turns (Web Locks) and tell each
 * other of tokens and of the sign-out (BroadcastChannel), in memory only. Where the identity is not known, or the browser
 * is old, each provider works alone.
 */
import { type HeldToken, parseToken } from './held-token.ts';
import { isKnown } from './identity.ts';
import { sleep } from './time-limit.ts';
import { fieldOf } from './token-error.ts';

/** How long a new tab waits for the token of an open one before it asks the broker, ms. */
const ANSWER_WITHIN_MS = 50;

export interface Tabs {
  /** Runs `work` while no other tab of this user runs any; after `timeoutMs` without a turn it runs all the same. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Passes on a token, or a sign-out. */
  tell(message: { readonly token: HeldToken } | { readonly signedOut: true }): void;
  /** Asks the open tabs for their token, and gives them a moment to answer. */
  askForToken(): Promise<void>;
  close(): void;
}

export interface Receiver {
  token(token: HeldToken): void;
  /** The token to give to a tab that has just been opened. */
  current(): HeldToken | undefined;
  signedOut(): void;
}

export function joinTabs(
  endpoint: string,
  grant: string,
  identity: string,
  timeoutMs: number,
  receiver: Receiver,
): Tabs {
  // A sign-out concerns every grant, so all grants share one channel and one lock.
  const name = `ts-token|${endpoint}|${identity}`;
  let channel = isKnown(identity) && globalThis.BroadcastChannel ? new BroadcastChannel(name) : undefined;
  const locks = isKnown(identity) ? navigator.locks : undefined;

  const post = (message: object) => channel?.postMessage({ identity, grant, ...message });
  if (channel) channel.onmessage = ({ data }: MessageEvent<unknown>) => receive(data);

  function receive(data: unknown): void {
    if (fieldOf(data, 'identity') !== identity) return;
    if (fieldOf(data, 'signedOut') === true) return receiver.signedOut();
    if (fieldOf(data, 'grant') !== grant) return;
    const current = receiver.current();
    if (fieldOf(data, 'wanted') === true && current) post({ token: current });
    const passedOn = fieldOf(data, 'token');
    if (passedOn === undefined) return;
    try {
      receiver.token(parseToken(passedOn));
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
      return locks
        .request(name, { signal: controller.signal }, () => {
          begun = true;
          clearTimeout(timer);
          return work();
        })
        .catch((error: unknown) => {
          // A tab that is frozen keeps its turn; nobody waits for it.
          if (begun) throw error;
          return work();
        });
    },
    tell: post,
    async askForToken() {
      if (!channel) return;
      post({ wanted: true });
      await sleep(ANSWER_WITHIN_MS);
    },
    close() {
      channel?.close();
      // A closed channel takes no message: it throws.
      channel = undefined;
    },
  };
}
