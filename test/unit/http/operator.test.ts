import type { Lease } from '../../../functions/broker/lease.ts';
import type { Caller, TokenLedger } from '../../../functions/broker/ports.ts';
import type { ListLeases } from '../../../functions/broker/use-cases.ts';
import { leasesRoute } from '../../../functions/http/operator.ts';
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

async function ask(query: Record<string, string>) {
  const calls: Parameters<ListLeases>[] = [];
  const asked: Parameters<TokenLedger['usersUnusedSince']>[] = [];
  const listLeases: ListLeases = async (...call) => {
    calls.push(call);
    return { leases: [lease], next: 'more' };
  };
  const caller: Caller = { issuer: 'i', subject: 's', claims: {}, expiresAt: 0, scopes: ['revoke'] };
  const users: TokenLedger['usersUnusedSince'] = async (...call) => {
    asked.push(call);
    return { users: [{ userName: 'ann~abcdefghijklmnop', orgId: 1, until: 5 }], next: 'more' };
  };
  const answer = await leasesRoute({ listLeases, ledger: { usersUnusedSince: users } }).answer({
    event: httpEvent({ query }),
    caller,
    deadline: 9,
    conceal: () => {},
  });
  return { body: JSON.parse(answer.body ?? '') as { leases: object[] }, call: calls[0], asked: asked[0] };
}

describe('GET /leases', () => {
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

  test('is for operators', () => {
    const ledger = { usersUnusedSince: async () => ({ users: [] }) };
    expect(leasesRoute({ listLeases: async () => ({ leases: [lease] }), ledger }).scope).toBe('revoke');
  });
});
