/**
 * React bindings. Create the provider once, outside of components: StrictMode, hot reload and unmounting leave it alone.
 *
 *     <TokenBroker tokens={tokens} start={() => init({ …, getAuthToken: tokens.getAuthToken })}>
 *       <TokenBoundary fallback={(problem, retry) => <Problem error={problem} onRetry={retry} />}>
 *         <LiveboardEmbed liveboardId={id} />
 *       </TokenBoundary>
 *     </TokenBroker>
 */
import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  type ReactElement,
  type ReactNode,
} from 'react';
import type { TokenError, TokenProvider, TokenState } from './token-provider.ts';

/** What `init` of the embed SDK returns, as far as the bindings use it. */
export interface SdkEvents {
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void, context: unknown, once: boolean): unknown;
}

export type Token = TokenState & Pick<TokenProvider, 'getAuthToken' | 'retry' | 'signOut' | 'signIn'>;

interface Broker {
  readonly token: Token;
  readonly sdk: SdkEvents | undefined;
  /** Starts the SDK, or starts it again: after a failure it only takes a token at its start. */
  begin(this: void, again: boolean): void;
}
const Context = createContext<Broker | undefined>(undefined);

/** The SDK is one for the whole page, so it is started once for a provider, however often React mounts. */
const started = new WeakMap<TokenProvider, SdkEvents>();

export interface TokenBrokerProps {
  readonly tokens: TokenProvider;
  /** Calls `init` of the embed SDK with `tokens.getAuthToken`, and returns what it returns. Called once there is a token. */
  readonly start: () => SdkEvents | null;
  readonly children?: ReactNode;
}

/** Gets the first token, and gives the provider to the components below. */
export function TokenBroker({ tokens, start, children }: TokenBrokerProps): ReactElement {
  const [state, setState] = useState<TokenState>({ status: 'idle' });
  const [sdk, setSdk] = useState<SdkEvents>();
  const newestStart = useRef(start);
  useEffect(() => {
    newestStart.current = start;
  });
  useEffect(() => {
    let mounted = true;
    let asking = false;
    const ask = (): void => {
      if (asking) return;
      asking = true;
      void tokens.getAuthToken().then(
        () => (asking = false),
        ({ code }: TokenError) => {
          asking = false;
          if (code === 'user-changed' && mounted) ask();
        },
      );
    };
    // To ask for a token that the SDK holds is to ask for another one, so a mount with a token asks for none. `idle` later on:
    // there is another user, and nobody has asked for their token.
    let mounts = true;
    const stop = tokens.subscribe((next) => {
      setState(next);
      if (next.status === 'idle' || (mounts && next.status !== 'live' && next.status !== 'stale')) ask();
      mounts = false;
    });
    return () => {
      mounted = false;
      stop();
    };
  }, [tokens]);
  const begin = useCallback(
    (again: boolean) => {
      const events = (again ? undefined : started.get(tokens)) ?? newestStart.current();
      if (events) started.set(tokens, events);
      setSdk(events ?? undefined);
    },
    [tokens],
  );
  const value = useMemo(() => ({ token: { ...tokens, ...state }, sdk, begin }), [tokens, state, sdk, begin]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

function useBroker(): Broker {
  const value = useContext(Context);
  if (value === undefined) throw new Error('useToken and TokenBoundary belong inside <TokenBroker>.');
  return value;
}

/** The state of the token and what can be done about it; never the token itself. */
export const useToken = (): Token => useBroker().token;

/** How long a board that the SDK gave up stays away although there is a token, ms: doubled with every failure. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export interface TokenBoundaryProps {
  /** Shown where there is no board; `problem` is undefined where there is a token and the SDK failed with it. */
  readonly fallback: (problem: TokenError | undefined, retry: () => void) => ReactNode;
  /** Shown while the first token is fetched. */
  readonly loading?: ReactNode;
  readonly children?: ReactNode;
}

/**
 * Shows the board once there is a token, and mounts it anew when the SDK gave it up and there is a token again, or when the
 * user changed. A failed refresh never takes a board away.
 */
export function TokenBoundary({ fallback, loading, children }: TokenBoundaryProps): ReactElement {
  const { token, sdk, begin } = useBroker();
  const { status, error, retry } = token;
  const holder = useRef<HTMLDivElement>(null);
  const failures = useRef(0);
  const [board, setBoard] = useState({ shown: false, mounted: 0 });
  const hasToken = status === 'live' || status === 'stale';

  useEffect(() => {
    if (sdk === undefined) return undefined;
    const failed = () => {
      // The SDK also reports what it mends by itself. It gave a board up where it took the iframe away.
      setTimeout(() => {
        if (holder.current === null || holder.current.querySelector('iframe') !== null) return;
        failures.current += 1;
        setBoard(({ mounted }) => ({ shown: false, mounted }));
      });
    };
    const succeeded = () => {
      failures.current = 0;
    };
    sdk.on('FAILURE', failed);
    sdk.on('SUCCESS', succeeded);
    return () => {
      sdk.off('FAILURE', failed, undefined, false);
      sdk.off('SUCCESS', succeeded, undefined, false);
    };
  }, [sdk]);

  useEffect(() => {
    if (status === 'idle' || status === 'signed-out') setBoard(({ mounted }) => ({ shown: false, mounted }));
  }, [status]);

  useEffect(() => {
    if (board.shown || !hasToken) return undefined;
    const pause = failures.current === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** failures.current, LONGEST_PAUSE_MS);
    const timer = setTimeout(() => {
      begin(board.mounted > 0);
      setBoard(({ mounted }) => ({ shown: true, mounted: mounted + 1 }));
    }, pause);
    return () => clearTimeout(timer);
  }, [board, hasToken, begin]);

  const again = useCallback(() => {
    failures.current = 0;
    setBoard(({ mounted }) => ({ shown: false, mounted }));
    void retry();
  }, [retry]);

  if (board.shown) {
    return (
      <div key={board.mounted} ref={holder} style={{ display: 'contents' }}>
        {children}
      </div>
    );
  }
  const waits = status === 'idle' || status === 'fetching' || (hasToken && failures.current === 0);
  return <>{waits ? loading : fallback(hasToken ? undefined : error, again)}</>;
}
