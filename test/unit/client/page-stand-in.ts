/** A browser of a few lines: channels and locks between the tabs of one process, and the events that wake a page. */
export class ChannelStandIn {
  static readonly open = new Set<ChannelStandIn>();
  readonly name: string;
  onmessage: ((event: { data: unknown }) => void) | null = null;

  constructor(name: string) {
    this.name = name;
    ChannelStandIn.open.add(this);
  }
  postMessage(data: unknown): void {
    if (!ChannelStandIn.open.has(this)) throw new DOMException('Channel is closed', 'InvalidStateError');
    for (const other of ChannelStandIn.open) {
      if (other !== this && other.name === this.name) other.onmessage?.({ data: structuredClone(data) });
    }
  }
  close(): void {
    ChannelStandIn.open.delete(this);
  }
}

/** Web Locks: one holder a name, in the order of asking; a signal ends the wait and not the holding. */
export function lockStandIn() {
  const tails = new Map<string, Promise<unknown>>();
  return {
    request<T>(name: string, ...rest: [() => Promise<T>] | [{ signal?: AbortSignal }, () => Promise<T>]): Promise<T> {
      const [{ signal } = {}, work] = rest.length === 2 ? rest : [undefined, rest[0]];
      const before = tails.get(name) ?? Promise.resolve();
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      });
      const turn = Promise.race([before.catch(() => undefined), aborted]).then(work);
      tails.set(name, Promise.allSettled([before, turn]));
      return turn;
    },
  };
}

export interface PageStandIn {
  visibility: string;
  online: boolean;
  /** Listeners of the window by event. */
  readonly listeners: Map<string, Set<() => void>>;
  fire(event: string): void;
  remove(): void;
}

/** Puts the browser's globals in place; `remove` takes them away. */
export function standInPage({ tabs = true } = {}): PageStandIn {
  ChannelStandIn.open.clear();
  const listeners: PageStandIn['listeners'] = new Map();
  const page: PageStandIn = {
    visibility: 'visible',
    online: true,
    listeners,
    fire: (event) => [...(listeners.get(event) ?? [])].forEach((listener) => listener()),
    remove() {
      for (const name of [
        'addEventListener',
        'removeEventListener',
        'document',
        'location',
        'BroadcastChannel',
        '_tsEmbedSDK',
      ]) {
        Reflect.deleteProperty(globalThis, name);
      }
    },
  };
  Object.assign(globalThis, {
    ...(tabs ? { BroadcastChannel: ChannelStandIn } : {}),
    addEventListener(event: string, listener: () => void) {
      listeners.set(event, (listeners.get(event) ?? new Set()).add(listener));
    },
    removeEventListener: (event: string, listener: () => void) => void listeners.get(event)?.delete(listener),
    location: { origin: 'https://app.example' },
    document: {
      get visibilityState() {
        return page.visibility;
      },
    },
  });
  if (!tabs) Reflect.deleteProperty(globalThis, 'BroadcastChannel');
  const navigator = {
    ...(tabs ? { locks: lockStandIn() } : {}),
    get onLine() {
      return page.online;
    },
  };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  return page;
}
