import { Failure } from '../../../functions/broker/failure.ts';
import type { Clock, Credential, CredentialSource, Grant, Rights } from '../../../functions/broker/ports.ts';
import { makeServiceSessions } from '../../../functions/broker/service-session.ts';
import { makeSessionIssuer, type ThoughtSpotIssuer } from '../../../functions/thoughtspot/issuer.ts';
import type { DialectName } from '../../../functions/thoughtspot/rejection.ts';
import { makeMemoryLedger, type MemoryLedger } from '../../support/memory-ledger.ts';

export const SECRET_KEY = 'canary-secret-key-0f2b';
export const OTHER_SECRET_KEY = 'canary-secret-key-next';
export const PASSWORD = 'canary-password-77';
export const TOKEN = 'canary-token-YWxpY2U6JHNoaXJvMSQ=';
export const SESSION = 'canary-session-bearer';

export const withKey = (secretKey = SECRET_KEY): Credential => ({
  kind: 'secret-key',
  version: `version-of-${secretKey.length}-${secretKey.slice(-4)}`,
  secretKeyFor: () => secretKey,
});
export const withPassword = (password = PASSWORD, userName = 'svc-broker'): Credential => ({
  kind: 'password',
  version: `version-${password.length}`,
  userName,
  password: () => password,
});

export const grant = (changes: Partial<Grant> = {}): Grant => ({
  rule: 'rule',
  name: 'name',
  policyVersion: '1',
  user: 'alice',
  serviceAccount: false,
  orgId: 1,
  rights: { kind: 'full' },
  validitySeconds: 300,
  reuse: null,
  share: false,
  provisioning: null,
  fingerprint: 'fingerprint',
  ...changes,
});
export const serviceGrant = (changes: Partial<Grant> = {}): Grant =>
  grant({ user: 'svc-broker', serviceAccount: true, ...changes });

export const custom = (changes: Partial<Extract<Rights, { kind: 'custom' }>> = {}): Rights => ({
  kind: 'custom',
  persist: 'NONE',
  variables: [],
  filters: [],
  parameters: [],
  groups: [],
  objects: [],
  ...changes,
});

/** Real time, but sleeping only moves it on: waits show in `slept` and take none. */
export class LeapingClock implements Clock {
  readonly slept: number[] = [];
  #ahead = 0;

  now(): number {
    return Date.now() + this.#ahead;
  }

  async sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    this.#ahead += ms;
  }
}

export interface Rig {
  readonly issuer: ThoughtSpotIssuer;
  /** Has a row for each session of the service account. */
  readonly ledger: MemoryLedger;
  readonly clock: LeapingClock;
  readonly signals: string[];
  /** Every log line and its fields. */
  readonly logged: unknown[];
  /** Credentials that were reported as refused. */
  readonly refused: Credential[];
  /** Epoch ms, `ms` from now. */
  readonly by: (ms?: number) => number;
}

export interface RigOptions {
  readonly dialect?: DialectName;
  readonly credential?: Credential | Failure;
  /** What the store has instead, once asked. */
  readonly replacement?: Credential | Failure;
  readonly random?: number;
}

export function rig(host: string, options: RigOptions = {}): Rig {
  const clock = new LeapingClock();
  const signals: string[] = [];
  const logged: unknown[] = [];
  const refused: Credential[] = [];
  const log = (...line: unknown[]): void => void logged.push(line);
  const give = <T>(value: T | Failure): T => {
    if (value instanceof Failure) throw value;
    return value;
  };
  const credentials: CredentialSource = {
    current: async () => give(options.credential ?? withKey()),
    replacementFor: async (credential) => {
      refused.push(credential);
      return give<Credential | undefined>(options.replacement);
    },
  };
  const ledger = makeMemoryLedger({ clock });
  const world = {
    ledger,
    clock,
    randomness: Math.random,
    signals: { emit: () => undefined },
    audit: { record: () => undefined },
    log: { info: log, warn: log, error: log },
  };
  const issuer = makeSessionIssuer({
    host,
    sessions: makeServiceSessions(world),
    dialect: options.dialect ?? 'auth-2.0',
    credentials,
    clock,
    randomness: () => options.random ?? 0.5,
    signals: { emit: (signal) => void signals.push(signal) },
    log: { info: log, warn: log, error: log },
  });
  return { issuer, ledger, clock, signals, logged, refused, by: (ms = 5_000) => clock.now() + ms };
}

/** Answers of ThoughtSpot as its specification shows them (wire facts 3.2, 3.3). */
export const fullToken = (changes: object = {}): object => ({
  token: TOKEN,
  creation_time_in_millis: 1_700_000_000_000,
  expiration_time_in_millis: 1_700_000_300_000,
  scope: { access_type: 'FULL', org_id: 1, metadata_id: null },
  valid_for_user_id: '59481331-ee53-42be-a548-bd87be6ddd4a',
  valid_for_username: 'alice',
  ...changes,
});
export const customToken = (changes: object = {}): object => ({
  token: TOKEN,
  id: '6d1b0f8c-19a2-4b77-8f13-2b38bbf3a9b1',
  creation_time_in_millis: 1_700_000_000_000,
  expiration_time_in_millis: 1_700_000_300_000,
  user: { id: '59481331-ee53-42be-a548-bd87be6ddd4a', name: 'alice' },
  org: { id: 1, name: 'acme' },
  ...changes,
});
export const sessionToken = (changes: object = {}): object => ({
  userName: 'svc-broker',
  token: TOKEN,
  tokenCreatedTime: '1700000000000',
  tokenExpiryDuration: '300',
  tokenType: 'Bearer',
  ...changes,
});
