/**
 * Use case gettoken: decide, then serve a live token again, wait for the request that is minting it, or mint it. The
 * newest generation in the ledger is the lock, so identical requests over any number of sandboxes make one mint.
 */
import { requireAdmitted } from './admission.ts';
import { cutOffOf } from './blocks.ts';
import { Failure } from './failure.ts';
import { type Lease, leaseFacts, personOf } from './lease.ts';
import { nextStep, refreshAfter } from './lease-choice.ts';
import { makeMintLimits } from './mint-limits.ts';
import { mint, MINT_SETTINGS, type MintSettings, stopOf } from './mint.ts';
import type { Caller, Entitlements, Grant, TokenRequest, World } from './ports.ts';
import type { GetToken, IssuedToken } from './use-cases.ts';

type Deciding = World & Pick<Entitlements, 'decide' | 'limits'>;

/** Newest generations to read: enough to count the mint limit and to see what a refresh falls back on. */
const GENERATIONS_READ = 8;

/**
 * Returns a token whose row in the ledger is live and that no cut-off covers, or throws `Failure`; at most one mint per
 * call. A repeated request only reads. By `deadline` (epoch ms) it has answered or cleaned up after itself. `settings`
 * replaces parts of MINT_SETTINGS.
 */
export function makeGetToken(world: Deciding & { readonly settings?: Partial<MintSettings> }): GetToken {
  const settings = { ...MINT_SETTINGS, ...world.settings };
  const { ledger, clock } = world;
  const limits = makeMintLimits(world, world.limits);

  return async (caller, request, deadline) => {
    const arrivedAt = clock.now();
    const grant = authorise(world, caller, request, arrivedAt);
    const limit = Math.max(GENERATIONS_READ, 2 * settings.mintLimit);
    const user = personOf(grant.user);
    const wanted = {
      ...(request.fresh === true ? { freshSince: arrivedAt } : {}),
      ...(request.replace === undefined ? {} : { replace: request.replace }),
    };
    const unreadable = new Set<number>();
    let failure: Failure | undefined;

    for (let round = 0; ; round += 1) {
      const [newest, standing] = await Promise.all([
        ledger.newest(user, grant.fingerprint, limit, deadline),
        ledger.standing({ caller, user, orgId: grant.orgId }, deadline),
      ]);
      requireAdmitted(world, caller, standing.blocks);
      const cutOff = cutOffOf(standing.blocks, grant.share);
      const leases = await withKept(world, newest, deadline);
      const readable = leases.map((lease) => (unreadable.has(lease.generation) ? { ...lease, sealed: false } : lease));
      const step = nextStep({ grant, caller, leases: readable, cutOff, now: clock.now(), ...wanted }, settings);

      if (step.step === 'serve' || (failure && step.step === 'refresh')) {
        const { lease } = step;
        const slowAt = clock.now() + settings.slowOpenMs;
        const token = await ledger.token(lease, deadline);
        if (token === undefined) {
          unreadable.add(lease.generation);
          continue;
        }
        if (clock.now() > slowAt && (await stopOf(world, lease, caller, deadline))) continue;
        if (clock.now() >= deadline) throw new Failure('mint-in-progress', { reason: 'the sandbox stood still' });
        world.signals.emit('reused');
        world.audit.record({ action: 'reuse', ...leaseFacts(lease) });
        return issued(grant, lease, token, true, settings);
      }
      // A mint is never retried: the first one may have created a token that only its row accounts for.
      if (failure) throw failure;
      if (step.step === 'limited') {
        throw limits.refusal({ caller, grant }, 'mint limit of the grant', step.retryAfterMs);
      }
      if (step.step === 'wait') {
        await pause(world, settings, round, deadline);
        continue;
      }
      try {
        const { generation } = step;
        const kept = leases.find(({ state, expiresAt = 0 }) => state === 'live' && expiresAt > clock.now())?.generation;
        const quota = limits.quotaOf({ caller, grant }, standing);
        const minted = await mint(world, settings, { caller, grant, user, generation, cutOff, kept, quota }, deadline);
        if (minted) return issued(grant, minted.lease, minted.token, false, settings);
      } catch (error) {
        if (step.step === 'mint' || !(error instanceof Failure)) throw error;
        // The token near its end is still good: look again whether it may be served.
        failure = error;
      }
    }
  };
}

/** With the lease that served before the mints that failed, where they have pushed it out of sight: one read more. */
async function withKept({ ledger }: World, newest: readonly Lease[], deadline: number): Promise<readonly Lease[]> {
  const [first] = newest;
  if (first?.kept === undefined || first.state === 'live') return newest;
  const key = { user: first.user, fingerprint: first.fingerprint, generation: first.kept };
  const kept = newest.some(({ generation }) => generation === key.generation)
    ? undefined
    : await ledger.get(key, deadline);
  return kept ? [...newest, kept] : newest;
}

function authorise(world: Deciding, caller: Caller, request: TokenRequest, now: number): Grant {
  const decision = world.decide(caller, request, now);
  if (!decision.allowed) {
    const { rule, code, errors, maxAge, reasons } = decision;
    const who = { issuer: caller.issuer, subject: caller.subject };
    world.audit.record({ action: 'deny', caller: who, reasons, code, ...(rule === undefined ? {} : { rule }) });
    world.signals.emit('denied');
    throw new Failure(code, { reason: reasons.join('; '), errors, ...(maxAge !== undefined && { maxAge }) });
  }
  return decision.grant;
}

function issued(grant: Grant, lease: Lease, token: string, reused: boolean, settings: MintSettings): IssuedToken {
  return {
    token,
    lease,
    userName: grant.user,
    orgId: grant.orgId,
    expiresAt: lease.expiresAt ?? lease.latestEndAt,
    refreshAfter: refreshAfter(lease, grant, settings.hardMarginMs),
    reused,
  };
}

/** Waits for the request that is minting: growing, jittered, and never past the time that the answer still needs. */
async function pause(world: World, settings: MintSettings, round: number, deadline: number): Promise<void> {
  const ms = Math.min(settings.longestPauseMs, settings.firstPauseMs * 1.5 ** round) * (0.5 + world.randomness() / 2);
  if (world.clock.now() + ms + settings.replyMarginMs >= deadline) {
    throw new Failure('mint-in-progress', { reason: 'waited for another request to mint until the deadline' });
  }
  await world.clock.sleep(Math.ceil(ms));
}
