/**
 * The policy document as its author writes it, defined once: parse.ts parses with it, and docs/policy.schema.json is
 * generated from it. What a schema cannot express (names that must exist, bounds that must be consistent) is in check.ts.
 */
import * as z from 'zod/mini';
import { described, limits } from './limits-schema.ts';

const text = (most: number) => z.string().check(z.minLength(1), z.maxLength(most));
const name = (what: string) => described(z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/)), what);
const prose = () => described(z.optional(z.string()), 'For people; changes nothing.');
const seconds = (what: string) => described(z.int().check(z.gte(1), z.lte(86_400)), what);

const Claim = described(
  z.union([text(256), z.array(text(256)).check(z.minLength(1), z.maxLength(8))]),
  'A claim of the verified token by its exact name ("email", "cognito:groups", "https://app.example/tenant"), or the ' +
    'names that lead to a nested one (["realm_access", "roles"]). A dot in a name is a dot, not a path.',
  'Claim',
);

const safeNumber = () => z.number().check(z.gte(-Number.MAX_SAFE_INTEGER), z.lte(Number.MAX_SAFE_INTEGER));
const scalar = () => z.union([z.string().check(z.maxLength(1_024)), safeNumber(), z.boolean()]);

const Pattern = described(
  text(512),
  'A regular expression between ^ and $ that matches the whole text without going back again and again. No look-around, ' +
    'no back reference, | inside groups only, at most one capturing group.',
  'Pattern',
);

const absent = (where: string) =>
  described(
    z.optional(z.literal('allowed')),
    `${where}: a caller without the claim counts as one whose claim has another value. Left out, that caller is refused.`,
  );
const test = <T extends z.core.$ZodLooseShape>(asked: T) =>
  z.strictObject({ claim: Claim, ...asked, absent: absent('Within `not`') });

type TestInput = z.input<typeof Test>;
const Test = z.union([
  test({ equals: described(scalar(), 'Same type, same value.') }),
  test({ oneOf: z.array(scalar()).check(z.minLength(1)) }),
  test({
    contains: described(scalar(), 'The claim is an array that has this item; a text counts as an array of one.'),
  }),
  test({ matches: Pattern }),
  test({ atLeast: described(safeNumber(), 'The claim is a number, this one or more.') }),
  test({ atMost: described(safeNumber(), 'The claim is a number, this one or less.') }),
  test({
    withinSeconds: described(
      z.int().check(z.gte(1), z.lte(315_360_000)),
      'The claim is a time in seconds since 1970, such as `auth_time`, and lies this long back at most.',
    ),
  }),
  z.strictObject({ claim: Claim, present: described(z.boolean(), 'There and not null, or not.') }),
]);

type ConditionInput =
  | 'always'
  | TestInput
  | { all: ConditionInput[] }
  | { any: ConditionInput[] }
  | { not: ConditionInput; absent?: 'allowed' | undefined };

const Condition: z.ZodMiniType<ConditionInput, ConditionInput> = described(
  z.lazy(() =>
    z.union([
      ...Test.def.options,
      z.strictObject({ all: z.array(Condition).check(z.minLength(1)) }),
      z.strictObject({ any: z.array(Condition).check(z.minLength(1)) }),
      z.strictObject({ not: Condition, absent: absent('For all tests in it') }),
      z.literal('always'),
    ]),
  ),
  'A condition on verified claims. A claim that is absent, or cannot be read the way a test needs it, fails the test and a ' +
    '`not` around it.',
  'Condition',
);

const perEntitlement = described(
  z._default(z.boolean(), false),
  'Each set of entitlements of a person gets a ThoughtSpot user of its own: the name, ~ and 16 characters. Needs `provision`.',
);

const mapping = {
  claim: Claim,
  lowerCase: described(z.optional(z.boolean()), 'Lower-case the text before anything else.'),
  pattern: z.optional(Pattern),
  table: described(z.optional(name('Name of a table')), 'The result is what this table of `tables` has for the text.'),
  allow: described(z.optional(z.array(text(254)).check(z.minLength(1))), 'The text must be one of these.'),
};

const ClaimText = described(
  z.strictObject(mapping),
  'The text of a claim, as it is or through at most one of `pattern` (its one capturing group is the result; without ' +
    'a group the whole text), `table` and `allow`.',
  'ClaimText',
);

const Template = described(
  z.strictObject({
    template: described(text(254), 'Text with {parts} in it. Every part but the last is followed by a fixed text.'),
    parts: z.record(z.string().check(z.regex(/^[a-zA-Z][a-zA-Z0-9]{0,31}$/)), ClaimText),
  }),
  'One text made of several claims, in a way that two different sets of claims never give the same text.',
  'Template',
);

const Values = described(
  z.union([
    described(z.array(text(254)), 'These values, the same for everyone.'),
    z.strictObject({
      ...mapping,
      unlisted: described(
        z._default(z.enum(['refuse', 'skip']), 'refuse'),
        'What to do with an item of the claim that does not map: refuse the caller, or leave the item out.',
      ),
    }),
  ]),
  'A list of values: fixed, or each item of a claim through `pattern`, `table` or `allow`.',
  'Values',
);

const validity = described(
  z.strictObject({
    defaultSeconds: seconds('Life of a token if the request does not say.'),
    minSeconds: seconds('Shortest life that a request may ask for.'),
    maxSeconds: seconds('Longest life that a request may ask for.'),
    withinCallerToken: described(
      z._default(z.boolean(), false),
      'No token outlives the JWT that the caller presented; its life is cut to fit, and refused below minSeconds.',
    ),
  }),
  'How long a token lives. A request outside the bounds is refused, never clamped.',
  'Validity',
);

const common = {
  name: name('Name by which a request picks this grant.'),
  description: prose(),
  validity,
  reuse: described(
    z._default(z.union([z.literal('off'), z.strictObject({ minLifeLeftSeconds: seconds('Least life left.') })]), 'off'),
    'Serve a live token again while it has this much life left, or mint for every request.',
  ),
};

const guid = z.string().check(z.regex(/^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/));
const named = z.strictObject({ name: text(254), values: Values });
const none = <T extends z.ZodMiniType>(item: T) => z._default(z.array(item), []);

const OPERATORS = 'EQ NE LT LE GT GE IN BW CONTAINS BEGINS_WITH ENDS_WITH BW_INC BW_INC_MIN BW_INC_MAX LIKE NOT_IN';

const Grant = z.discriminatedUnion('kind', [
  z.strictObject({ ...common, kind: described(z.literal('full'), 'All that the user may do in the org.') }),
  z.strictObject({
    ...common,
    kind: described(z.literal('object'), 'One Liveboard, read-only.'),
    objects: described(
      z.union([z.literal('any'), z.array(guid).check(z.minLength(1))]),
      'The objects that a request may name; "any" leaves the choice to the request.',
    ),
  }),
  z.strictObject({
    ...common,
    kind: described(z.literal('custom'), 'Attribute-based access: what the user sees is cut to these values.'),
    persist: described(
      z.enum(['NONE', 'APPEND', 'REPLACE', 'RESET']),
      'What the mint writes to the user: REPLACE is authoritative, APPEND accumulates over time.',
    ),
    variables: none(named),
    filters: none(z.strictObject({ column: text(254), operator: z.enum(OPERATORS.split(' ')), values: Values })),
    parameters: none(named),
    groups: described(z._default(Values, []), 'Only fixed, or through `table` or `allow`.'),
    objects: none(z.strictObject({ type: z.optional(z.literal('LOGICAL_TABLE')), identifiers: Values })),
  }),
]);

export const WARNINGS = [
  'matches-anyone',
  'absent-undecided',
  'changing-identity',
  'unverified-email',
  'names-may-collide',
  'issuers-may-meet',
  'any-object',
  'append-accumulates',
  'being-retired',
  'entitlements-may-differ',
] as const;

const Rule = described(
  z.strictObject({
    name: name('Name of the rule, in audit and alarms.'),
    description: prose(),
    mode: described(
      z._default(z.enum(['enforce', 'audit']), 'enforce'),
      '`audit`: evaluated and reported as what it would have decided; the next rules decide.',
    ),
    issuer: described(z.optional(text(2_048)), 'Whose callers it is for: the `url` of an issuer.'),
    when: Condition,
    absent: absent('For every `not` of `when`'),
    user: described(
      z.union([
        z.extend(ClaimText, { perEntitlement }),
        z.extend(Template, { perEntitlement }),
        described(
          z.strictObject({ serviceAccount: text(254), perEntitlement }),
          'One ThoughtSpot account for all callers.',
        ),
      ]),
      'The ThoughtSpot user that the token is for.',
    ),
    org: described(
      z.union([
        z.int().check(z.gte(0), z.lte(2_147_483_647)),
        z.strictObject({ claim: Claim, table: name('Name of a table of numbers') }),
      ]),
      'The ThoughtSpot org: its number, or what a table has for a claim. Never a claim itself.',
    ),
    share: described(z._default(z.boolean(), false), 'All callers share a token. For service accounts only.'),
    administers: described(
      z.exactOptional(z.literal('own-org')),
      'Its callers have power over the people of their org.',
    ),
    provision: described(
      z.optional(
        z.strictObject({
          displayName: z.optional(z.union([ClaimText, Template])),
          email: z.optional(z.union([ClaimText, Template])),
          groups: described(z._default(Values, []), 'Only fixed, or through `table` or `allow`.'),
        }),
      ),
      'ThoughtSpot creates or updates the user at the mint. Left out: it never does.',
    ),
    grants: described(z.array(Grant).check(z.minLength(1)), 'The first is what a request gets that names none.'),
    accept: described(none(z.enum(WARNINGS)), 'Warnings about this rule that its author has considered.'),
  }),
  'Who, and what they get.',
  'Rule',
);

export const PolicySchema = described(
  z.strictObject({
    $schema: z.optional(z.string()),
    version: described(z.literal(1), 'Of this language.'),
    description: prose(),
    refuse: described(
      none(text(254)),
      'User names that no token is ever minted for, in addition to tsadmin, system and su.',
    ),
    tables: described(
      z._default(
        z.record(name('Name of a table'), z.record(text(256), z.union([z.int(), text(254), z.array(text(254))]))),
        {},
      ),
      'Fixed tables from the text of a claim to an org number, a text or several.',
    ),
    limits,
    rules: described(z.array(Rule).check(z.minLength(1)), 'In order: the first whose condition holds decides.'),
  }),
  'Who may have which ThoughtSpot token. See docs/policy.md.',
);

type Policy = z.infer<typeof PolicySchema>;

/** The types of a policy as its author wrote it, with defaults filled in, and of its parts. */
export interface Authored {
  readonly policy: Policy;
  readonly rule: Policy['rules'][number];
  readonly grant: Policy['rules'][number]['grants'][number];
  readonly custom: Extract<Policy['rules'][number]['grants'][number], { kind: 'custom' }>;
  readonly condition: z.infer<typeof Condition>;
  readonly claimText: z.infer<typeof ClaimText>;
  readonly template: z.infer<typeof Template>;
  readonly values: z.infer<typeof Values>;
}
export type WarningName = (typeof WARNINGS)[number];
