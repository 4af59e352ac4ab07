/** The part `limits` of the policy document as its author writes it. */
import * as z from 'zod/mini';

export function described<T extends z.ZodMiniType>(schema: T, description: string, id?: string): T {
  z.globalRegistry.add(schema, id === undefined ? { description } : { id, description });
  return schema;
}

const atMost = (most: number, usual: number, what: string) =>
  described(z._default(z.int().check(z.gte(1), z.lte(most)), usual), what);

/** Without values of its own a policy has these limits. The org's largest is ThoughtSpot's own, 100 requests a second. */
const callerLimits = z.strictObject({
  mintsPerMinute: atMost(600, 30, 'New tokens in any minute. A token that is served again does not count.'),
  liveLeases: atMost(200, 20, 'Tokens that may be alive at the same time.'),
});
const orgLimits = z.strictObject({
  mintsPerMinute: atMost(6_000, 600, 'New tokens in any minute, of all callers of the org.'),
});
export const limits = described(
  z.prefault(
    z.strictObject({
      caller: described(z.prefault(callerLimits, {}), 'Of one caller: one `iss` and `sub`.'),
      org: described(z.prefault(orgLimits, {}), 'Of one ThoughtSpot org.'),
      orgs: described(
        z.exactOptional(z.record(z.string().check(z.regex(/^(0|[1-9]\d{0,8})$/)), orgLimits)),
        'Of orgs that differ, by their number, instead of `org`.',
      ),
    }),
    {},
  ),
  'How much of what all share a caller and an org may use up. Beyond it the answer is 429 `mint-limit`.',
  'Limits',
);
