/**
 * Observes a running local broker as its users, its operators and ThoughtSpot see it: its answers, its rows, the live
 * tokens, and whether a secret leaked. Every answer is checked against docs/openapi.yaml.
 */
import { isUnfinished, type Lease, personOf } from '../../functions/broker/lease.ts';
import { SECRET_ID } from '../../local/function-variables.ts';
import type { LocalBroker } from '../../local/local-broker.ts';
import { leaksAmong, leaksIn } from './canaries.ts';
import { ledgerRows } from './ledger-rows.ts';
import { mismatchesOf } from './openapi.ts';

export interface Request {
  readonly method?: string;
  /** A string is sent as it is, anything else as JSON. Without a body the request has no content type either. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Replaces the user's own; null: no header. */
  readonly authorization?: string | null;
}

export interface Answered {
  readonly status: number;
  readonly code: unknown;
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly headers: Headers;
}

export interface LiveToken {
  readonly text: string;
  readonly user: string;
  readonly org: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export interface Witness {
  /** A request with the user's own access token. */
  ask(user: string, path?: string, request?: Request): Promise<Answered>;
  /** A request whose mint waits at ThoughtSpot: resolves when it is there. `release` lets it go on. */
  heldMint(
    user: string,
    request?: Request,
  ): Promise<{ readonly asked: Promise<Answered>; readonly release: () => void }>;
  /** Codes of all problems that were answered so far. */
  readonly codes: ReadonlySet<string>;
  /** Every row of a ThoughtSpot user, oldest first, including finished rows. */
  rowsOf(user: string): Promise<readonly Lease[]>;
  statesOf(user: string): Promise<readonly string[]>;
  /** Those of all ThoughtSpot users of a person, or of everybody. */
  liveTokens(user?: string): readonly LiveToken[];
  /** Live tokens that no row of their own records; always none. `except`: sessions of the broker itself. */
  unaccounted(except?: readonly string[]): Promise<readonly string[]>;
  /** Sweeps until nothing is due that the sweep could still finish. Throws after twenty runs. */
  sweepToRest(): Promise<void>;
  /** Offsets the clocks of all sandboxes by this many ms; the sandboxes start again. */
  shiftClocks(ms: number): void;
  /** Secrets that occur where they do not belong in anything that was printed or answered. */
  leaks(): Promise<readonly string[]>;
}

/** `aheadMs`: how far the clocks of the sandboxes are ahead, where a test moves them. */
export function witness(broker: LocalBroker, aheadMs = () => 0): Witness {
  const jwts = new Set<string>();
  const codes = new Set<string>();
  /** How far the clocks of the sandboxes are behind, ms. */
  let behindMs = 0;
  /** All answers; a token that gettoken was asked for is removed from them. */
  const tokenless: string[] = [];

  async function ask(user: string, path = '/gettoken', request: Request = {}): Promise<Answered> {
    const { method = 'POST', body, headers = {} } = request;
    // Neither issued in the future nor with a begin for a clock that a test has set back.
    const times = { nbf: undefined, iat: Math.floor((Date.now() - behindMs) / 1_000) };
    const { authorization = `Bearer ${await broker.issuer.accessToken(user, times)}` } = request;
    const jwt = authorization?.replace('Bearer ', '') ?? '';
    if (jwt.includes('.')) jwts.add(jwt);
    const content = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(broker.url + path, {
      method,
      headers: {
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
        ...(authorization !== null && { authorization }),
      },
      ...(content === undefined ? {} : { body: content }),
    });
    const text = await response.text();
    const contentType = response.headers.get('content-type') ?? '';
    const json = contentType.includes('json') ? (JSON.parse(text) as Record<string, unknown>) : {};
    const code = json['code'];
    const route = path.split('?')[0] ?? path;
    if (typeof code === 'string') codes.add(code);
    const asked = response.ok && route === '/gettoken' ? (json['token'] ?? text) : undefined;
    tokenless.push(typeof asked === 'string' ? text.replaceAll(asked, '') : text);
    // Answers of the gateway itself have a message but no code; its answers to a bad JWT are documented.
    if (response.ok || code !== undefined || response.status === 401 || response.status === 403) {
      const mismatches = mismatchesOf(route, method, {
        status: response.status,
        contentType,
        body: text,
        headers: response.headers,
      });
      if (mismatches.length > 0) throw new Error(`not as documented: ${mismatches.join('; ')}`);
    }
    return { status: response.status, code, json, text, headers: response.headers };
  }

  async function heldMint(user: string, request?: Request) {
    const release = broker.simulator?.hold();
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const stop = broker.simulator?.onCall(() => resolve());
    const asked = ask(user, '/gettoken', request);
    await begun;
    stop?.();
    return { asked, release: () => release?.() };
  }

  function liveTokens(user?: string): readonly LiveToken[] {
    const texts = broker.simulator?.tokens() ?? [];
    const live = (broker.simulator?.state().tokens ?? []).map((token, at) => ({ ...token, text: texts[at] ?? '' }));
    return user === undefined ? live : live.filter((token) => personOf(token.user) === user);
  }

  const rowsOf = async (user: string) => {
    const rows = (await ledgerRows(broker)).leases.filter((row) => row.user === user);
    return rows.sort((one, other) => one.reservedAt - other.reservedAt);
  };

  return {
    ask,
    heldMint,
    codes,
    rowsOf,
    statesOf: async (user) => (await rowsOf(user)).map(({ state }) => state),
    liveTokens,

    async unaccounted(except = []) {
      const live = liveTokens().filter(({ text }) => !except.includes(text));
      const { leases, tokenDigest } = await ledgerRows(broker);
      const offset = (broker.simulator?.switches().clockOffsetMs ?? 0) - aheadMs();
      const open = leases.filter(({ state }) => isUnfinished(state));
      const blank = open.filter(({ tokenDigest }) => tokenDigest === undefined);
      blank.sort((one, other) => one.latestEndAt - other.latestEndAt);
      const problems: string[] = [];
      for (const token of [...live].sort((one, other) => one.expiresAt - other.expiresAt)) {
        const digest = tokenDigest(token.text);
        const own = leases.find((row) => row.tokenDigest === digest);
        if (own) {
          if (!isUnfinished(own.state)) problems.push(`a live token of ${token.user} has a row that is ${own.state}`);
          continue;
        }
        // A token whose reply was lost: one row of its user, reserved before it and open until after it, accounts for it.
        const index = blank.findIndex(
          (row) =>
            row.user === personOf(token.user) &&
            row.orgId === token.org &&
            row.reservedAt <= token.issuedAt - offset + 1_000 &&
            row.latestEndAt >= token.expiresAt - offset,
        );
        if (index < 0) problems.push(`a live token of ${token.user} has no row`);
        else blank.splice(index, 1);
      }
      return problems;
    },

    async sweepToRest() {
      for (let run = 0; run < 20; run += 1) {
        const swept = await broker.sweep();
        if (swept.status !== 'answered') throw new Error(`the sweep ${swept.status}`);
        const tally = JSON.parse(swept.payload) as { due: number; retried: number; unfinished: boolean };
        if (tally.due === tally.retried && !tally.unfinished) return;
      }
      throw new Error('the sweep does not come to rest');
    },

    shiftClocks(ms) {
      behindMs = Math.max(0, -ms);
      for (const local of broker.functions.values()) local.replace({ clockOffsetMs: ms });
    },

    async leaks() {
      const printed = broker.output.text();
      const long = new Map<string, string>();
      const short: Record<string, string> = {};
      const secrets = [
        ['the digest key', (await ledgerRows(broker)).digestKey ?? ''] as const,
        ...secretsIn(broker).map((text, at) => [`secret ${at}`, text] as const),
        ...[...jwts].map((text, at) => [`JWT ${at}`, text] as const),
        ...[...jwts].map((text, at) => [`signature of JWT ${at}`, text.split('.')[2] ?? text] as const),
        ...(broker.simulator?.issued() ?? []).map((text, at) => [`token ${at}`, text] as const),
      ];
      for (const [name, text] of secrets) {
        if (text === '') continue;
        if (text.length >= 28) long.set(text, name);
        else short[name] = text;
      }
      if (long.size === 0) throw new Error('there is nothing to search for');
      const texts = [printed, ...tokenless];
      return [...leaksAmong(texts, long), ...leaksIn(texts.join('\n'), short)];
    },
  };
}

/** Every text in every version of the broker's secret: keys and passwords. Names of users do not count. */
function secretsIn({ aws }: LocalBroker): string[] {
  const texts = (value: unknown): string[] => {
    if (typeof value === 'string') return [value];
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]) => (name === 'userName' ? [] : texts(inner)));
  };
  return [...new Set(documents(aws.secrets.values(SECRET_ID)).flatMap(texts))].filter((text) => text.length > 7);
}

function documents(values: readonly string[]): unknown[] {
  return values.map((value): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  });
}
