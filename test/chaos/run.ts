/** One run: load and faults as planned, with audits at checkpoints; then no more faults, and the last audit. */
import type { Limits } from '../../functions/broker/mint-counts.ts';
import { makeAuditor, type AuditReport } from './audit.ts';
import { BEGIN } from './faults.ts';
import { refusals } from './limits.ts';
import { Load } from './load.ts';
import { fingerprintOf, planOf, type FaultName, type Plan, type PlannedPassage, type PlanOptions } from './plan.ts';
import { startWorld } from './world.ts';

export interface ChaosOptions extends PlanOptions {
  readonly checkpointEveryMs: number;
  /** Those of the policy if left out. */
  readonly limits?: Limits;
  /** Called with `elapsedMs` of the load and with what is happening. */
  readonly onProgress?: (elapsedMs: number, label: string) => void;
}

/** How long a fault lasted, ms from the start of the load. */
export interface Span {
  readonly name: FaultName;
  readonly from: number;
  readonly to: number;
}

export interface Checkpoint extends AuditReport {
  readonly at: number;
}

export interface ChaosReport {
  readonly plan: Plan;
  readonly planFingerprint: string;
  readonly spans: readonly Span[];
  /** The jumps in time, with `at` as it was, not as planned. */
  readonly passages: readonly PlannedPassage[];
  readonly answers: readonly {
    readonly at: number;
    readonly action: string;
    readonly status: number;
    readonly code?: string;
  }[];
  readonly checkpoints: readonly Checkpoint[];
  /** After all tokens have been revoked and the sweep has finished. */
  readonly end: AuditReport;
  readonly acceptedRevokes: number;
  /** Sign-outs and suspensions among them; and answers that said so to whom they shut out. */
  readonly blocks: number;
  readonly refusals: number;
  /** What users saw and operators did, person by person, that has an order in which each happened at one moment. */
  readonly operations: number;
  readonly tokens: number;
  readonly mints: number;
  readonly lostReplies: number;
  readonly killed: number;
  readonly leaks: readonly string[];
  readonly printedLines: number;
  readonly violations: readonly string[];
  /** Which limits somebody has met. */
  readonly limitsMet: readonly string[];
}

/** How long the sweep may take to end what was revoked, once there are no more faults: three minutes, by all clocks. */
const CALM_STEP_MS = 10_000;
const CALM_ROUNDS = 18;
/** Longer than the life of any token of the run. */
const EVERY_END_MS = 3_600_000;
/** More runs of the sweep than it needs to end everything that has expired. */
const LAST_SWEEPS = 20;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { checkpointEveryMs, onProgress, limits, ...drawn } = options;
  const { durationMs, users } = drawn;
  const plan = planOf(drawn);
  const world = await startWorld(users, limits);
  try {
    const load = new Load(world);
    const auditor = makeAuditor(world, load);
    await load.begin();
    const startedAt = performance.now();
    const since = () => performance.now() - startedAt;
    // During a jump in time there are no requests: the plan pauses, and continues later by as much.
    let heldUpMs = 0;
    let going = Promise.resolve();
    const until = async (at: number) => {
      for (;;) {
        await going;
        const left = at + heldUpMs - since();
        if (left <= 0) return;
        await new Promise<void>((resolve) => setTimeout(resolve, left));
      }
    };

    const requests = async () => {
      for (const request of plan.requests) {
        await until(request.at);
        load.start(request);
      }
    };
    const passages: PlannedPassage[] = [];
    const pass = async ({ ms }: PlannedPassage) => {
      const from = since();
      const { promise, resolve } = Promise.withResolvers<void>();
      going = promise;
      await load.settled();
      world.passTime(ms);
      passages.push({ at: since(), ms });
      heldUpMs += since() - from;
      resolve();
    };
    const spans: Span[] = [];
    const faults = plan.faults.map(async (fault) => {
      await until(fault.at);
      onProgress?.(fault.at, fault.name);
      const from = since();
      const end = await BEGIN[fault.name](world, load, fault);
      await until(fault.at + fault.forMs);
      await end?.();
      spans.push({ name: fault.name, from, to: since() });
    });
    const checkpoints: Checkpoint[] = [];
    const check = async () => void checkpoints.push({ at: since(), ...(await auditor.audit()) });
    // One after the other, because an audit must read the ledger and ThoughtSpot at the same time.
    const passagesAndChecks = async () => {
      const due = plan.passages.map((passage) => ({ at: passage.at, act: () => pass(passage) }));
      for (let at = checkpointEveryMs; at < durationMs; at += checkpointEveryMs) due.push({ at, act: check });
      for (const { at, act } of due.sort((one, other) => one.at - other.at)) {
        await until(at);
        await act();
      }
    };
    await Promise.all([requests(), passagesAndChecks(), ...faults]);
    onProgress?.(durationMs, 'waiting for the last answers');
    await load.settled();
    const settledAt = since();

    onProgress?.(durationMs, 'revoking what is left');
    world.simulator.set({ outage: 'none', lostReplies: 0, rateLimitPerSecond: 100, rateLimitBurst: 100 });
    await load.revokeForOthers({ all: true });
    let end = await auditor.audit();
    // What an index has hidden from one pass of the sweep, the next one finds two minutes later.
    for (let round = 0; round < CALM_ROUNDS && end.beingRevoked > 0; round += 1) {
      world.passTime(CALM_STEP_MS);
      await world.broker.sweep();
      end = await auditor.audit();
    }
    if (end.beingRevoked > 0) load.violations.add(`${end.beingRevoked} tokens outlive their accepted revoke`);
    checkpoints.push({ at: settledAt, ...end });

    onProgress?.(durationMs, 'waiting for the last token to expire');
    world.passTime(EVERY_END_MS);
    let unended = await auditor.atRest();
    for (let run = 0; run < LAST_SWEEPS && unended.length > 0; run += 1) {
      await world.broker.sweep();
      unended = await auditor.atRest();
    }
    for (const each of unended) load.violations.add(each);
    const { operations, unexplained } = load.histories();
    for (const each of unexplained) load.violations.add(each);
    await load.everybodyComesBack();

    const leaks = auditor.leaks();
    const state = world.simulator.state();
    const violations = new Set([...checkpoints, end].flatMap((each) => each.violations));
    for (const each of load.violations) violations.add(each);
    for (const leak of leaks) violations.add(`${leak} was printed or answered`);
    return {
      plan,
      planFingerprint: fingerprintOf(plan),
      spans: spans.sort((one, other) => one.from - other.from),
      passages,
      answers: load.answers.map(({ at, code, ...rest }) => ({ at: at - startedAt, ...(code && { code }), ...rest })),
      checkpoints,
      end,
      acceptedRevokes: load.revokes.length,
      blocks: load.blocks,
      operations,
      refusals: load.answers.filter(({ code }) => code === 'sign-in-again' || code === 'suspended').length,
      tokens: load.handedOut.size,
      mints: state.mints,
      lostReplies: state.lostReplies,
      killed: world.printed.filter((line) => line.includes('signal: killed')).length,
      leaks,
      printedLines: world.printed.length,
      violations: [...violations],
      limitsMet: [...new Set(refusals(world).map(({ reason }) => reason))],
    };
  } finally {
    await world.close();
  }
}
