/** Rows, a clock and the shape of a subject, for the tests of ledgers. */
import { randomUUID } from 'node:crypto';
import { type LeaseKey, type LeaseState, MAY_ENTER_FROM } from '../../../functions/broker/lease.ts';
import type { Reservation, TokenLedger } from '../../../functions/broker/ports.ts';

export const START = Date.UTC(2026, 10, 24, 10, 30);

/** A clock that stands until it is told; it sleeps no longer than a turn of the event loop. */
export class TestClock {
  private time = START;
  now = (): number => this.time;
  sleep = async (): Promise<void> => {};
  advance(ms: number): void {
    this.time += ms;
  }
}

export interface Subject {
  readonly ledger: TokenLedger;
  readonly clock: TestClock;
  /** Another sandbox on the same table. */
  other(): TokenLedger;
  close(): Promise<void>;
}

export const MINUTE = 60_000;
export const STATES = Object.keys(MAY_ENTER_FROM) as LeaseState[];

export function reservation(over: Partial<Reservation> = {}): Reservation {
  return {
    user: 'alice',
    fingerprint: `grant-${randomUUID()}`,
    generation: 1,
    caller: { issuer: 'https://issuer.example', subject: 'user-alice' },
    shared: false,
    orgId: 1,
    kind: 'full',
    rule: 'analysts',
    grant: 'default',
    policyVersion: 'v1',
    reservedAt: START,
    mintDeadlineAt: START + 20_000,
    latestEndAt: START + 10 * MINUTE,
    ...over,
  };
}

/** The shortest way of changes into each state. */
export const PATHS: Readonly<Record<LeaseState, readonly LeaseState[]>> = {
  reserved: [],
  live: ['live'],
  revoking: ['revoking'],
  revoked: ['revoked'],
  failed: ['failed'],
  orphaned: ['orphaned'],
  expired: ['live', 'expired'],
};

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export const keyOf = ({ user, fingerprint, generation }: LeaseKey): LeaseKey => ({ user, fingerprint, generation });
