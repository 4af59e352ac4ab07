/** What the domain records about one lease, for tests that check every field of it. */
import { Failure } from '../../functions/broker/failure.ts';
import type { Log } from '../../functions/broker/ports.ts';
import { makeWorld, type World, type WorldOptions } from './broker-world.ts';

export type Line = [level: string, message: string, fields: unknown];

/** A world that records the lines of its log. */
export function worldWithLog(options: WorldOptions = {}): World & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (message: string, fields?: unknown) => void lines.push([level, message, fields]);
  const log: Log = { info: at('info'), warn: at('warn'), error: at('error') };
  return { ...makeWorld({ ...options, log }), lines };
}

/** The Failure that a promise rejects with. Throws any other error, and an error if the promise resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => new Error('no failure'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof Failure) return error;
  throw error;
}

export const ANN = { issuer: 'https://issuer.example', subject: 'sub-ann' };

/** The facts in an audit line about the first lease of `ann`. */
export const FACTS = { caller: ANN, user: 'ann', rule: 'rule', grant: 'default', policyVersion: 'v1' };
export const HANDLE = { leaseId: expect.any(String) as string, generation: 1, orgId: 1, kind: 'full' };
export const DIGEST = { tokenDigest: expect.any(String) as string };
