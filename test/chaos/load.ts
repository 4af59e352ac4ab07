/** The users of the broker, and every answer that they got. The audit checks the broker against these answers. */
import { personOf } from '../../functions/broker/lease.ts';
import { type Did, ended, keyOf, lifted, minted, NOTHING, refused, served, signedOut, suspended } from './history.ts';
import { unexplained } from '../support/linearizability.ts';
import type { ChaosWorld } from './world.ts';
import { postLogout } from '../support/demo-logout.ts';
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

/** Whom a block is on, and how a request of an operator says so. */
interface Whom {
  readonly words: string;
  readonly body: object;
  readonly covers: (user: string) => boolean;
}
export type ScopeName = 'user' | 'user in org' | 'subject' | 'org' | 'all';

/** Times that a suspension is lifted, if a fault is in the way. */
const REINSTATEMENTS = 40;
/** How many sign in again at the end. */
const COME_BACK = 10;
const COME_BACK_TRIES = 20;
/** No answer may take longer. The gateway's own limit is 30 s. */
const HANG_MS = 35_000;
/** Tokens that one page asks for at once. */
const STORM = 5;

export class Load {
  readonly handedOut = new Map<string, HandedOut>();
  readonly revokes: AcceptedRevoke[] = [];
  /** Sign-outs and suspensions that were accepted. */
  blocks = 0;
  readonly answers: Answered[] = [];
  readonly violations = new Set<string>();
  /** Bodies of all answers; the token that was asked for is removed. */
  readonly bodies: string[] = [];
  readonly #world: ChaosWorld;
  readonly #running = new Set<Promise<void>>();
  /** What everybody saw, by user. */
  readonly #seen = new Map<string, Did[]>();
  #asked = 0;

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
      case 'storm':
        // Another validity is another lease, so that nothing is served again.
        for (let n = 0; n < STORM; n += 1) {
          this.#asked += 1;
          this.#run(this.#token(user, { validitySeconds: 60 + (this.#asked % 240) }));
        }
        return;
      case 'session':
        return this.#run(this.#session(user));
      case 'revoke':
        return this.#run(this.#revokeNewest(user));
      case 'sign out':
        return this.#run(this.#revoke(user, undefined, `sign out of ${user}`, (held) => held.user === user));
    }
  }

  /** Asks until somebody has a token: on a slow machine the first sandboxes may take longer than a request. */
  async begin(): Promise<void> {
    for (let at = 0; this.handedOut.size === 0; at += 1)
      await this.#token(this.#world.users[at % this.#world.users.length] ?? '', {});
  }

  /** A request, until it has been answered. */
  async perform(request: PlannedRequest): Promise<void> {
    this.start(request);
    await this.settled();
  }

  revokeForOthers(selection: Selection): Promise<void> {
    const { orgOf } = this.#world;
    const covers = (user: string) => 'all' in selection || orgOf(user) === selection.orgId;
    return this.#shutOut({ words: JSON.stringify(selection), body: selection, covers }, 'mass revoke');
  }

  signOut(user: string, scope: ScopeName): Promise<void> {
    return this.#shutOut(this.#whom(user, scope), 'sign-out');
  }

  /** The function that it returns lifts it. */
  async suspend(user: string, scope: ScopeName): Promise<() => Promise<void>> {
    const whom = this.#whom(user, scope);
    await this.#shutOut(whom, 'suspension');
    return () => this.#reinstate(whom);
  }

  /** Somebody has left: by the ThoughtSpot user, by the subject, or by both. The function that it returns takes them back. */
  async deprovision(userNames: readonly string[]): Promise<() => Promise<void>> {
    const askedAt = performance.now();
    const names = userNames.filter((_, index) => index % 3 !== 1);
    const left = userNames.filter((_, index) => index % 3 !== 0);
    const subjects = left.map((user) => this.#subjectOf(user));
    const detail = { ...(names.length > 0 && { userNames: names }), ...(subjects.length > 0 && { subjects }) };
    // EventBridge has whole seconds.
    const time = new Date(Math.floor(this.#world.now() / 1_000) * 1_000).toISOString();
    const event = { 'detail-type': 'user.deprovisioned', source: 'idp.example', time, detail };
    const invocation = await this.#world.broker.invoke('revoketoken', event);
    const status = invocation.status === 'answered' ? 200 : invocation.status === 'throttled' ? 429 : 500;
    this.#note('deprovision', status, invocation.status === 'answered' ? undefined : invocation.status);
    const scopes = [
      ...names.map((user) => this.#whom(user, 'user')),
      ...left.map((user) => this.#whom(user, 'subject')),
    ];
    const takeBack = async () => {
      for (const whom of scopes) await this.#reinstate(whom);
    };
    const known = invocation.status === 'answered';
    if (known) this.bodies.push(invocation.payload);
    // Of the same second as a reinstatement, a part of it may be the earlier one.
    const done = known && !('ignored' in parsed(invocation.payload));
    const answeredAt = performance.now();
    const what = `deprovisioning of ${userNames.join(', ')}`;
    const when = { from: askedAt, to: done ? answeredAt : Infinity };
    // Each is suspended by what is his, and comes back when that is lifted.
    for (const { words, covers } of scopes) this.#did(covers, suspended(what, [words], when));
    if (done)
      this.#shut({ what, askedAt, answeredAt, complete: false, covers: ({ user }) => userNames.includes(user) });
    return takeBack;
  }

  /** The issuer says that somebody has signed out there. */
  async logOut(user: string, scope: 'session' | 'subject'): Promise<void> {
    const askedAt = performance.now();
    const { broker } = this.#world;
    const issuedUpTo = Math.floor(this.#world.now() / 1_000) * 1_000;
    const named = scope === 'session' ? { sub: undefined } : { sid: undefined };
    const response = await postLogout(broker, user, issuedUpTo - Date.now(), named);
    const text = await response.text();
    this.bodies.push(text);
    this.#note('/backchannel-logout', response.status, response.status === 400 ? 'logout refused' : undefined);
    this.#world.signInAgain(user, issuedUpTo + 1_000);
    const what = `logout of the ${scope} of ${user}`;
    const known = response.status === 200;
    const answeredAt = performance.now();
    const isUser = (other: string) => other === user;
    this.#did(isUser, signedOut(what, issuedUpTo, { from: askedAt, to: known ? answeredAt : Infinity }));
    if (known) this.#shut({ what, askedAt, answeredAt, complete: false, covers: (held) => isUser(held.user) });
  }

  /** At the end nobody may be shut out for ever: whoever signs in again gets a token. */
  async everybodyComesBack(): Promise<void> {
    for (const user of this.#world.users.slice(0, COME_BACK)) {
      this.#world.signInAgain(user, 0);
      const ask = () => this.#call(user, 'POST', '/gettoken', {});
      let { status, json } = await ask();
      // A slow machine takes longer than a function has, and a sandbox keeps in mind for a while that a part failed.
      for (let tries = 1; status >= 500 && tries < COME_BACK_TRIES; tries += 1) ({ status, json } = await ask());
      if (status !== 200)
        this.violations.add(`${user} signed in again and was answered ${status} ${String(json['code'])}`);
    }
  }

  #whom(user: string, scope: ScopeName): Whom {
    const orgId = this.#world.orgOf(user);
    const isUser = (other: string) => other === user;
    switch (scope) {
      case 'user':
        return { words: `user ${user}`, body: { userName: user }, covers: isUser };
      case 'user in org':
        return { words: `user ${user} in org ${orgId}`, body: { userName: user, orgId }, covers: isUser };
      case 'subject':
        return { words: `subject of ${user}`, body: { subject: this.#subjectOf(user) }, covers: isUser };
      case 'org':
        return { words: `org ${orgId}`, body: { orgId }, covers: (other) => this.#world.orgOf(other) === orgId };
      case 'all':
        return { words: 'all', body: { all: true }, covers: () => true };
    }
  }

  #subjectOf(user: string) {
    return { issuer: this.#world.broker.issuer.url, sub: `sub-${user}` };
  }

  async #shutOut({ words, body, covers }: Whom, how: 'mass revoke' | 'sign-out' | 'suspension'): Promise<void> {
    const askedAt = performance.now();
    const issuedUpTo = this.#world.now();
    const path = how === 'suspension' ? '/suspend' : '/revoketoken';
    const { status, json } = await this.#call('operator', 'POST', path, body);
    const answeredAt = performance.now();
    const what = `${how} of ${words}`;
    const known = status === 200 || status === 202;
    // What was not answered so may be done all the same.
    const when = { from: askedAt, to: known ? answeredAt : Infinity };
    this.#did(covers, how === 'suspension' ? suspended(what, [words], when) : signedOut(what, issuedUpTo, when));
    const complete = status === 200 && json['pending'] === 0;
    if (known) this.#shut({ what, askedAt, answeredAt, complete, covers: ({ user }) => covers(user) });
  }

  #shut(revoke: AcceptedRevoke): void {
    this.blocks += 1;
    this.#ended(revoke);
  }

  #did(covers: (user: string) => boolean, did: Did): void {
    for (const user of this.#world.users)
      if (covers(user)) this.#seen.set(user, [...(this.#seen.get(user) ?? []), did]);
  }

  /** How a token may be called in what is printed. */
  #nameOf(token: string): string {
    return `token ${this.#world.minted.findIndex((one) => one.token === token) + 1}`;
  }

  /** What nobody can have seen if everything had happened at one moment; and how much was looked at. */
  histories(): { readonly operations: number; readonly unexplained: readonly string[] } {
    const all = this.#world.users.map((user) => {
      const mints = this.#world.minted.filter(({ token }) => this.handedOut.get(token)?.user === user);
      const operations = [
        ...mints.map(({ token, when }) => minted(this.#nameOf(token), when)),
        ...(this.#seen.get(user) ?? []),
      ];
      return { user, operations, wrong: unexplained(operations, NOTHING, keyOf) };
    });
    return {
      operations: all.reduce((sum, { operations }) => sum + operations.length, 0),
      unexplained: all.flatMap(({ user, wrong }) =>
        wrong
          ? [`no order explains what ${user} saw:\n${[...wrong.order, 'but then not', ...wrong.left].join('\n')}`]
          : [],
      ),
    };
  }

  /** Asks until it is done: whoever stays suspended asks for nothing that could be audited. */
  async #reinstate({ words, body, covers }: Whom): Promise<void> {
    for (let tries = 0; tries < REINSTATEMENTS; tries += 1) {
      const from = performance.now();
      const { status } = await this.#call('operator', 'POST', '/reinstate', body);
      const to = status === 200 ? performance.now() : Infinity;
      this.#did(covers, lifted(words, { from, to }));
      if (status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    this.violations.add('a suspension could not be lifted');
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

  /** Time does not jump while it is under way. */
  #call(user: string, method: 'GET' | 'POST', path: string, body?: object) {
    const call = this.#send(user, method, path, body);
    this.#run(call.then(() => undefined));
    return call;
  }

  async #send(user: string, method: 'GET' | 'POST', path: string, body?: object) {
    const { broker } = this.#world;
    const { jwt, issuedAt } = await this.#world.accessTokenOf(user);
    const headers = {
      authorization: `Bearer ${jwt}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const answer = await fetch(broker.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(HANG_MS),
    })
      .then(async (response) => {
        const retryAfter = Number(response.headers.get('retry-after') ?? 0);
        return { status: response.status, text: await response.text(), retryAfter };
      })
      .catch((error: unknown) => {
        this.violations.add(`${path} was not answered: ${String(error)}`);
        return { status: 0, text: '{}', retryAfter: 0 };
      });
    const json = parsed(answer.text);
    const code = typeof json['code'] === 'string' ? json['code'] : undefined;
    this.#note(path, answer.status, code);
    // As the client does: it waits for as long as the answer says, and renews the access token.
    if (code === 'sign-in-again') this.#world.signInAgain(user, this.#world.now() + answer.retryAfter * 1_000);
    const { token } = json;
    this.bodies.push(typeof token === 'string' ? answer.text.replaceAll(token, '') : answer.text);
    // The gateway's own answers, for a dead sandbox or a function without a free sandbox, are recognised by their message.
    if (answer.status >= 500 && code === undefined && typeof json['message'] !== 'string') {
      this.violations.add(`${path} answered ${answer.status} without a code`);
    }
    return { status: answer.status, json, issuedAt };
  }

  async #token(user: string, body: object): Promise<void> {
    const askedAt = performance.now();
    const { status, json, issuedAt } = await this.#call(user, 'POST', '/gettoken', body);
    const answeredAt = performance.now();
    const token = json['token'];
    const when = { from: askedAt, to: answeredAt };
    const isUser = (other: string) => other === user;
    const code = json['code'];
    if (code === 'sign-in-again' || code === 'suspended') this.#did(isUser, refused(code, issuedAt, when));
    if (status !== 200 || typeof token !== 'string') return;
    this.#did(isUser, served(this.#nameOf(token), issuedAt, when));
    this.#world.secrets.set(token, `a token of ${user}`);
    if (typeof json['expiresAt'] === 'number') this.#world.promisedEnds.set(token, json['expiresAt']);
    const owner = Buffer.from(token, 'base64').toString('latin1').split(':')[0];
    if (json['userName'] !== owner || owner === undefined || personOf(owner) !== user) {
      this.violations.add(`${user} was given a token of ${owner ?? 'nobody'}`);
    }
    if (!this.handedOut.has(token)) this.handedOut.set(token, { user, token, at: performance.now() });
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
    return this.#revoke(user, { token }, `revoke by ${user}`, (held) => held.token === token, [this.#nameOf(token)]);
  }

  async #revoke(
    who: string,
    body: object | undefined,
    what: string,
    covers: AcceptedRevoke['covers'],
    tokens: readonly string[] | 'all' = 'all',
  ): Promise<void> {
    const askedAt = performance.now();
    const { status, json } = await this.#call(who, 'POST', '/revoketoken', body);
    const answeredAt = performance.now();
    const known = status === 200 || status === 202;
    // What was refused was not done.
    if (known || status === 0 || status >= 500)
      this.#did((user) => user === who, ended(what, tokens, { from: askedAt, to: known ? answeredAt : Infinity }));
    if (!known) return;
    const complete = status === 200 && json['pending'] === 0;
    this.#ended({ what, askedAt, answeredAt, complete, covers });
  }

  #ended(revoke: AcceptedRevoke): void {
    this.revokes.push(revoke);
    if (revoke.complete && this.liveUnder(revoke).length > 0) {
      this.violations.add(`ThoughtSpot still accepts a token although it confirmed the ${revoke.what}`);
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
