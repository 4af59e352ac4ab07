/** ThoughtSpot as the domain sees it. It knows the truth about every token: which ones are alive, whatever replies said. */
import { Failure } from '../../functions/broker/failure.ts';
import type {
  Clock,
  Grant,
  MintedToken,
  MintOutcome,
  RevokeOutcome,
  SessionIssuer,
} from '../../functions/broker/ports.ts';

/** `lost`: the token is made, the reply is lost. `refused`: none is made. `throws`: made, but the port throws an error. */
export type MintFault = 'lost' | 'refused' | 'throws';
/** `down`: nothing happens. `lost`: the token is dead, but the reply is lost. */
export type RevokeFault = 'down' | 'busy' | 'lost' | 'refused';

export interface TrueToken {
  readonly token: string;
  readonly user: string;
  readonly orgId: number;
  readonly mintedAt: number;
  /** By ThoughtSpot's clock. */
  readonly endsAt: number;
  revoked: boolean;
}

export interface FakeIssuer extends SessionIssuer {
  readonly tokens: TrueToken[];
  /** Users who are INACTIVE at ThoughtSpot: until they are not, it does not accept their tokens. */
  readonly inactive: Set<string>;
  /** Tokens that ThoughtSpot accepts now. */
  readonly live: () => TrueToken[];
  readonly isLive: (token: string) => boolean;
  /** Calls so far; of `revoke`, the tokens. */
  readonly calls: { mint: number; revoke: string[]; sessionInfo: number };
  mintFault: ((grant: Grant) => MintFault | undefined) | undefined;
  revokeFault: ((token: string) => RevokeFault | undefined) | undefined;
  /** What the reply says instead of the truth. */
  reply: ((minted: MintedToken) => MintedToken) | undefined;
  /** ThoughtSpot's clock minus ours. */
  offsetMs: number;
  /** What a revocation of a token may say of its user. Any name in the case of ThoughtSpot is all that it is by default. */
  revocationNames: (known: TrueToken) => readonly (string | undefined)[];
  /** How long a call takes. */
  mintMs: number;
  revokeMs: number;
}

export function makeFakeIssuer(clock: Clock): FakeIssuer {
  const tokens: TrueToken[] = [];
  const find = (token: string) => tokens.find((known) => known.token === token);
  const theirNow = () => clock.now() + issuer.offsetMs;
  const isAlive = (known: TrueToken) => !known.revoked && theirNow() < known.endsAt && !issuer.inactive.has(known.user);
  const pass = (ms: number) => (ms > 0 ? clock.sleep(ms) : Promise.resolve());

  const issuer: FakeIssuer = {
    tokens,
    inactive: new Set(),
    calls: { mint: 0, revoke: [], sessionInfo: 0 },
    mintFault: undefined,
    revokeFault: undefined,
    reply: undefined,
    revocationNames: ({ user }) => [user],
    offsetMs: 0,
    mintMs: 0,
    revokeMs: 0,
    live: () => tokens.filter(isAlive),
    isLive: (token) => tokens.some((known) => known.token === token && isAlive(known)),

    async mint(grant): Promise<MintOutcome> {
      issuer.calls.mint += 1;
      await pass(issuer.mintMs);
      const fault = issuer.mintFault?.(grant);
      if (fault === 'refused') return { outcome: 'not-minted', failure: new Failure('upstream-refused') };
      const lifetimeMs = grant.validitySeconds * 1_000;
      const token = `token-${tokens.length + 1}-of-${grant.user}`;
      const createdAt = theirNow();
      const made = { token, user: grant.user, orgId: grant.orgId, mintedAt: clock.now(), revoked: false };
      tokens.push({ ...made, endsAt: createdAt + lifetimeMs });
      if (fault === 'lost') return { outcome: 'unknown', failure: new Failure('upstream-timeout') };
      if (fault === 'throws') throw new Error('socket hang up');
      const said = { token, userName: grant.user, orgId: grant.orgId, kind: grant.rights.kind, createdAt };
      const object = grant.rights.kind === 'object' ? { objectId: grant.rights.objectId } : {};
      const minted = { ...said, ...object, lifetimeMs, longestLifetimeMs: lifetimeMs, tokenType: 'Bearer' };
      return { outcome: 'minted', minted: issuer.reply?.(minted) ?? minted };
    },

    async revoke(token, user, deadline): Promise<RevokeOutcome> {
      if (clock.now() >= deadline) return { outcome: 'retry', failure: new Failure('upstream-timeout') };
      issuer.calls.revoke.push(token);
      await pass(issuer.revokeMs);
      const fault = issuer.revokeFault?.(token);
      if (fault === 'down') return { outcome: 'retry', failure: new Failure('upstream-unavailable') };
      if (fault === 'busy') return { outcome: 'retry', failure: new Failure('upstream-busy') };
      if (fault === 'refused') return { outcome: 'retry', failure: new Failure('upstream-refused') };
      const known = find(token);
      // A token that was not made here is one that a test put into a row.
      if (known && !isAlive(known)) return { outcome: 'not-accepted' };
      if (known && !issuer.revocationNames(known).includes(user))
        return { outcome: 'retry', failure: new Failure('upstream-refused') };
      if (known) known.revoked = true;
      if (fault === 'lost') return { outcome: 'retry', failure: new Failure('upstream-timeout') };
      return { outcome: 'dead' };
    },

    async sessionInfo(token) {
      issuer.calls.sessionInfo += 1;
      const known = find(token);
      if (!known || !isAlive(known)) return undefined;
      return { userName: known.user, orgId: known.orgId, details: {} };
    },
  };
  return issuer;
}
