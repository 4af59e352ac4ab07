import { readFileSync } from 'node:fs';
import type { Limits } from '../../functions/broker/mint-counts.ts';
import { DEFAULT_POLICY } from '../../local/settings.ts';

/** As high as a policy may set them: for tests that mint a lot and are about something else. */
export const HIGHEST_LIMITS: Limits = {
  caller: { mintsPerMinute: 600, liveLeases: 200 },
  org: { mintsPerMinute: 6_000 },
};

/** The policy of `npm start` with other limits. */
export function demoPolicyWith(limits: object): object {
  return { ...(JSON.parse(readFileSync(DEFAULT_POLICY, 'utf8')) as object), limits };
}
