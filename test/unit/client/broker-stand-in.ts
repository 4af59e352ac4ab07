/** A broker of a few lines for the client's tests: answers `fetch` from a script and remembers what it was asked. */
export interface Asked {
  readonly path: string;
  readonly bearer: string;
  readonly body: Record<string, unknown>;
}

export type Answer = Response | Error | Promise<Response>;

export class BrokerStandIn {
  readonly asked: Asked[] = [];
  readonly script: (() => Answer)[] = [];
  #minted = 0;
  validityMs = 600_000;
  refreshMs = 300_000;
  clockOffsetMs = 0;
  /** Tokens name the caller and the grant. */
  ownTokens = false;
  /** Set: answers wait here until they are called. */
  held: (() => void)[] | undefined;

  /** The next answer that is not an ordinary one. */
  next(answer: () => Answer): void {
    this.script.push(answer);
  }

  tokenFor(user: string, grant = 'default'): Response {
    return this.token(user, `token of ${user} for ${grant} no. ${this.#minted + 1}`);
  }

  token(userName = 'alice', token?: string): Response {
    this.#minted += 1;
    const now = Date.now() + this.clockOffsetMs;
    return Response.json({
      token: token ?? `token-${this.#minted}`,
      userName,
      leaseId: `lease-${this.#minted}`,
      orgId: 1,
      expiresAt: now + this.validityMs,
      refreshAfter: now + this.refreshMs,
      servedAt: now,
    });
  }

  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    const body = typeof init?.body === 'string' ? init.body : '{}';
    this.asked.push({
      path: url.pathname,
      bearer: headers.get('authorization') ?? '',
      body: JSON.parse(body) as Record<string, unknown>,
    });
    const scripted = this.script.shift();
    if (scripted !== undefined) {
      const answer = await scripted();
      if (answer instanceof Error) throw answer;
      return answer;
    }
    if (this.held) await new Promise<void>((resolve) => this.held?.push(resolve));
    if (url.pathname.endsWith('/revoketoken')) return Response.json({ revoked: 1, pending: 0 });
    if (!this.ownTokens) return this.token();
    const { grant } = JSON.parse(body) as { grant?: unknown };
    const claims = JSON.parse(atob((headers.get('authorization') ?? '').split('.')[1] ?? '')) as { sub: string };
    return this.tokenFor(claims.sub, typeof grant === 'string' ? grant : undefined);
  };
}

export function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = JSON.stringify({ code, status, detail: `because ${code}`, correlationId: 'c-1' });
  return new Response(body, { status, headers: { 'content-type': 'application/problem+json', ...headers } });
}

/** An unsigned JWT: the client reads only `iss` and `sub` of it, to name a channel. */
export function accessToken(sub: string, claims: object = {}): string {
  const part = (value: object) => btoa(JSON.stringify(value)).replace(/=+$/, '');
  return `${part({ alg: 'none' })}.${part({ iss: 'https://issuer.example', sub, ...claims })}.`;
}

export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  return Promise.withResolvers<T>();
}
