/** The plan of a run, made before it starts. The same seed, lengths and numbers give the same plan. */
import { createHash } from 'node:crypto';
import { chance, type Chance } from '../support/seeded.ts';

export const FAULTS = {
  'sandbox killed': { forMs: 0, part: 'sandboxes' },
  'ledger stalled': { forMs: 5_000, part: 'ledger' },
  'ledger replies lost': { forMs: 1_500, part: 'ledger' },
  'KMS denied': { forMs: 3_000, part: 'kms' },
  'Secrets Manager down': { forMs: 3_000, part: 'secrets' },
  'ThoughtSpot outage': { forMs: 3_000, part: 'thoughtspot' },
  'mint replies lost': { forMs: 0, part: 'thoughtspot' },
  '429 storm': { forMs: 3_000, part: 'rate limit' },
  'key rotation': { forMs: 0, part: 'secrets' },
  'mass revoke': { forMs: 0, part: 'operator' },
  'users deprovisioned': { forMs: 4_000, part: 'who left' },
  suspension: { forMs: 4_000, part: 'who is suspended' },
  'sign-outs by operators': { forMs: 0, part: 'operator' },
  'logouts at the issuer': { forMs: 0, part: 'issuer' },
  'cluster clock step': { forMs: 0, part: 'clock' },
  'policy redeployed': { forMs: 0, part: 'sandboxes' },
} as const;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

export const ACTIONS = ['token', 'reload', 'session', 'revoke', 'sign out', 'storm'] as const;
export type Action = (typeof ACTIONS)[number];

export interface PlannedFault {
  /** ms from the start. */
  readonly at: number;
  readonly name: FaultName;
  readonly forMs: number;
  /** Uniform in [0, 1); they choose which sandbox, how many, which user. */
  readonly dice: readonly [number, number];
}

export interface PlannedRequest {
  readonly at: number;
  /** Index of the user. */
  readonly user: number;
  readonly action: Action;
}

/** A jump in time for users, sandboxes and cluster alike, so that a short run is a long one by their clocks. */
export interface PlannedPassage {
  readonly at: number;
  readonly ms: number;
}

/** What a plan is drawn from. */
export interface PlanOptions {
  readonly seed: number;
  /** Length of the load, ms. */
  readonly durationMs: number;
  /** Its length by the clocks of all participants, ms; at least `durationMs`. */
  readonly simulatedMs: number;
  readonly users: number;
  readonly requestsPerSecond: number;
  /** Some pages ask for a new token each time, as fast as they can. */
  readonly storms?: boolean;
}

export interface Plan extends PlanOptions {
  readonly passages: readonly PlannedPassage[];
  readonly faults: readonly PlannedFault[];
  readonly requests: readonly PlannedRequest[];
}

/** Every kind of fault occurs once before any occurs again. Each part has only one fault at a time. */
export function planOf(options: PlanOptions): Plan {
  const { seed, durationMs, simulatedMs, users, requestsPerSecond, storms = false } = options;
  return {
    ...options,
    passages: passagesOf(chance(seed + 2), durationMs, simulatedMs),
    faults: faultsOf(chance(seed), durationMs),
    requests: requestsOf(chance(seed + 1), durationMs, users, requestsPerSecond, storms ? 0.15 : 0),
  };
}

/** Runs with the same fingerprint had the same faults and requests at the same planned times. */
export function fingerprintOf(plan: Plan): string {
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 12);
}

/** Load before the first fault and after the last, ms. */
const CALM_MS = 1_000;

function faultsOf(random: Chance, durationMs: number): PlannedFault[] {
  // Time between the starts of two faults. A short run needs many faults; a long one shows how the broker recovers.
  const gapMs = Math.min(4_000, Math.max(1_000, durationMs / 20));
  const faults: PlannedFault[] = [];
  const freeAt = new Map<string, number>();
  let bag: FaultName[] = [];
  for (let at = CALM_MS; ; at += gapMs * (0.5 + random())) {
    if (bag.length === 0) bag = shuffled(random, FAULT_NAMES);
    const name = bag.pop();
    if (name === undefined) break;
    const { forMs, part } = FAULTS[name];
    const begin = Math.round(Math.max(at, freeAt.get(part) ?? 0));
    if (begin + forMs > durationMs - CALM_MS) {
      if (at > durationMs - CALM_MS) break;
      continue;
    }
    freeAt.set(part, begin + forMs + 500);
    faults.push({ at: begin, name, forMs, dice: [random(), random()] });
  }
  return faults.sort((one, other) => one.at - other.at);
}

/** About one jump every ten seconds, each between a tenth and twice the average. */
function passagesOf(random: Chance, durationMs: number, simulatedMs: number): PlannedPassage[] {
  const count = Math.max(1, Math.floor(durationMs / 10_000));
  const drawn = Array.from({ length: count }, () => 0.1 + 1.9 * random());
  const share = Math.max(0, simulatedMs - durationMs) / drawn.reduce((sum, weight) => sum + weight, 0);
  return drawn.map((weight, index) => ({
    at: Math.round(((index + 0.5 + 0.5 * random()) * durationMs) / count),
    ms: Math.round(weight * share),
  }));
}

function requestsOf(
  random: Chance,
  durationMs: number,
  users: number,
  perSecond: number,
  storms: number,
): PlannedRequest[] {
  const requests: PlannedRequest[] = [];
  for (let at = 0; at < durationMs; at += (1_000 / perSecond) * 2 * random()) {
    const drawn = random();
    const action =
      drawn < storms
        ? 'storm'
        : drawn < 0.45
          ? 'token'
          : drawn < 0.75
            ? 'reload'
            : drawn < 0.83
              ? 'session'
              : drawn < 0.93
                ? 'revoke'
                : 'sign out';
    requests.push({ at: Math.round(at), user: random.below(users), action });
  }
  return requests;
}

function shuffled<T>(random: Chance, items: readonly T[]): T[] {
  const rest = [...items];
  const drawn: T[] = [];
  while (rest.length > 0) drawn.push(...rest.splice(random.below(rest.length), 1));
  return drawn;
}
