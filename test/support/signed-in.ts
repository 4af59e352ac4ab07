/** Somebody with a browser who signs in at the certified provider, and out again. */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';

/** The front end's client at the provider: the `aud` of its ID tokens and logout tokens. */
export const APP = 'front-end';
/** Our API: the `aud` of access tokens. */
export const API = 'https://api.example';
export const CALLBACK = 'https://app.example/signed-in';

export interface SignedIn {
  readonly accessToken: string;
  readonly idToken: string;
  /** Resolves when the provider has told everybody. */
  signOut(): Promise<void>;
}

/** `open` resolves once it serves, and posts logout tokens to the address. */
export async function startCertifiedProvider() {
  const child: ChildProcess = fork(join(import.meta.dirname, 'certified-provider.ts'), { stdio: 'ignore' });
  const [url] = (await once(child, 'message')) as [string];
  return {
    url,
    async open(logoutUri: string): Promise<void> {
      child.send(logoutUri);
      await once(child, 'message');
    },
    signIn: (login: string) => signIn(url, login),
    async close(): Promise<void> {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

async function signIn(provider: string, login: string): Promise<SignedIn> {
  const go = browser(provider);
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    ...{ client_id: APP, response_type: 'code', scope: 'openid broker:token', resource: API, redirect_uri: CALLBACK },
    ...{ code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' },
  });
  const page = await go(`/auth?${query.toString()}`);
  const { location } = await go(page.location, { prompt: 'login', login, password: 'any' });
  const code = new URL(location).searchParams.get('code') ?? '';
  const tokens = await go('/token', {
    ...{ grant_type: 'authorization_code', client_id: APP, code, code_verifier: verifier, redirect_uri: CALLBACK },
    resource: API,
  });
  const { access_token: accessToken, id_token: idToken } = JSON.parse(tokens.text) as Record<string, string>;
  if (accessToken === undefined || idToken === undefined) throw new Error(`no sign-in: ${tokens.text}`);
  return {
    accessToken,
    idToken,
    async signOut() {
      const { text } = await go(`/session/end?id_token_hint=${idToken}`);
      const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(text) ?? [];
      await go('/session/end/confirm', { xsrf, logout: 'yes' });
    },
  };
}

/** Follows redirects within the provider, and keeps its cookies. `location`: where the last answer was, or leads to. */
function browser(provider: string) {
  const cookies = new Map<string, string>();
  return async (path: string, form?: Readonly<Record<string, string>>) => {
    let location = new URL(path, provider).href;
    let response: Response | undefined;
    for (let body = form; response === undefined || location.startsWith(provider); body = undefined) {
      response = await fetch(location, {
        redirect: 'manual',
        headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
        ...(body && { method: 'POST', body: new URLSearchParams(body) }),
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        cookies.set(name, value);
      }
      const next = response.headers.get('location');
      if (next === null) break;
      location = new URL(next, location).href;
    }
    return { location, text: await response.text() };
  };
}
