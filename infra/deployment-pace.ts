/**
 * How new code comes to callers: as the environment says, but all at once where what people are granted changes and stays on
 * ThoughtSpot users. Two policies at work would set the variables and groups of one user in turn (docs/adr/0029).
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../functions/policy/fingerprint.ts';
import { messageOf } from '../local/command.ts';
import type { DeployedStack } from './deployed-stack.ts';
import type { Environment } from './environments/environment.ts';
import type { CheckedPolicy } from './policy/check.ts';

/** The output of the stack with what is granted, and the parameter with CodeDeploy's name of the pace. */
export const ENTITLEMENTS = 'Entitlements';
export const PACE = 'Pace';

/** CodeDeploy's names. */
export const PACES = {
  canary: 'CodeDeployDefault.LambdaCanary10Percent5Minutes',
  'all-at-once': 'CodeDeployDefault.LambdaAllAtOnce',
} as const satisfies Record<Environment['deployment'], string>;

/** Equal for two policies only if their mints leave the same on the same users; `none` where they leave nothing. */
export function entitlementsOf({ policy: { persists, rules, tables } }: CheckedPolicy): string {
  if (!persists) return 'none';
  return createHash('sha256').update(canonicalJson({ rules, tables })).digest('base64url').slice(0, 16);
}

export interface Pace {
  readonly pace: Environment['deployment'];
  /** Why it is not that of the environment. */
  readonly because?: string;
}

/**
 * The pace of one deployment. `next`: the entitlements of what is deployed now. `deployed` reads the stack as it is; where it
 * cannot tell what is granted there, everything is deployed at once.
 */
export async function paceOf(
  { deployment }: Pick<Environment, 'deployment'>,
  next: string,
  deployed: () => Promise<DeployedStack | undefined>,
): Promise<Pace> {
  if (deployment === 'all-at-once') return { pace: deployment };
  const stack = await deployed().catch((error: unknown) => messageOf(error));
  if (stack === undefined) return { pace: deployment };
  const before = typeof stack === 'string' ? stack : stack.outputs[ENTITLEMENTS];
  if (before === next) return { pace: deployment };
  const because =
    typeof stack === 'string' || before === undefined
      ? `nobody can tell what is granted there now (${typeof stack === 'string' ? stack : 'the stack does not say'})`
      : 'it changes what is granted, which stays on ThoughtSpot users';
  return { pace: 'all-at-once', because };
}
