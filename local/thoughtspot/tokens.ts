import { createHash, randomBytes } from 'node:crypto';
import type { Entitlements } from './entitlements.ts';
import type { Switches } from './switches.ts';

/** `session`: made from a session rather than by a mint endpoint. */
export type TokenKind = 'full' | 'object' | 'custom' | 'session';

export interface TokenGrant {
  user: string;
  org: number;
  kind: TokenKind;
  issuedAt: number;
  expiresAt: number;
  objectId: string | null;
  /** What only this token carries: attributes that were not persisted on the user. */
  own: Entitlements;
  /** What was in force for it when it was made. */
  entitlements: Entitlements;
  /** The secret key it was minted with; null if by password or from a session. */
  mintedWith: string | null;
  /** The token that it was made of, itself or by way of a cookie session; null: of none. */
  parent: IssuedToken | null;
}

export interface IssuedToken extends Readonly<TokenGrant> {
  readonly text: string;
  readonly digest: string;
  /** From when on it is dead, by the cluster's clock; null: not revoked. */
  revokedAt: number | null;
}

/**
 * The form seen on most clusters (wire facts 4, form a): base64 of the user's name and a salted hash, so the name is
 * plain to anyone who decodes it. Real ones nest a second base64 and hence have neither '+' nor '/'; here the hash is
 * raw, and tried until all of '+', '/' and '=' occur, so that a client that does not encode them fails at once.
 */
function basicForm(user: string): string {
  const head = Buffer.from(`${user}:$shiro1$SHA-256$500000$`);
  const size = 128 - head.length > 32 ? 128 - head.length : 32;
  for (;;) {
    const padded = (head.length + size) % 3 === 0 ? size + 1 : size;
    const text = Buffer.concat([head, randomBytes(padded)]).toString('base64');
    if (text.includes('+') && text.includes('/')) return text;
  }
}

/** Form b: three base64url parts. The signature is noise, as nobody but the cluster can check it. */
function jwtForm(grant: TokenGrant): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    sub: grant.user,
    org: grant.org,
    jti: randomBytes(16).toString('hex'),
    exp: Math.floor(grant.expiresAt / 1000),
  };
  return [part({ alg: 'HS256', typ: 'JWT' }), part(claims), randomBytes(32).toString('base64url')].join('.');
}

/** SHA-256 in hex: how tokens are named where they must not be shown. */
export const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Dead tokens are remembered up to here, to tell an expired one from one that never was. */
const REMEMBERED = 20_000;

export class Tokens {
  readonly #byText = new Map<string, IssuedToken>();
  #issued = 0;
  #revoked = 0;

  /** Every token is a new one: whether a second mint may give the first one's token is not documented. */
  issue(grant: TokenGrant, form: Switches['tokenForm']): IssuedToken {
    const jwt = form === 'jwt' || (form === 'mixed' && this.#issued % 2 === 1);
    const text = jwt ? jwtForm(grant) : basicForm(grant.user);
    const token = { ...grant, text, digest: digestOf(text), revokedAt: null };
    this.#byText.set(text, token);
    this.#issued += 1;
    if (this.#byText.size > REMEMBERED) this.#forgetOldest(grant.issuedAt);
    return token;
  }

  #forgetOldest(now: number): void {
    for (const token of this.#byText.values()) {
      if (token.expiresAt <= now) this.#byText.delete(token.text);
    }
  }

  find(text: string): IssuedToken | undefined {
    return this.#byText.get(text);
  }

  revoke(token: IssuedToken, from: number): void {
    if (token.revokedAt !== null) return;
    token.revokedAt = from;
    this.#revoked += 1;
  }

  /** The cluster's clock was set: what was revoked stays so, and what is about to be will be as soon as it was to be. */
  clockMoved(byMs: number): void {
    for (const token of this.#byText.values()) if (token.revokedAt !== null) token.revokedAt += byMs;
  }

  /** Absolute expiry: use does not extend a token (wire facts 3.1). */
  isAlive(token: IssuedToken, now: number): boolean {
    return now < token.expiresAt && (token.revokedAt === null || now < token.revokedAt);
  }

  alive(now: number): IssuedToken[] {
    return [...this.#byText.values()].filter((token) => this.isAlive(token, now));
  }

  /** Every token that was made of this one, and of those in turn. */
  descendants(of: IssuedToken): IssuedToken[] {
    const children = [...this.#byText.values()].filter(({ parent }) => parent === of);
    return children.flatMap((child) => [child, ...this.descendants(child)]);
  }

  /** All that are remembered, dead ones too, oldest first. */
  texts(): string[] {
    return [...this.#byText.keys()];
  }

  /** How many were issued and revoked since the start. */
  counts(): { issued: number; revoked: number } {
    return { issued: this.#issued, revoked: this.#revoked };
  }
}
