/** What operators, administrators of an org (docs/adr/0031) and people without any power can ask of `operator`. */
import { readFileSync } from 'node:fs';
import type { Context } from 'aws-lambda';
import fc from 'fast-check';
import { makeGetAdministered } from '../../functions/broker/administrators.ts';
import { makeListBlocks, makeReinstate, makeRequireActive } from '../../functions/broker/admission.ts';
import { BLOCK_SHARDS, EVER } from '../../functions/broker/blocks.ts';
import { makeGetToken } from '../../functions/broker/get-token.ts';
import { makeListLeases } from '../../functions/broker/list-leases.ts';
import { makeRevokeTokens } from '../../functions/broker/revoke.ts';
import { PROBLEMS, type ProblemCode } from '../../functions/contract/problems.ts';
import { httpEntry } from '../../functions/http/http-entry.ts';
import { awsCaller, operatorRoute } from '../../functions/http/operator.ts';
import { DEFAULT_POLICY } from '../../local/settings.ts';
import { asOperator, makeWorld, TIMEOUT_MS } from '../support/broker-world.ts';
import { START } from '../support/fake-clock.ts';
import { httpEvent, identify, jwtOf } from '../support/http-event.ts';
import { compilePolicy, entitlementsBy } from '../support/policy-documents.ts';
import { recordTelemetry } from '../support/telemetry-record.ts';
import { fuzz, oddText, oddValue } from './fuzzing.ts';

const OWN = 1;
const TENANT = 'https://broker.example/tenant';
const { rules, ...document } = JSON.parse(readFileSync(DEFAULT_POLICY, 'utf8')) as {
  rules: readonly { name: string }[];
};
const members = rules.find(({ name }) => name === 'tenant-members');
/** Members of the group `admins` are administrators of their org. */
const administrators = {
  ...members,
  name: 'admins',
  administers: 'own-org',
  when: {
    all: [
      { claim: TENANT, oneOf: ['acme', 'globex'] },
      { claim: 'groups', contains: 'admins' },
    ],
  },
};
const policy = compilePolicy({
  ...document,
  rules: [{ ...administrators, accept: ['names-may-collide', 'changing-identity'] }, ...rules],
});

const person = (name: string, tenant: string | undefined, more: object = {}) => ({
  iss: 'https://issuer.example',
  sub: `user-${name}-${tenant}`,
  iat: START / 1_000 - 60,
  exp: START / 1_000 + 3_000,
  aud: 'broker',
  scope: 'broker:token',
  preferred_username: name,
  name,
  email: `${name}@example.com`,
  groups: ['analysts'],
  ...(tenant !== undefined && { [TENANT]: tenant }),
  ...more,
});
const PEOPLE = {
  boss: person('boss', 'acme', { groups: ['analysts', 'admins'] }),
  'boss who is shut out': person('former', 'acme', { groups: ['analysts', 'admins'] }),
  member: person('alice', 'acme'),
  'member of another org': person('carol', 'globex'),
  nobody: person('mallory', undefined),
  operator: person('ops', undefined, { scope: 'broker:revoke' }),
  'operator who is shut out': person('opsy', undefined, { scope: 'broker:token broker:revoke' }),
} as const;
type Actor = keyof typeof PEOPLE | 'aws';
const POWERLESS: readonly Actor[] = [
  'boss who is shut out',
  'member',
  'member of another org',
  'nobody',
  'operator who is shut out',
];

/** Both orgs have tokens and blocks; alice is in both. Nothing here waits for time. */
async function standing() {
  const { clock, ledger, issuer } = makeWorld();
  const { telemetry } = recordTelemetry();
  const deps = {
    ...telemetry,
    clock,
    ledger,
    issuer,
    randomness: () => 0.5,
    ...entitlementsBy(policy),
  };
  const [getToken, revokeTokens] = [makeGetToken(deps), makeRevokeTokens(deps)];
  const deadline = clock.now() + TIMEOUT_MS;
  const held: { readonly leaseId: string; readonly token: string; readonly orgId: number }[] = [];
  for (const claims of [
    PEOPLE.member,
    PEOPLE['member of another org'],
    person('alice', 'globex'),
    person('dan', 'acme'),
  ]) {
    const { lease, token, orgId } = await clock.drive(getToken(await identify(jwtOf(claims), undefined), {}, deadline));
    held.push({ leaseId: lease.leaseId, token, orgId });
  }
  const former = { issuer: PEOPLE.boss.iss, subject: PEOPLE['boss who is shut out'].sub };
  const opsy = { issuer: PEOPLE.boss.iss, subject: PEOPLE['operator who is shut out'].sub };
  const suspended = [
    { userNames: ['mona'], orgId: 2 },
    { userNames: ['dora'], orgId: OWN },
    { userNames: ['zoe'] },
    { userNames: [], subjects: [former, opsy] },
  ];
  for (const whom of suspended)
    await clock.drive(
      revokeTokens(asOperator(), { kind: 'user', ...whom }, clock.now(), deadline, { kind: 'suspend' }),
    );
  const listLeases = makeListLeases(deps);
  const listBlocks = makeListBlocks(deps, 86_400_000);
  const route = operatorRoute({
    ...deps,
    ...{ revokeTokens, listLeases, listBlocks },
    requireActive: makeRequireActive(deps),
    getAdministered: makeGetAdministered(deps),
    reinstate: makeReinstate(deps),
  });
  const handler = httpEntry({ name: 'operator', telemetry, clock }, async () => ({ route, identify, awsCaller }));
  const context = { awsRequestId: 'invocation', getRemainingTimeInMillis: () => TIMEOUT_MS } as Context;
  const { next: leaseCursor = '' } = await listLeases({}, 1, undefined, deadline);
  const { next: blockCursor = '' } = await listBlocks(undefined, deadline);

  /** Rows, tokens and blocks of an org, or of every org but this one: in no order that a write could change. */
  const state = async (isMeant: (orgId: number | undefined) => boolean) => {
    const blocks = [...(await ledger.widestBlocks(EVER))];
    for (let shard = 0; shard < BLOCK_SHARDS; shard += 1)
      blocks.push(...(await ledger.dueBlocks(shard, EVER, 1_000, undefined, EVER)).blocks);
    const orgOf = (scope: object) => ('orgId' in scope ? (scope.orgId as number) : undefined);
    return JSON.stringify([
      ledger.facts().filter(({ orgId }) => isMeant(orgId)),
      issuer.tokens.filter(({ orgId }) => isMeant(orgId)),
      blocks
        .filter(({ scope }) => isMeant(orgOf(scope)))
        .map((block) => JSON.stringify(block))
        .sort(),
    ]);
  };
  return {
    held,
    state,
    cursors: { leaseCursor, blockCursor },
    ask: (event: unknown) => clock.drive(handler(event as never, context)),
  };
}
type Standing = Awaited<ReturnType<typeof standing>>;

// --- requests ----------------------------------------------------------------------------------------------------------

/** Words that stand for what a case gets to know only as it runs. */
const leaseAt = (index: number) => `@lease-${index}@`;
const tokenAt = (index: number) => `@token-${index}@`;
const filledIn = (text: string, { held, cursors }: Standing) =>
  held
    .reduce(
      (done, { leaseId, token }, at) => done.replaceAll(leaseAt(at), leaseId).replaceAll(tokenAt(at), token),
      text,
    )
    .replaceAll('@leases@', cursors.leaseCursor)
    .replaceAll('@blocks@', cursors.blockCursor);

const often = <T>(...usual: readonly T[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: oddValue });
const NAMES = [
  'alice',
  'alice',
  'dan',
  'dora',
  'carol',
  'mona',
  'zoe',
  'boss',
  'former',
  'ALICE',
  ' alice',
  'nobody-has-it',
];
const userName = often(...NAMES, 'alice~abcdefghijklmnop', 'carol~abcdefghijklmnop', '\u0430lice', 'mona\u200b');
const orgId = often<unknown>(1, 1, 2, 0, '1', '2', -1, 1.5, 2 ** 31, true);
const subject = fc.record(
  {
    issuer: often(PEOPLE.boss.iss, 'https://evil.example'),
    sub: often(PEOPLE.member.sub, PEOPLE['member of another org'].sub, PEOPLE['boss who is shut out'].sub),
    orgId,
  },
  { requiredKeys: ['issuer', 'sub'] },
);
const which = fc.nat(3);
const fields: Record<string, fc.Arbitrary<unknown>> = {
  userName,
  orgId,
  subject: fc.oneof(subject, oddValue),
  all: often<unknown>(true, false),
  leaseId: fc.oneof(which.map(leaseAt), oddValue),
  token: fc.oneof(which.map(tokenAt), oddValue),
  policyVersion: often(policy.version, 'v'),
  rule: often('tenant-members', 'admins', 'guests'),
  endShared: often<unknown>(true, false),
  keepSignIn: often<unknown>(true, false),
  userNames: fc.constant(['carol']),
  kind: often('org', 'all', 'user'),
  __proto__: fc.constant({ orgId: 1 }),
};
const NAMES_OF_FIELDS = ['userName', 'userName', 'userName', 'orgId', 'orgId', ...Object.keys(fields)];
/** What an administrator may ask, and more or less than that. */
const right = fc.constantFrom<(readonly [string, unknown])[]>(
  [['userName', 'alice']],
  [
    ['userName', 'dora'],
    ['orgId', OWN],
  ],
  [['orgId', OWN]],
  [
    ['orgId', OWN],
    ['keepSignIn', true],
  ],
  [],
  [],
);
const member = fc
  .constantFrom(...NAMES_OF_FIELDS)
  .chain((name) => (fields[name] ?? oddValue).map((value) => [name, value] as const));
/** Members in the order in which they come, some of them twice: of those the last counts. */
const objectText = fc
  .tuple(right, fc.array(member, { maxLength: 2 }), fc.boolean())
  .map(([usual, more, last]) => (last ? [...more, ...usual] : [...usual, ...more]))
  .map((members) => members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value) ?? 'null'}`))
  .map((members) => `{${members.join(',')}}`);
const body = fc.oneof(
  { weight: 12, arbitrary: objectText },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '{}', 'null', '[]', '\ufeff{"orgId":1}', '{"orgId":1}{"orgId":2}', '{"orgId":1,}'),
  },
  { weight: 1, arbitrary: oddText },
);
const query = fc.dictionary(
  fc.constantFrom(
    'user',
    'user',
    'user',
    'org',
    'org',
    'state',
    'limit',
    'cursor',
    'policyVersion',
    'rule',
    'usersUnusedSince',
    'userName',
    '__proto__',
  ),
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom('alice', 'carol', 'mona', '1', '2', '01', '+1', '1.0', ' 1', 'live', 'revoked'),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        '@leases@',
        '@blocks@',
        '0 x',
        '3 ',
        '9 ',
        '[0,"","",0]',
        '1e3',
        '99999999999999999999',
      ),
    },
    { weight: 1, arbitrary: oddText },
  ),
  { maxKeys: 3 },
);
const LAST = {
  leases: 'GET /leases',
  revoke: 'POST /leases/revoke',
  blocks: 'GET /blocks',
  suspend: 'POST /suspend',
  reinstate: 'POST /reinstate',
} as const;
const asked = fc.record({
  actor: fc.constantFrom<Actor>('boss', 'boss', 'boss', 'boss', 'operator', 'aws', ...POWERLESS),
  last: fc.constantFrom(...(Object.keys(LAST) as (keyof typeof LAST)[])),
  under: fc.constantFrom(...Array<string>(9).fill(''), '/i/partner', '/operator'),
  body,
  query,
  type: fc.oneof(
    { weight: 15, arbitrary: fc.constant('application/json; charset=utf-8') },
    { weight: 1, arbitrary: oddText },
  ),
  isBase64Encoded: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

function eventOf({ actor, last, under, body: text, query: parameters, type, isBase64Encoded }: Asked, state: Standing) {
  const [method, path = ''] = LAST[last].split(' ');
  const sent = filledIn(text, state);
  const event = httpEvent({
    ...(actor === 'aws' ? { authorization: null } : { claims: PEOPLE[actor] }),
    routeKey: `${method} ${actor === 'aws' ? '/operator' : under}${path}`,
    headers: { 'content-type': type },
    query: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, filledIn(value, state)])),
    ...(method === 'POST' && { body: isBase64Encoded ? Buffer.from(sent).toString('base64') : sent, isBase64Encoded }),
  });
  if (actor === 'aws') {
    const iam = { userArn: 'arn:aws:sts::123456789012:assumed-role/ops/olu' };
    Object.assign(event.requestContext, { authorizer: { iam } });
  }
  return event;
}

interface Listed {
  readonly leases?: readonly { readonly orgId?: number }[];
  readonly blocks?: readonly { readonly scope: { readonly orgId?: number } }[];
}

/** All that an administrator of an org may have asked where the answer is not a refusal, by what was sent. */
function mayAsk(last: keyof typeof LAST, text: string, parameters: Record<string, string | undefined>): boolean {
  if (last === 'blocks') return parameters['cursor'] === undefined;
  if (last === 'leases')
    return (
      parameters['user'] !== undefined &&
      [undefined, OWN].includes(parameters['org'] === undefined ? undefined : Number(parameters['org']))
    );
  const { keepSignIn, ...whom } = JSON.parse(text.replace(/^\ufeff/, '')) as Record<string, unknown>;
  const names = Object.keys(whom).sort().join();
  if (keepSignIn !== undefined && last !== 'revoke') return false;
  if (names === 'userName') return true;
  return whom['orgId'] === OWN && (names === 'orgId,userName' || (names === 'orgId' && last === 'revoke'));
}

fuzz(
  'whatever is asked of operators’ routes touches nothing that the asker has no power over, and is refused with a code',
  "operators' requests",
  (count) =>
    fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 3 }), async (requests) => {
      const state = await standing();
      for (const request of requests) {
        const { actor, last, under } = request;
        const event = eventOf(request, state);
        const [before, elsewhere] = [await state.state(() => true), await state.state((org) => org !== OWN)];
        const { statusCode = 0, body: text = '' } = await state.ask(event);
        const refused = statusCode >= 400;
        if (refused) {
          const { code, status } = JSON.parse(text) as { code: ProblemCode; status: number };
          expect([PROBLEMS[code]?.status, status]).toEqual([statusCode, statusCode]);
          // A person at the route of AWS credentials is what only a gateway without its authorizer lets through.
          if (actor === 'aws' || under !== '/operator') expect(statusCode).toBeLessThan(500);
          else expect(code).toBe('misconfigured');
          expect(await state.state(() => true)).toBe(before);
        }
        if (POWERLESS.includes(actor)) expect(statusCode).toBeGreaterThanOrEqual(400);
        if (actor === 'boss') expect(await state.state((org) => org !== OWN)).toBe(elsewhere);
        if (actor === 'boss' && !refused) {
          const sent = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8').toString();
          expect(mayAsk(last, sent, event.queryStringParameters ?? {})).toBe(true);
          const { leases = [], blocks = [] } = JSON.parse(text) as Listed;
          for (const { orgId } of [...leases, ...blocks.map(({ scope }) => scope)]) expect(orgId).toBe(OWN);
          for (const { leaseId, orgId } of state.held) if (orgId !== OWN) expect(text).not.toContain(leaseId);
        }
        const who = actor === 'boss' ? 'administrator' : POWERLESS.includes(actor) ? 'without power' : 'operator';
        count(`${who} ${refused ? 'refused' : 'answered'}`);
      }
    }),
);

const plain = {
  actor: 'boss',
  under: '',
  type: 'application/json',
  isBase64Encoded: false,
  body: '',
  query: {},
} as const;
test.each<Pick<Asked, 'last'> & Partial<Asked>>([
  { last: 'leases', query: { user: 'alice' } },
  { last: 'blocks' },
  { last: 'revoke', body: '{"orgId":1,"keepSignIn":true}' },
  { last: 'suspend', body: '{"userName":"alice"}' },
  { last: 'reinstate', body: '{"userName":"alice","orgId":1}' },
])('an administrator is answered in these cases, as in $last', async (request) => {
  const state = await standing();
  const before = await state.state((org) => org === OWN);
  const { statusCode } = await state.ask(eventOf({ ...plain, ...request }, state));
  expect([200, 202]).toContain(statusCode);
  expect((await state.state((org) => org === OWN)) === before).toBe(['leases', 'blocks'].includes(request.last));
});
