import { readFile } from 'node:fs/promises';
import { decide, usersOf } from '../broker/entitlement.ts';
import { Failure } from '../broker/failure.ts';
import type { Entitlements } from '../broker/ports.ts';
import { compilePolicy } from '../policy/compile.ts';
import type { Config } from './config.ts';
import { sha256 } from './system.ts';

/**
 * The decisions of the policy that lies beside the bundle. Throws Failure `misconfigured` if it does not compile: the
 * synth has compiled the same document, so the deployed package was put together in some other way. Comes before
 * anything that opens connections, since a start that fails is tried again by every request.
 */
export async function wirePolicy(
  config: Pick<Config<'gettoken'>, 'POLICY_FILE' | 'THOUGHTSPOT_HOST'>,
): Promise<Entitlements> {
  const policy = compiled(await readFile(config.POLICY_FILE, 'utf8').catch(unreadable));
  const host = config.THOUGHTSPOT_HOST;
  return {
    decide: (caller, request, now) => decide(policy, caller, request, { host, now, sha256 }),
    usersOf: (caller) => usersOf(policy, caller),
  };
}

function compiled(text: string) {
  try {
    return compilePolicy(JSON.parse(text));
  } catch (cause) {
    throw new Failure('misconfigured', { reason: 'the policy document is not valid', cause });
  }
}

function unreadable(cause: unknown): never {
  throw new Failure('misconfigured', { reason: 'the file that POLICY_FILE names cannot be read', cause });
}
