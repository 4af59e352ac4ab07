import { readFile } from 'node:fs/promises';
import { Failure } from '../broker/failure.ts';
import type { Entitlements } from '../broker/ports.ts';
import { makeEntitlements } from '../policy/entitlements.ts';
import type { Config } from './config.ts';
import { sha256 } from './system.ts';

/**
 * The decisions of the policy next to the bundle. Throws Failure `misconfigured` if it is not the one that was
 * checked for this function. Comes before anything that opens connections, since a start that fails is tried again by
 * every request.
 */
export async function wirePolicy(
  config: Pick<Config<'gettoken'>, 'POLICY_FILE' | 'POLICY_VERSION' | 'THOUGHTSPOT_HOST' | 'ISSUERS'>,
): Promise<Entitlements> {
  const text = await readFile(config.POLICY_FILE, 'utf8').catch((cause: unknown) => {
    throw new Failure('misconfigured', { reason: 'the file that POLICY_FILE names cannot be read', cause });
  });
  const { POLICY_VERSION: digest, THOUGHTSPOT_HOST: host, ISSUERS: issuers } = config;
  return makeEntitlements({ text, digest, host, issuers, sha256 });
}
