import { Failure } from '../../../functions/broker/failure.ts';
import type { Caller } from '../../../functions/broker/ports.ts';
import type { RevokeTally, RevokeTokens } from '../../../functions/broker/use-cases.ts';
import { revoketokenRoute } from '../../../functions/http/revoketoken.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { httpEvent } from '../../support/http-event.ts';
import { schemaAt } from '../../support/openapi.ts';

async function ask(
  body: string | undefined,
  { tally = { revoked: 1, pending: 0 }, scopes = ['token'] }: { tally?: RevokeTally; scopes?: Caller['scopes'] } = {},
) {
  const calls: Parameters<RevokeTokens>[] = [];
  const concealed: string[] = [];
  const revokeTokens: RevokeTokens = async (...call) => {
    calls.push(call);
    return tally;
  };
  const caller: Caller = { issuer: 'i', subject: 's', claims: {}, issuedAt: 0, expiresAt: 0, scopes };
  const answer = await revoketokenRoute(revokeTokens, makeFakeClock()).answer({
    event: httpEvent(body === undefined ? {} : { body }),
    caller,
    deadline: START + 10_000,
    conceal: (secret) => concealed.push(secret),
  });
  return { answer, call: calls[0], concealed };
}

describe('POST /revoketoken', () => {
  const signOut = { kind: 'sign-out' };
  test.each([
    [undefined, { kind: 'mine' }, {}],
    ['{}', { kind: 'mine' }, {}],
    ['{"leaseId":"l"}', { kind: 'lease', leaseId: 'l' }, {}],
    ['{"token":"dG9r"}', { kind: 'token', token: 'dG9r' }, {}],
    ['{"policyVersion":"JEdOaF95Nzys-_Fh"}', { kind: 'policy', policyVersion: 'JEdOaF95Nzys-_Fh' }, {}],
    ['{"rule":"members"}', { kind: 'rule', rule: 'members' }, {}],
    ['{"userName":"alice"}', { kind: 'user', userNames: ['alice'] }, signOut],
    ['{"userName":"alice","orgId":3}', { kind: 'user', userNames: ['alice'], orgId: 3 }, signOut],
    [
      '{"subject":{"issuer":"i","sub":"s"},"endShared":true}',
      { kind: 'user', userNames: [], subjects: [{ issuer: 'i', subject: 's' }] },
      { ...signOut, endShared: true },
    ],
    ['{"orgId":0}', { kind: 'org', orgId: 0 }, signOut],
    ['{"all":true}', { kind: 'all' }, signOut],
    ['{"all":true,"keepSignIn":true}', { kind: 'all' }, {}],
  ])('takes %s', async (body, selection, how) => {
    const { call } = await ask(body);
    expect(call?.[1]).toEqual(selection);
    expect(call?.slice(2)).toEqual([START, START + 10_000, how]);
  });

  test.each([
    ['{"leaseId":"l","token":"t"}', ['leaseId', 'token']],
    ['{"all":true,"orgId":1}', ['orgId', 'all']],
    ['{"rule":"members","policyVersion":"v"}', ['policyVersion', 'rule']],
    ['{"rule":""}', ['rule']],
    ['{"all":false}', ['all']],
    ['{"all":"true"}', ['all']],
    ['{"orgId":"1"}', ['orgId']],
    ['{"orgId":-1}', ['orgId']],
    ['{"leaseId":""}', ['leaseId']],
    ['{"token":5}', ['token']],
    ['{"userName":["alice"]}', ['userName']],
    ['{"userName":"a","subject":{"issuer":"i","sub":"s"}}', ['userName', 'subject']],
    ['{"userName":"a","orgId":1,"all":true}', ['userName', 'orgId', 'all']],
    ['{"subject":"s"}', ['subject']],
    ['{"subject":{"issuer":"i"}}', ['subject.sub']],
    ['{"all":true,"keepSignIn":false}', ['keepSignIn']],
    ['{"user":"alice"}', ['user']],
    ['{"userName":"a\\u0000b"}', ['userName']],
  ])('refuses %s', async (body, fields) => {
    const error: unknown = await ask(body).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Failure);
    if (!(error instanceof Failure)) return;
    expect(error.code).toBe('invalid-request');
    expect(error.errors.map(({ field }) => field)).toEqual(fields);
  });

  test.each([
    [{ revoked: 2, pending: 0 }, 200],
    [{ revoked: 0, pending: 0 }, 200],
    [{ revoked: 1, pending: 3 }, 202],
    [{ revoked: 0, pending: null }, 202],
  ])('answers %j with %d', async (tally, status) => {
    const { answer } = await ask(undefined, { tally });
    expect(answer.statusCode).toBe(status);
    expect(JSON.parse(answer.body ?? '')).toEqual(tally);
    expect(schemaAt('/components/schemas/Revoked')(JSON.parse(answer.body ?? ''))).toBe(true);
  });

  test.each<[Caller['scopes'], boolean]>([
    [['token'], false],
    [['token', 'revoke'], true],
  ])('a caller with %j may revoke for others: %p', async (scopes, expected) => {
    expect((await ask(undefined, { scopes })).call?.[0]).toMatchObject({ mayRevokeOthers: expected });
  });

  test('says of two selections that one is enough', async () => {
    await expect(ask('{"leaseId":"a","orgId":1}')).rejects.toMatchObject({
      errors: ['leaseId', 'orgId'].map((field) => ({ field, detail: 'give at most one field' })),
    });
  });

  test('keeps the token it is given out of every line', async () => {
    expect((await ask('{"token":"dG9r"}')).concealed).toEqual(['dG9r']);
    expect((await ask('{"leaseId":"dG9r"}')).concealed).toStrictEqual([]);
  });
});
