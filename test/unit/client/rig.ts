/** One browser and one broker for the client's tests, on a clock that stands still. */
import {
  createTokenProvider,
  type TokenError,
  type TokenProvider,
  type TokenProviderOptions,
  type TokenState,
} from '../../../client/token-provider.ts';
import { accessToken, BrokerStandIn } from './broker-stand-in.ts';
import { standInPage, type PageStandIn } from './page-stand-in.ts';

export interface Page extends TokenProvider {
  readonly states: TokenState[];
  readonly errors: string[];
}

export interface Rig {
  browser: PageStandIn;
  broker: BrokerStandIn;
  warnings: jest.SpyInstance;
  /** A page of alice, unless the options say otherwise. */
  open(options?: Partial<TokenProviderOptions>): Page;
  /** How often the broker was asked for a token. */
  requests(): number;
}

/** A new rig before every test of the file. */
export function useRig(): Rig {
  const rig = {
    browser: standInPage(),
    broker: new BrokerStandIn(),
    warnings: jest.spyOn(console, 'warn'),
    open(options: Partial<TokenProviderOptions> = {}): Page {
      const [states, errors]: [TokenState[], string[]] = [[], []];
      const made = createTokenProvider({
        endpoint: 'https://broker.example',
        getAccessToken: () => accessToken('alice'),
        fetch: rig.broker.fetch,
        onError: ({ code }) => errors.push(code),
        ...options,
      });
      made.subscribe((state) => states.push(state));
      return { ...made, states, errors };
    },
    requests: () => rig.broker.asked.filter(({ path }) => path === '/gettoken').length,
  };
  rig.browser.remove();
  beforeEach(() => {
    jest.useFakeTimers({ now: 1_764_000_000_000 });
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    rig.warnings = jest.spyOn(console, 'warn').mockImplementation();
    rig.browser = standInPage();
    rig.broker = new BrokerStandIn();
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
    rig.browser.remove();
  });
  return rig;
}

export const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

/** The token, or the code of why there is none, once `ms` have passed. */
export async function ask(page: TokenProvider, ms = 100): Promise<string> {
  const asked = page.getAuthToken().catch((error: TokenError) => error.code);
  await pass(ms);
  return Promise.race([asked, Promise.resolve('still waiting')]);
}
export const status = (page: Page) => page.states.at(-1)?.status;
export const never = () => new Promise<never>(() => undefined);
export const offline = () => new TypeError('Failed to fetch');
