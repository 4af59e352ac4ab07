/** The domain with fakes for everything around it: one ledger, one ThoughtSpot, one clock, and any number of processes. */
import { createHash } from 'node:crypto';
import { makeGetToken } from '../../functions/broker/get-token.ts';
import { makeListLeases } from '../../functions/broker/list-leases.ts';
import { makeListBlocks, makeReinstate } from '../../functions/broker/admission.ts';
import { makeRevokeTokens } from '../../functions/broker/revoke.ts';
import { makeGetSessionInfo } from '../../functions/broker/session-info.ts';
import { makeSweep } from '../../functions/broker/sweep.ts';
import type {
  AuditEvent,
  Caller,
  Clock,
  Decision,
  Grant,
  Log,
  SessionIssuer,
  TokenLedger,
  TokenRequest,
} from '../../functions/broker/ports.ts';
import type { Limits } from '../../functions/broker/mint-counts.ts';
import type { Lease } from '../../functions/broker/lease.ts';
import type { SignalName } from '../../functions/contract/signals.ts';
import type { RevokeSelection, Revoker, ShutOut, WhoSelection } from '../../functions/broker/use-cases.ts';
import { type FakeClock, makeFakeClock } from './fake-clock.ts';
import { type FakeIssuer, makeFakeIssuer } from './fake-issuer.ts';
import { type MemoryLedger, makeMemoryLedger } from './memory-ledger.ts';
import { HIGHEST_LIMITS } from './raised-limits.ts';
import { LONGEST_LAG_MS, type Unsteadiness, unsteadyByEnvironment } from './unsteady-store.ts';

export const TIMEOUT_MS = 20_000;

export interface WorldOptions {
  readonly shards?: number;
  readonly start?: number;
  /** Uniform in [0, 1); default: always a half. */
  readonly randomness?: () => number;
  readonly grant?: (caller: Caller, request: TokenRequest) => Partial<Grant>;
  readonly mint?: Parameters<typeof makeGetToken>[0]['settings'];
  readonly revoke?: Parameters<typeof makeRevokeTokens>[0]['settings'];
  readonly sweep?: Parameters<typeof makeSweep>[0]['settings'];
  readonly log?: Log;
  /** Default: so high that no test reaches them that is not about them. */
  readonly limits?: Limits;
  /** How the indexes of the ledger lag; default: not at all. */
  readonly unsteady?: (now: () => number) => Unsteadiness;
}

/** The ports of one process. */
export interface Ports {
  readonly ledger: TokenLedger;
  readonly issuer: SessionIssuer;
  readonly clock: Clock;
}

export interface World {
  readonly clock: FakeClock;
  readonly ledger: MemoryLedger;
  readonly issuer: FakeIssuer;
  readonly audit: AuditEvent[];
  readonly signals: Map<SignalName, number>;
  /** The use cases over the world's ports, or over other ports that wrap them. */
  readonly process: (ports?: Partial<Ports>) => Process;
  readonly rows: () => Promise<Lease[]>;
  /** How long it takes until indexes show all that there is now, ms. */
  readonly lagMs: number;
}

export type Process = ReturnType<typeof processOver>;

/** Callers are named `user` or `user/device`: a ThoughtSpot user may have several callers. `shared/x` share an account. */
export function caller(name: string): Caller {
  const subject = `sub-${name}`;
  const issuedAt = Number.MAX_SAFE_INTEGER;
  return { issuer: 'https://issuer.example', subject, claims: {}, issuedAt, expiresAt: Infinity, scopes: ['token'] };
}

export function userOf({ subject }: Pick<Caller, 'subject'>): string {
  return (subject.slice('sub-'.length).split('/')[0] ?? '').replace(/^shared$/, 'svc');
}

export function grantFor(who: Caller, request: TokenRequest = {}, overrides: Partial<Grant> = {}): Grant {
  const user = userOf(who);
  const share = user === 'svc';
  const grant: Omit<Grant, 'fingerprint'> = {
    rule: 'rule',
    name: request.grant ?? 'default',
    policyVersion: 'v1',
    user,
    serviceAccount: share,
    orgId: user.startsWith('g') ? 2 : 1,
    rights: { kind: 'full' },
    validitySeconds: request.validitySeconds ?? 300,
    reuse: { minLifeLeftSeconds: 90 },
    share,
    provisioning: null,
    ...overrides,
  };
  const { name, orgId, rights, validitySeconds } = grant;
  const { subject, session } = who;
  const shape = [name, user, orgId, rights, validitySeconds, ...(share ? [] : [subject, session])];
  return { fingerprint: createHash('sha256').update(JSON.stringify(shape)).digest('base64url'), ...grant };
}

export function makeWorld(options: WorldOptions = {}): World {
  const clock = makeFakeClock(options.start);
  const issuer = makeFakeIssuer(clock);
  const unsteady = (options.unsteady ?? unsteadyByEnvironment)(() => clock.now());
  const ledger = makeMemoryLedger({ clock, shards: options.shards ?? 4, unsteady });
  const audit: AuditEvent[] = [];
  const signals = new Map<SignalName, number>();
  const world: World = {
    clock,
    ledger,
    issuer,
    audit,
    signals,
    lagMs: unsteady ? LONGEST_LAG_MS : 0,
    process: (ports = {}) => processOver({ clock, ledger, issuer, ...ports }, world, options),
    async rows() {
      const rows: Lease[] = [];
      for await (const row of ledger.rows()) rows.push(row);
      return rows;
    },
  };
  return world;
}

const SILENT: Log = { info() {}, warn() {}, error() {} };

function processOver(ports: Ports, world: World, options: WorldOptions) {
  const { clock } = ports;
  const randomness = options.randomness ?? (() => 0.5);
  const deps = {
    ...ports,
    randomness,
    audit: { record: (event: AuditEvent) => void world.audit.push(event) },
    signals: {
      emit: (name: SignalName, value = 1) => void world.signals.set(name, (world.signals.get(name) ?? 0) + value),
    },
    log: options.log ?? SILENT,
    decide: (who: Caller, request: TokenRequest): Decision =>
      userOf(who) === 'mallory'
        ? { allowed: false, code: 'not-entitled', errors: [], reasons: ['no rule decides'] }
        : {
            allowed: true,
            grant: grantFor(who, request, options.grant?.(who, request)),
            reasons: ['rule "rule" decides'],
          },
    usersOf: (who: Caller) => [userOf(who)],
    limits: options.limits ?? HIGHEST_LIMITS,
  };
  const getToken = makeGetToken({ ...deps, settings: options.mint ?? {} });
  const revokeTokens = makeRevokeTokens({ ...deps, settings: options.revoke ?? {} });
  const sweep = makeSweep({ ...deps, settings: options.sweep ?? {} });
  const sessionInfo = makeGetSessionInfo(deps);
  const reinstate = makeReinstate(deps);
  return {
    getToken: (who: string | Caller, request: TokenRequest = {}, deadline = clock.now() + TIMEOUT_MS) =>
      getToken(typeof who === 'string' ? caller(who) : who, request, deadline),
    revoke: (
      who: Revoker | string,
      selection: RevokeSelection = { kind: 'mine' },
      asOf = clock.now(),
      deadline = clock.now() + TIMEOUT_MS,
    ) => revokeTokens(typeof who === 'string' ? asCaller(who) : who, selection, asOf, deadline),
    shutOut: (
      selection: WhoSelection,
      how: ShutOut,
      who: Revoker = asOperator(),
      asOf = clock.now(),
      deadline = clock.now() + TIMEOUT_MS,
    ) => revokeTokens(who, selection, asOf, deadline, how),
    reinstate: (selection: WhoSelection, deadline = clock.now() + TIMEOUT_MS) =>
      reinstate(asOperator(), selection, deadline),
    sweep: (deadline = clock.now() + 60_000) => sweep(deadline),
    sessionInfo: (who: string | Caller, deadline = clock.now() + TIMEOUT_MS) =>
      sessionInfo(typeof who === 'string' ? caller(who) : who, deadline),
    listLeases: makeListLeases(deps),
    listBlocks: makeListBlocks(deps, 86_400_000),
  };
}

export function asCaller(name: string): Revoker {
  return { kind: 'caller', caller: caller(name), mayRevokeOthers: false };
}

export function asOperator(name = 'ops'): Revoker {
  return { kind: 'caller', caller: caller(name), mayRevokeOthers: true };
}

export const EVENT: Revoker = { kind: 'event', source: 'schedule', name: 'nightly' };
