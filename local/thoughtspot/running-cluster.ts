import type { AccountStatus, Cluster } from './cluster.ts';
import { Directory, type User } from './directory.ts';
import { joined, NO_ENTITLEMENTS, type Entitlements } from './entitlements.ts';
import { Journal } from './journal.ts';
import { SecretKeys } from './secret-keys.ts';
import { Sessions } from './sessions.ts';
import { DEFAULT_SWITCHES, withSwitches, type Switches } from './switches.ts';
import { Tokens, type IssuedToken } from './tokens.ts';
import { VariableUpdates } from './variable-updates.ts';

/** What GET /__simulator/state answers. */
export type ClusterState = ReturnType<RunningCluster['state']>;

/** The cluster's whole state and its switches; the endpoints read and change it. */
export class RunningCluster {
  readonly data: Cluster;
  readonly journal = new Journal();
  readonly #clock: () => number;
  readonly #initialSwitches: Switches;
  switches: Switches;
  directory: Directory;
  keys: SecretKeys;
  tokens: Tokens;
  sessions: Sessions;
  variableUpdates: VariableUpdates;

  constructor(data: Cluster, clock: () => number, switches: Partial<Switches> = {}) {
    this.data = data;
    this.#clock = clock;
    this.#initialSwitches = withSwitches(DEFAULT_SWITCHES, switches);
    this.switches = { ...this.#initialSwitches };
    this.directory = new Directory(data, this.now());
    this.keys = new SecretKeys(data);
    this.tokens = new Tokens();
    this.sessions = new Sessions();
    this.variableUpdates = new VariableUpdates();
  }

  /** The cluster's own clock, epoch ms. */
  now(): number {
    return Math.floor(this.#clock()) + this.switches.clockOffsetMs;
  }

  /** Back to the cluster file and to the switches it was started with. */
  reset(): void {
    this.switches = { ...this.#initialSwitches };
    this.directory = new Directory(this.data, this.now());
    this.keys = new SecretKeys(this.data);
    this.tokens = new Tokens();
    this.sessions = new Sessions();
    this.variableUpdates = new VariableUpdates();
    this.journal.clear();
  }

  /** Merges switches. Throws a TypeError that names each fault, and then changes nothing. */
  set(patch: unknown): Switches {
    const next = withSwitches(this.switches, patch);
    if (next.wrongUser !== null && !this.directory.user(next.wrongUser)) {
      throw new TypeError(`"wrongUser" must name a user of this cluster; there is no ${next.wrongUser}`);
    }
    if (next.wrongOrg !== null && !this.directory.org(next.wrongOrg)) {
      throw new TypeError(`"wrongOrg" must be the id of an Org of this cluster; there is no ${next.wrongOrg}`);
    }
    this.tokens.clockMoved(next.clockOffsetMs - this.switches.clockOffsetMs);
    this.switches = next;
    return { ...next };
  }

  rotateKey(org: number | null): string {
    if (org !== null && !this.directory.org(org)) throw new TypeError(`there is no Org ${org}`);
    const { old, fresh } = this.keys.rotate(org);
    if (this.switches.rotationEndsTokens) {
      const ended = this.tokens.alive(this.now()).filter((token) => token.mintedWith === old);
      for (const token of ended) this.tokens.revoke(token, this.now());
    }
    return fresh;
  }

  setUserStatus(name: string, status: AccountStatus): void {
    const user = this.directory.user(name);
    if (!user) throw new TypeError(`there is no user ${name}`);
    user.status = status;
  }

  /** The token if the cluster takes it now: known, unexpired, not revoked, its user active. */
  aliveToken(text: string): IssuedToken | undefined {
    const token = this.tokens.find(text);
    return token && this.tokens.isAlive(token, this.now()) && this.isActive(token.user) ? token : undefined;
  }

  aliveTokens(): IssuedToken[] {
    return this.tokens.alive(this.now()).filter((token) => this.isActive(token.user));
  }

  isActive(name: string): boolean {
    return this.directory.user(name)?.status === 'ACTIVE';
  }

  /**
   * What decides the rows of a session now. Switch `entitlements`: those of the user in the Org, so that each mint changes
   * all sessions of the user there (wire facts 3.8), and what only the token carries; or those of when it was made.
   */
  entitlementsInForce(user: User, org: number, token: IssuedToken | null): Entitlements {
    if (token !== null && this.switches.entitlements === 'token') return token.entitlements;
    return joined(user.entitlements[org] ?? NO_ENTITLEMENTS, token?.own ?? NO_ENTITLEMENTS);
  }

  #tokenInForce(token: IssuedToken): Entitlements {
    const user = this.directory.user(token.user);
    return user ? this.entitlementsInForce(user, token.org, token) : token.entitlements;
  }

  /** A token made from a session or from another token rather than by a mint endpoint. */
  issueFromSession(user: User, org: number, from: IssuedToken | null, seconds: number): IssuedToken {
    const issuedAt = this.now();
    const grant = {
      user: user.name,
      org,
      kind: 'session',
      issuedAt,
      expiresAt: issuedAt + seconds * 1000,
      objectId: null,
      own: from?.own ?? NO_ENTITLEMENTS,
      entitlements: this.entitlementsInForce(user, org, from),
      mintedWith: null,
      parent: from,
    } as const;
    return this.tokens.issue(grant, this.switches.tokenForm);
  }

  /** Revokes as the switches say: at once or late, with or without the tokens and cookie sessions that were made of it. */
  revoke(token: IssuedToken): void {
    const family = this.switches.childrenEndWithParent ? this.tokens.descendants(token) : [];
    for (const one of [token, ...family]) {
      this.tokens.revoke(one, this.now() + this.switches.revokeDelayMs);
      if (this.switches.childrenEndWithParent) this.sessions.endThoseOf(one);
    }
  }

  state() {
    const { issued, revoked } = this.tokens.counts();
    return {
      now: this.now(),
      tokens: this.aliveTokens().map((token) => {
        const { digest, user, org, kind, issuedAt, expiresAt, objectId } = token;
        const entitlements = this.#tokenInForce(token);
        return { digest, user, org, kind, issuedAt, expiresAt, objectId, entitlements };
      }),
      sessions: this.sessions.alive(this.now()).map(({ user, org, expiresAt }) => ({ user, org, expiresAt })),
      calls: { ...this.journal.calls },
      refused: structuredClone(this.journal.refused),
      mints: issued,
      revokes: revoked,
      lostReplies: this.journal.lostReplies,
      users: this.directory.users().map(({ name, status, orgs, groups, entitlements }: User) => {
        return { name, status, orgs: [...orgs], groups: [...groups], entitlements: { ...entitlements } };
      }),
    };
  }
}
