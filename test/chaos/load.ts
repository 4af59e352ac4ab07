/** The users of the broker, and every answer that they got. The audit checks the broker against these answers. */
import { personOf } from '../../functions/broker/lease.ts';
import type { ChaosWorld } from './world.ts';
import type { PlannedRequest } from './plan.ts';

export interface HandedOut {
  readonly user: string;
  readonly token: string;
  /** When it was first received, ms of the process. */
  readonly at: number;
}

/** A revocation that the broker accepted. */
export interface AcceptedRevoke {
  readonly what: string;
  readonly askedAt: number;
  readonly answeredAt: number;
  /** Whether the broker said that ThoughtSpot had confirmed all of it. */
  readonly complete: boolean;
  readonly covers: (held: HandedOut) => boolean;
}

export interface Answered {
  readonly at: number;
  readonly action: string;
  readonly status: number;
  readonly code: string | undefined;
}

type Selection = { readonly all: true } | { readonly orgId: number };

/** No answer may take longer. The gateway's own limit is 30 s. */
const HANG_MS = 35_000;

export class Load {
  readonly handedOut = new Map<string, HandedOut>();
  readonly revokes: AcceptedRevoke[] = [];
  readonly answers: Answered[] = [];
  readonly violations = new Set<string>();
  /** Bodies of all answers; the token that was asked for is removed. */
  readonly bodies: string[] = [];
  readonly #world: ChaosWorld;
  readonly #running = new Set<Promise<void>>();

  constructor(world: ChaosWorld) {
    this.#world = world;
  }

  /** Starts a planned request without waiting for it. */
  start({ user: index, action }: PlannedRequest): void {
    const user = this.#world.users[index];
    if (user === undefined) throw new Error('The plan has more users than the world.');
    switch (action) {
      case 'token':
        return this.#run(this.#token(user, {}));
      case 'reload':
        // As with the embed SDK, several frames of a page ask at once.
        for (let frame = 0; frame < 3; frame += 1) this.#run(this.#token(user, {}));
        return;
      case 'session':
        return this.#run(this.#session(user));
      case 'revoke':
        return this.#run(this.#revokeNewest(user));
      case 'sign out':
        return this.#run(this.#revoke(user, undefined, `sign out of ${user}`, (held) => held.user === user));
    }
  }

  revokeForOthers(selection: Selection): Promise<void> {
    const { orgOf } = this.#world;
    const covers = ({ user }: HandedOut) => 'all' in selection || orgOf(user) === selection.orgId;
    return this.#revoke('operator', selection, `mass revoke ${JSON.stringify(selection)}`, covers);
  }

  async deprovision(userNames: readonly string[]): Promise<void> {
    const askedAt = performance.now();
    const event = {
      'detail-type': 'user.deprovisioned',
      source: 'idp.example',
      time: new Date(this.#world.now()).toISOString(),
      detail: { userNames },
    };
    const invocation = await this.#world.broker.invoke('revoketoken', event);
    const status = invocation.status === 'answered' ? 200 : invocation.status === 'throttled' ? 429 : 500;
    this.#note('deprovision', status, invocation.status === 'answered' ? undefined : invocation.status);
    if (invocation.status !== 'answered') return;
    this.bodies.push(invocation.payload);
    this.revokes.push({
      what: `deprovisioning of ${userNames.join(', ')}`,
      askedAt,
      answeredAt: performance.now(),
      complete: false,
      covers: ({ user }) => userNames.includes(user),
    });
  }

  /** Tokens that the revoke covers and that ThoughtSpot still accepts. */
  liveUnder({ covers, askedAt }: AcceptedRevoke): HandedOut[] {
    const live = new Set(this.#world.liveTokens().map(({ text }) => text));
    return [...this.handedOut.values()].filter((held) => held.at < askedAt && live.has(held.token) && covers(held));
  }

  /** Resolves when everything that was started has been answered. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #run(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #call(user: string, method: 'GET' | 'POST', path: string, body?: object) {
    const { broker, jwtOf } = this.#world;
    const headers = {
      authorization: `Bearer ${jwtOf(user)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const answer = await fetch(broker.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(HANG_MS),
    })
      .then(async (response) => ({ status: response.status, text: await response.text() }))
      .catch((error: unknown) => {
        this.violations.add(`${path} was not answered: ${String(error)}`);
        return { status: 0, text: '{}' };
      });
    const json = parsed(answer.text);
    const code = typeof json['code'] === 'string' ? json['code'] : undefined;
    this.#note(path, answer.status, code);
    const { token } = json;
    this.bodies.push(typeof token === 'string' ? answer.text.replaceAll(token, '') : answer.text);
    // The gateway's own answers, for a dead sandbox or a function without a free sandbox, are recognised by their message.
    if (answer.status >= 500 && code === undefined && typeof json['message'] !== 'string') {
      this.violations.add(`${path} answered ${answer.status} without a code`);
    }
    return { status: answer.status, json };
  }

  async #token(user: string, body: object): Promise<void> {
    const askedAt = performance.now();
    const { status, json } = await this.#call(user, 'POST', '/gettoken', body);
    const token = json['token'];
    if (status !== 200 || typeof token !== 'string') return;
    this.#world.secrets.set(token, `a token of ${user}`);
    if (typeof json['expiresAt'] === 'number') this.#world.promisedEnds.set(token, json['expiresAt']);
    const owner = Buffer.from(token, 'base64').toString('latin1').split(':')[0];
    if (json['userName'] !== owner || owner === undefined || personOf(owner) !== user) {
      this.violations.add(`${user} was given a token of ${owner ?? 'nobody'}`);
    }
    const known = this.handedOut.get(token);
    if (known === undefined) this.handedOut.set(token, { user, token, at: performance.now() });
    else {
      const ended = this.revokes.find(
        ({ covers, askedAt: since, answeredAt }) => covers(known) && known.at < since && answeredAt < askedAt,
      );
      if (ended) this.violations.add(`a token of ${user} was served after the ${ended.what} that covers it`);
    }
  }

  async #session(user: string): Promise<void> {
    const { status, json } = await this.#call(user, 'GET', '/sessioninfo');
    const of = json['userName'];
    if (status === 200 && (typeof of !== 'string' || personOf(of) !== user))
      this.violations.add(`${user} was shown another user's session`);
  }

  async #revokeNewest(user: string): Promise<void> {
    const newest = [...this.handedOut.values()].filter((held) => held.user === user).at(-1);
    if (newest === undefined) return;
    const { token } = newest;
    return this.#revoke(user, { token }, `revoke by ${user}`, (held) => held.token === token);
  }

  async #revoke(who: string, body: object | undefined, what: string, covers: AcceptedRevoke['covers']): Promise<void> {
    const askedAt = performance.now();
    const { status, json } = await this.#call(who, 'POST', '/revoketoken', body);
    if (status !== 200 && status !== 202) return;
    const complete = status === 200 && json['pending'] === 0;
    const revoke = { what, askedAt, answeredAt: performance.now(), complete, covers };
    this.revokes.push(revoke);
    if (complete && this.liveUnder(revoke).length > 0) {
      this.violations.add(`ThoughtSpot still accepts a token although it confirmed the ${what}`);
    }
  }

  #note(action: string, status: number, code: string | undefined): void {
    this.answers.push({ at: performance.now(), action, status, code });
  }
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
