import { Failure } from '../../../functions/broker/failure.ts';
import type { Lease } from '../../../functions/broker/lease.ts';
import type { AuditEvent, AwsCaller, Caller, TokenLedger } from '../../../functions/broker/ports.ts';
import type { Administered, ListedBlock, ListLeases } from '../../../functions/broker/use-cases.ts';
import { awsCaller, operatorRoute } from '../../../functions/http/operator.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { httpEvent } from '../../support/http-event.ts';
import { schemaAt } from '../../support/openapi.ts';

const lease: Lease = {
  user: 'alice',
  fingerprint: 'f',
  generation: 1,
  leaseId: 'l',
  state: 'live',
  caller: { issuer: 'i', subject: 's' },
  shared: false,
  orgId: 1,
  kind: 'full',
  rule: 'r',
  grant: 'g',
  policyVersion: 'v',
  reservedAt: 1,
  mintDeadlineAt: 2,
  latestEndAt: 3,
  sealed: true,
  tokenDigest: 'digest',
  attempts: 0,
};

async function ask(query: Record<string, string>, routeKey = 'GET /leases') {
  const calls: Parameters<ListLeases>[] = [];
  const asked: Parameters<TokenLedger['usersUnusedSince']>[] = [];
  const listLeases: ListLeases = async (...call) => {
    calls.push(call);
    return { leases: [lease], next: 'more' };
  };
  const caller: Caller = { issuer: 'i', subject: 's', claims: {}, issuedAt: 0, expiresAt: 0, scopes: ['revoke'] };
  const users: TokenLedger['usersUnusedSince'] = async (...call) => {
    asked.push(call);
    return { users: [{ userName: 'ann~abcdefghijklmnop', orgId: 1, until: 5 }], next: 'more' };
  };
  const audited: AuditEvent[] = [];
  const answer = await operatorRoute({
    listLeases,
    requireActive: () => Promise.resolve(),
    getAdministered: () => Promise.reject(new Error('an operator asks')),
    ledger: { usersUnusedSince: users },
    reinstate: () => Promise.reject(new Error('it lists')),
    listBlocks: () => Promise.reject(new Error('it lists leases')),
    revokeTokens: () => Promise.reject(new Error('it lists')),
    audit: { record: (event) => void audited.push(event) },
    clock: makeFakeClock(),
  }).answer({
    event: httpEvent({ query, routeKey }),
    caller,
    deadline: 9,
    conceal: () => {},
  });
  return { body: JSON.parse(answer.body ?? '') as { leases: object[] }, call: calls[0], asked: asked[0], audited };
}

describe('GET /leases', () => {
  // As only an invocation without the gateway can have them.
  test.each(['constructor', 'POST /toString', '/__proto__', ''])('is what the route %j means', async (routeKey) => {
    expect((await ask({}, routeKey)).body).toMatchObject({ leases: [{ leaseId: 'l' }] });
  });

  test('shows leases as the document describes them, and nothing of their tokens', async () => {
    const { body } = await ask({});
    expect(schemaAt('/components/schemas/LeasePage')(body)).toBe(true);
    expect(body).toMatchObject({ leases: [{ leaseId: 'l', state: 'live' }], next: 'more' });
    expect(Object.keys(body.leases[0] ?? {})).not.toEqual(expect.arrayContaining(['fingerprint']));
    expect(JSON.stringify(body)).not.toContain('digest');
  });

  test.each<[Record<string, string>, object, number, string | undefined]>([
    [{}, {}, 50, undefined],
    [
      { user: 'alice', org: '1', state: 'live', limit: '10', cursor: 'c' },
      { user: 'alice', orgId: 1, state: 'live' },
      10,
      'c',
    ],
  ])('reads %j', async (query, filter, limit, cursor) => {
    expect((await ask(query)).call).toStrictEqual([filter, limit, cursor, 9]);
  });

  test.each([
    [{ limit: '0' }],
    [{ limit: '201' }],
    [{ limit: 'x' }],
    [{ org: '1.5' }],
    [{ state: 'dead' }],
    [{ users: 'a' }],
    [{ org: 'x1' }],
    [{ org: '1x' }],
    [{ org: '-1' }],
    [{ limit: '' }],
    [{ limit: ' 5' }],
    [{ limit: '5 ' }],
    [{ limit: '0x10' }],
    [{ org: '1e1' }],
    [{ usersUnusedSince: '-1' }],
    [{ usersUnusedSince: '1', user: 'alice' }],
  ])('refuses %j', async (query) => {
    await expect(ask(query)).rejects.toMatchObject({
      code: 'invalid-request',
      errors: [expect.objectContaining({ field: Object.keys(query)[0] })],
    });
  });

  test('lists ThoughtSpot users that the broker made and no longer uses', async () => {
    const { body, asked } = await ask({ usersUnusedSince: '1764000000000', limit: '10', cursor: 'c' });
    expect(asked).toStrictEqual([1_764_000_000_000, 10, 'c', 9]);
    expect(schemaAt('/components/schemas/LeasePage')(body)).toBe(true);
    expect(body).toEqual({ users: [{ userName: 'ann~abcdefghijklmnop', orgId: 1, until: 5 }], next: 'more' });
  });

  test('takes digits for a number only where one is asked for', async () => {
    expect((await ask({ user: '42', cursor: '7' })).call?.slice(0, 3)).toEqual([{ user: '42' }, 50, '7']);
  });

  test('puts on record what was read', async () => {
    expect((await ask({})).audited).toEqual([{ action: 'list', reasons: ['listed everything'] }]);
    const { audited } = await ask({ user: 'alice', state: 'live', limit: '5' });
    expect(audited).toEqual([{ action: 'list', user: 'alice', reasons: ['listed one user, state live'] }]);
  });
});

describe('who the operator is', () => {
  const asked = (iam: unknown, routeKey = 'GET /operator/leases') => {
    const event = httpEvent({ routeKey });
    const authorizer: unknown = { ...event.requestContext.authorizer, iam };
    return awsCaller({ ...event, requestContext: { ...event.requestContext, authorizer } } as typeof event);
  };

  test.each([
    ['arn:aws:sts::123456789012:assumed-role/Ops/olga@example.com', 'olga@example.com'],
    ['arn:aws-cn:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/olga', 'olga'],
    ['arn:aws:sts::123456789012:federated-user/olga', 'olga'],
    ['arn:aws:iam::123456789012:user/people/olga', undefined],
    ['arn:aws:iam::123456789012:root', undefined],
  ])('is %s, session %s', (userArn, session) => {
    const caller = { arn: userArn, ...(session !== undefined && { session }), scopes: ['revoke'] };
    expect(asked({ userArn })).toStrictEqual(caller);
  });

  test.each([[undefined], [{}], [{ userArn: 'olga' }], [{ userArn: 'arn:aws:iam::1:root' }], [{ userArn: 'a\nb' }]])(
    'is nobody, by %j',
    (iam) => {
      expect(() => asked(iam)).toThrow(Failure);
    },
  );

  test.each(['GET /leases', 'POST /leases/revoke', 'POST /gettoken', '$default'])('is by his token on %s', (route) => {
    expect(asked({ userArn: 'arn:aws:iam::123456789012:root' }, route)).toBeUndefined();
  });
});

describe('what an operator asks', () => {
  const CALLER: Caller = { issuer: 'i', subject: 's', claims: {}, issuedAt: 0, expiresAt: 0, scopes: ['revoke'] };
  const AWS = { arn: 'arn:aws:iam::123456789012:user/olga', scopes: ['revoke'] as const };
  const ALL: ListedBlock[] = [
    { scope: { kind: 'org', orgId: 1 }, suspendedSince: 1 },
    { scope: { kind: 'user', user: 'ann', orgId: 2 }, suspendedSince: 1 },
    { scope: { kind: 'user', user: 'ann' }, suspendedSince: 1 },
  ];

  /** One request, and every call that it led to. */
  async function asked(
    routeKey: string,
    body?: object,
    caller: Caller | AwsCaller = CALLER,
    pending: number | null = 0,
  ) {
    const calls: unknown[][] = [];
    const concealed: string[] = [];
    const note =
      <T>(name: string, answer: T) =>
      (...call: unknown[]) => {
        calls.push([name, ...call]);
        return Promise.resolve(answer);
      };
    const narrowed: Administered['narrowed'] = (selection) => {
      calls.push(['narrowed', selection]);
      return { kind: 'org', orgId: 1 };
    };
    const route = operatorRoute({
      listLeases: note('listLeases', { leases: [] }),
      requireActive: note('requireActive', undefined),
      getAdministered: note('getAdministered', { orgId: 1, narrowed }),
      ledger: { usersUnusedSince: () => Promise.reject(new Error('it lists')) },
      reinstate: note('reinstate', { reinstated: 1 }),
      listBlocks: (cursor) => {
        calls.push(['listBlocks', cursor]);
        return Promise.resolve(
          cursor === undefined ? { blocks: ALL.slice(0, 1), next: '1 ' } : { blocks: ALL.slice(1) },
        );
      },
      revokeTokens: note('revokeTokens', { revoked: 1, pending }),
      audit: { record: (event) => void calls.push(['audit', event]) },
      clock: makeFakeClock(),
    });
    const event = httpEvent({ routeKey, ...(body && { body: JSON.stringify(body) }) });
    const conceal = (secret: string) => void concealed.push(secret);
    const { statusCode, body: said = '' } = await route.answer({ event, caller, deadline: 9, conceal });
    return { calls, concealed, statusCode, body: JSON.parse(said) as object };
  }
  const operator = { kind: 'caller', caller: CALLER, mayRevokeOthers: true };
  const MINE: Caller = { ...CALLER, scopes: ['token'] };
  const ann = { kind: 'user', userNames: ['ann'] };

  test.each([
    [0, 200],
    [3, 202],
    [null, 202],
  ])('is done at once or goes on: with %s pending it is %i', async (pending, status) => {
    const { calls, statusCode } = await asked('POST /leases/revoke', { userName: 'ann' }, CALLER, pending);
    expect(calls).toEqual([
      ['requireActive', CALLER, 9],
      ['revokeTokens', operator, ann, START, 9, { kind: 'sign-out' }],
    ]);
    expect(statusCode).toBe(status);
    expect((await asked('POST /suspend', { userName: 'ann' }, CALLER, pending)).statusCode).toBe(status);
  });

  test('is by the operator whom AWS knows, who needs no look at blocks', async () => {
    const { calls } = await asked('POST /operator/suspend', { userName: 'ann', endShared: true }, AWS);
    const how = { kind: 'suspend', endShared: true };
    expect(calls).toEqual([['revokeTokens', { kind: 'operator', operator: AWS }, ann, START, 9, how]]);
  });

  test('never is about his own leases by saying nothing', async () => {
    await expect(asked('POST /leases/revoke', {})).rejects.toMatchObject({
      errors: [
        { field: 'body', detail: expect.stringMatching(/^must have exactly one of leaseId, token, .*, all/) as string },
      ],
    });
  });

  test('keeps a token out of every line', async () => {
    expect((await asked('POST /leases/revoke', { token: 'secret' })).concealed).toEqual(['secret']);
    expect((await asked('POST /leases/revoke', { leaseId: 'x' })).concealed).toEqual([]);
  });

  test('lifts suspensions, and lists blocks page by page', async () => {
    const { calls, body } = await asked('POST /reinstate', { userName: 'ann' });
    expect([calls.at(-1), body]).toEqual([['reinstate', operator, ann, 9], { reinstated: 1 }]);
    const listed = await asked('GET /blocks');
    expect(listed.body).toEqual({ blocks: ALL.slice(0, 1), next: '1 ' });
    expect(listed.calls.at(-1)).toEqual(['audit', { action: 'list', reasons: ['listed blocks'] }]);
  });

  test.each<[string, object | undefined, unknown[], unknown]>([
    ['POST /leases/revoke', { userName: 'ann' }, ['narrowed', ann], 'revokeTokens'],
    ['POST /suspend', { userName: 'ann' }, ['narrowed', ann], 'revokeTokens'],
    ['POST /reinstate', { userName: 'ann' }, ['narrowed', ann], 'reinstate'],
  ])('is narrowed where an administrator asks: %s', async (routeKey, body, narrowed, then) => {
    const { calls } = await asked(routeKey, body, MINE);
    expect(calls.slice(0, 2)).toEqual([['getAdministered', MINE, 9], narrowed]);
    expect(calls[2]?.slice(0, 1)).toEqual([then]);
    expect(calls[2]?.[2]).toEqual({ kind: 'org', orgId: 1 });
  });

  test('is the blocks of the own org, all at once, where an administrator asks', async () => {
    const { calls, body } = await asked('GET /blocks', undefined, MINE);
    expect(body).toEqual({ blocks: ALL.slice(0, 1) });
    expect(calls.filter(([name]) => name === 'listBlocks')).toEqual([
      ['listBlocks', undefined],
      ['listBlocks', '1 '],
    ]);
  });
});
