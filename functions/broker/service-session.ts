/**
 * The session of the service account, which dialect session-v2 mints with. It is worth as much as a token, so it has a
 * row like one: reserved before the login, live with the sealed bearer after it, and revoked when it is over. A sandbox
 * that is killed leaves the row, and the sweep ends the session.
 */
import { type Asker, cutOffOf } from './blocks.ts';
import { endAtThoughtSpot } from './end-at-thoughtspot.ts';
import { Failure } from './failure.ts';
import { personOf } from './lease.ts';
import { mint, MINT_SETTINGS } from './mint.ts';
import type { Grant, ServiceSessions, World } from './ports.ts';

/** A login names no validity: this is the longest life that any source says a session has, s. */
const LONGEST_LIFE_SECONDS = 86_400;
/** No sandbox uses a session for longer, ms: from then on the sweep ends it, whatever became of the sandbox. */
const LONGEST_USE_MS = 3_600_000;
/** A session is not used any more this long before its end, ms: longer than a mint may take. */
const MARGIN_MS = 30_000;

const SETTINGS = {
  ...MINT_SETTINGS,
  // What a login answers names no org and no kind.
  repliesWithoutScope: true,
  longestUseMs: LONGEST_USE_MS,
  // The mint that needs the session keeps its own time for what comes after it.
  afterMintMs: 3_500,
};
/** No caller: nobody's "all my tokens" means the broker's session. Operators find it under its user. */
const NO_CALLER: Asker = { issuer: 'thoughtspot-token-broker', subject: 'service-session', issuedAt: Infinity };

/** Every session has a fingerprint of its own, which no grant has: it is never served. */
export function makeServiceSessions(world: Omit<World, 'issuer'>): ServiceSessions {
  const { ledger, clock, randomness } = world;
  const part = () => Math.floor(randomness() * 2 ** 48).toString(36);

  return {
    async open({ userName, orgId, policyVersion }, issuer, deadline) {
      const grant: Grant = {
        rule: 'service-session',
        name: 'session',
        policyVersion,
        user: userName,
        serviceAccount: true,
        orgId,
        rights: { kind: 'full' },
        validitySeconds: LONGEST_LIFE_SECONDS,
        reuse: null,
        share: false,
        provisioning: null,
        fingerprint: `service-session-${part()}-${part()}`,
      };
      const user = personOf(userName);
      const cutOff = cutOffOf(await ledger.blocksOn({ orgId }, deadline), true);
      const order = { caller: NO_CALLER, grant, user, generation: 1, cutOff };
      const opened = await mint({ ...world, issuer }, SETTINGS, order, deadline);
      if (!opened) throw new Failure('internal-error', { reason: 'two sessions of the service account have one name' });
      const { token: bearer, lease } = opened;
      const { issuedAt = lease.reservedAt, expiresAt = lease.latestEndAt } = lease;
      return { bearer, row: lease, until: Math.min(expiresAt, issuedAt + LONGEST_USE_MS) - MARGIN_MS };
    },

    async close({ bearer: token, row }, deadline, issuer) {
      const ending = await ledger.transition(row, { to: 'revoking', from: ['live'], dueAt: clock.now() }, deadline);
      if (ending && issuer) await endAtThoughtSpot({ ...world, issuer }, ending, { token }, deadline, deadline);
    },
  };
}
