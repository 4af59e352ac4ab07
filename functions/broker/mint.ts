/**
 * Use case gettoken: decide, then serve a live token again, wait for whoever is minting it, or mint it. The newest
 * generation in the ledger is the lock, so identical requests over any number of sandboxes make one mint.
 */
import { leaseFacts } from './audit-facts.ts';
import { Failure } from './failure.ts';
import { type Lease, normaliseUser } from './lease.ts';
import { nextStep, refreshAfter, type Step } from './lease-choice.ts';
import { type MintDeps, type MintSettings, mintOnce } from './mint-once.ts';
import type { Caller, Decision, Grant, TokenRequest } from './ports.ts';
import type { GetToken, IssuedToken } from './use-cases.ts';

export type { MintSettings } from './mint-once.ts';

export interface GetTokenDeps extends MintDeps {
  /** The compiled policy at work: entitlement.ts `decide` with its policy, host and digest filled in. `now`: epoch ms. */
  readonly decide: (caller: Caller, request: TokenRequest, now: number) => Decision;
  /** Parts of MINT_DEFAULTS to replace. */
  readonly settings?: Partial<MintSettings>;
}

export const MINT_DEFAULTS: MintSettings = {
  hardMarginMs: 30_000,
  mintLimit: 5,
  mintLimitWindowMs: 60_000,
  mintTimeoutMs: 10_000,
  shortestMintMs: 500,
  afterMintMs: 4_000,
  lifetimeToleranceMs: 5_000,
  lingerMs: 60_000,
  firstPauseMs: 40,
  longestPauseMs: 500,
  replyMarginMs: 500,
};

/** Newest generations to read: enough to count the mint limit and to see what a refresh falls back on. */
const GENERATIONS_READ = 8;

/**
 * Returns a token whose row in the ledger is live and that no cut-off covers, or throws `Failure`; at most one mint per
 * call. A warm repeat costs reads only. By `deadline` (epoch ms) it has answered or cleaned up behind itself.
 */
export function makeGetToken(deps: GetTokenDeps): GetToken {
  const settings = { ...MINT_DEFAULTS, ...deps.settings };

  return async (caller, request, deadline) => {
    const arrivedAt = deps.clock.now();
    const grant = authorise(deps, caller, request, arrivedAt);
    const limit = Math.max(GENERATIONS_READ, settings.mintLimit + 1);
    const user = normaliseUser(grant.user);
    const fresh = request.fresh === true ? { freshSince: arrivedAt } : {};
    const unreadable = new Set<number>();
    let failure: Failure | undefined;

    for (let round = 0; ; round += 1) {
      const [leases, cutOff] = await Promise.all([
        deps.ledger.newest(user, grant.fingerprint, limit, deadline),
        deps.ledger.cutOffFor(grant.orgId, deadline),
      ]);
      const readable = leases.map((lease) => (unreadable.has(lease.generation) ? { ...lease, sealed: false } : lease));
      const now = deps.clock.now();
      const step = nextStep({ grant, caller, leases: readable, cutOff, now, ...fresh }, settings);

      if (step.step === 'serve' || (failure && step.step === 'refresh')) {
        const issued = await serve(deps, grant, step.lease, settings, deadline);
        if (issued) return issued;
        unreadable.add(step.lease.generation);
        continue;
      }
      // A mint is never tried twice: the first one may have left a token behind that only its row accounts for.
      if (failure) throw failure;
      if (step.step === 'limited') throw limitReached(step);
      if (step.step === 'wait') {
        await pause(deps, settings, round, deadline);
        continue;
      }
      try {
        const issued = await mintOnce(deps, settings, { caller, grant, user, cutOff }, step.generation, deadline);
        if (issued) return issued;
      } catch (error) {
        if (step.step === 'mint' || !(error instanceof Failure)) throw error;
        // The token near its end is still good: look again whether it may be served.
        failure = error;
      }
    }
  };
}

function authorise(deps: GetTokenDeps, caller: Caller, request: TokenRequest, now: number): Grant {
  const decision = deps.decide(caller, request, now);
  const who = { caller: { issuer: caller.issuer, subject: caller.subject }, reasons: decision.reasons };
  if (!decision.allowed) {
    const { rule, code } = decision;
    deps.audit.record({ action: 'deny', ...who, code, ...(rule === undefined ? {} : { rule }) });
    deps.signals.emit('denied');
    throw new Failure(decision.code, { reason: decision.reasons.join('; '), errors: decision.errors });
  }
  const { user, rule, name: grant, policyVersion } = decision.grant;
  deps.audit.record({ action: 'allow', ...who, user, rule, grant, policyVersion });
  return decision.grant;
}

async function serve(
  deps: GetTokenDeps,
  grant: Grant,
  lease: Lease,
  settings: MintSettings,
  deadline: number,
): Promise<IssuedToken | undefined> {
  const token = await deps.ledger.token(lease, deadline);
  if (token === undefined || lease.expiresAt === undefined) return undefined;
  deps.signals.emit('reused');
  deps.audit.record({ action: 'reuse', ...leaseFacts(lease) });
  return {
    token,
    lease,
    userName: grant.user,
    orgId: lease.orgId,
    expiresAt: lease.expiresAt,
    refreshAfter: refreshAfter(lease, grant, settings.hardMarginMs),
    reused: true,
  };
}

function limitReached({ retryAfterMs }: Extract<Step, { step: 'limited' }>): Failure {
  return new Failure('mint-limit', { reason: 'mint limit of the grant', retryAfterMs });
}

/** Waits for whoever is minting: growing, jittered, and never past the time that the answer still needs. */
async function pause(deps: GetTokenDeps, settings: MintSettings, round: number, deadline: number): Promise<void> {
  const { firstPauseMs, longestPauseMs, replyMarginMs } = settings;
  const ms = Math.min(longestPauseMs, firstPauseMs * 1.5 ** round) * (0.5 + deps.randomness() / 2);
  if (deps.clock.now() + ms + replyMarginMs >= deadline) {
    throw new Failure('mint-in-progress', { reason: 'waited for another request to mint until the deadline' });
  }
  await deps.clock.sleep(Math.ceil(ms));
}
