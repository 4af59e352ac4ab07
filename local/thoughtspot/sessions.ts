import { randomBytes } from 'node:crypto';
import type { IssuedToken } from './tokens.ts';

/** Wire facts 3.3: a cookie session ends after 3 h without use; with remember_me after about 7 days. */
export const SESSION_SECONDS = 3 * 3600;
export const REMEMBERED_SESSION_SECONDS = 7 * 86_400;

export interface Session {
  readonly id: string;
  readonly user: string;
  readonly org: number;
  /** The token it was made with, if any. */
  readonly token: IssuedToken | null;
  readonly idleMs: number;
  expiresAt: number;
}

/** Sessions by cookie. */
export class Sessions {
  readonly #byId = new Map<string, Session>();

  start(owner: { user: string; org: number; token: IssuedToken | null }, remember: boolean, now: number): Session {
    const idleMs = (remember ? REMEMBERED_SESSION_SECONDS : SESSION_SECONDS) * 1000;
    const session = { ...owner, id: randomBytes(24).toString('base64url'), idleMs, expiresAt: now + idleMs };
    this.#byId.set(session.id, session);
    return session;
  }

  /** The live session of a cookie; finding it counts as use and keeps it going. */
  touch(id: string, now: number): Session | undefined {
    const session = this.#byId.get(id);
    if (session === undefined || session.expiresAt <= now) return undefined;
    session.expiresAt = now + session.idleMs;
    return session;
  }

  end(id: string): void {
    this.#byId.delete(id);
  }

  endThoseOf(token: IssuedToken): void {
    for (const session of this.#byId.values()) if (session.token === token) this.end(session.id);
  }

  alive(now: number): Session[] {
    return [...this.#byId.values()].filter((session) => session.expiresAt > now);
  }
}

export const SESSION_COOKIE = 'JSESSIONID';

/** Set-Cookie that starts, or with an empty id ends, a session in the browser. */
export function sessionCookie(id: string): string {
  const end = id === '' ? '; Max-Age=0' : '';
  return `${SESSION_COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax${end}`;
}
