import { Failure } from '../../../functions/broker/failure.ts';
import { callerOf } from '../../../functions/http/claims.ts';
import { flattenClaims } from '../../../local/gateway/flatten.ts';
import { CLAIMS, httpEvent, jwtOf, type EventOptions } from '../../support/http-event.ts';

const codeOf = (options: EventOptions) => {
  try {
    callerOf(httpEvent(options));
    return 'a caller';
  } catch (error) {
    return error instanceof Failure ? error.code : error;
  }
};

const reasonOf = (options: EventOptions) => {
  try {
    callerOf(httpEvent(options));
    return undefined;
  } catch (error) {
    return error instanceof Failure ? error.reason : error;
  }
};

describe('who calls', () => {
  test('is read typed from the token in the Authorization header', () => {
    const caller = callerOf(httpEvent());
    expect(caller).toMatchObject({
      issuer: CLAIMS.iss,
      subject: CLAIMS.sub,
      expiresAt: CLAIMS.exp * 1000,
      scopes: ['openid', 'broker:token'],
    });
    expect(caller.claims['groups']).toEqual(['analysts']);
  });

  test.each([
    ['two groups', ['viewer', 'admin']],
    ['one group that reads like two', ['viewer] [admin']],
    ['one group with a space', ['viewer admin']],
  ])('keeps %s apart from what looks the same flattened', (_name, groups) => {
    expect(callerOf(httpEvent({ claims: { ...CLAIMS, groups } })).claims['groups']).toEqual(groups);
  });

  test.each([['Bearer '], ['bearer '], ['BEARER  '], ['']])('takes the prefix %p as the gateway does', (prefix) => {
    expect(codeOf({ authorization: `${prefix}${jwtOf(CLAIMS)}` })).toBe('a caller');
  });

  const flat = flattenClaims(CLAIMS);
  const { sub: _sub, ...withoutSub } = CLAIMS;
  test.each<[string, EventOptions, string]>([
    ['no authorizer block', { flattened: null }, 'misconfigured'],
    ['an empty copy of the claims', { flattened: {} }, 'misconfigured'],
    ['no Authorization header', { authorization: null }, 'misconfigured'],
    ['an empty Authorization header', { authorization: '' }, 'misconfigured'],
    ['a token of another kind', { authorization: 'Bearer opaque' }, 'misconfigured'],
    ['an encrypted token of five parts', { authorization: 'Bearer a.b.c.d.e' }, 'misconfigured'],
    ['a payload that is not JSON', { authorization: 'Bearer e30.bm90IGpzb24.c2ln' }, 'misconfigured'],
    ['a payload that is not UTF-8', { authorization: 'Bearer e30._____w.c2ln' }, 'misconfigured'],
    ['a payload that is a list', { authorization: 'Bearer e30.W10.c2ln' }, 'misconfigured'],
    ['another subject in the copy', { flattened: { ...flat, sub: 'user-bob' } }, 'misconfigured'],
    ['another issuer in the copy', { flattened: { ...flat, iss: 'https://evil.example' } }, 'misconfigured'],
    ['another end in the copy', { flattened: { ...flat, exp: '1' } }, 'misconfigured'],
    ['another user name in the copy', { flattened: { ...flat, preferred_username: 'bob' } }, 'misconfigured'],
    ['a claim that the copy lacks', { claims: { ...CLAIMS, email: 'a@b.example' }, flattened: flat }, 'misconfigured'],
    ['no iss', { claims: { ...CLAIMS, iss: undefined } }, 'misconfigured'],
    ['an exp that is text', { claims: { ...CLAIMS, exp: '1800000000' } }, 'misconfigured'],
    ['no subject, which the gateway allows', { claims: withoutSub }, 'not-entitled'],
    ['an empty subject', { claims: { ...CLAIMS, sub: '' } }, 'not-entitled'],
  ])('is refused for %s', (_name, options, code) => {
    expect(codeOf(options)).toBe(code);
  });

  test.each<[EventOptions, string]>([
    [{ flattened: null }, 'the event carries no claims of a JWT authorizer'],
    [{ authorization: null }, 'the Authorization header holds no JWT'],
    [{ authorization: 'opaque' }, 'the Authorization header holds no JWT'],
    [{ authorization: 'a.e30' }, 'the Authorization header holds no JWT'],
    [{ authorization: 'a.e30.c.d' }, 'the Authorization header holds no JWT'],
    [{ authorization: 'Basic bearer a.e30.c' }, 'the token lacks iss or exp'],
    [{ authorization: 'Bearer e30.bm90IGpzb24.c2ln' }, 'the payload of the JWT is not JSON'],
    [
      { authorization: `Bearer e30.${Buffer.from('{"a":"\xff"}', 'latin1').toString('base64url')}.c2ln` },
      'the payload of the JWT is not JSON',
    ],
    [{ authorization: 'Bearer e30.W10.c2ln' }, 'the payload of the JWT is not an object'],
    [{ authorization: 'Bearer e30.bnVsbA.c2ln' }, 'the payload of the JWT is not an object'],
    [{ claims: { ...CLAIMS, iss: undefined } }, 'the token lacks iss or exp'],
    [
      { flattened: { ...flattenClaims(CLAIMS), sub: 'bob', exp: '1' } },
      'claims of the token and of the authorizer differ: sub, exp',
    ],
    [{ claims: { ...CLAIMS, sub: '' } }, 'the token has no sub'],
  ])('that it is refused for %j reaches operators in words', (options, reason) => {
    expect(reasonOf(options)).toBe(reason);
  });

  test('is read from the payload whatever stands before the token: the gateway has verified it', () => {
    expect(reasonOf({ authorization: `xbearer ${jwtOf(CLAIMS)}` })).toBeUndefined();
  });

  test('is refused where an event has no headers, or a copy of claims that is null', () => {
    const { headers: _headers, ...bare } = httpEvent();
    expect(() => callerOf(bare as never)).toThrow(Failure);
    const event = httpEvent();
    const requestContext = { ...event.requestContext, authorizer: { jwt: { claims: null } } };
    expect(() => callerOf({ ...event, requestContext } as never)).toThrow('no claims of a JWT authorizer');
    expect(() => callerOf({ ...event, requestContext: { authorizer: {} } } as never)).toThrow(Failure);
  });

  test('finds no claim that the issuer did not sign', () => {
    const { claims } = callerOf(httpEvent());
    expect(claims['constructor']).toBeUndefined();
    expect(claims['__proto__']).toBeUndefined();
  });

  test('does not let a claim named __proto__ lend others', () => {
    const payload = JSON.stringify(CLAIMS).replace('{', '{"__proto__":{"tenant":"acme"},');
    const authorization = `Bearer e30.${Buffer.from(payload).toString('base64url')}.c2ln`;
    expect(callerOf(httpEvent({ authorization })).claims['tenant']).toBeUndefined();
  });

  test.each([
    [{ scope: 'a  b' }, ['a', 'b']],
    [{ scope: undefined, scp: 'a b' }, ['a', 'b']],
    [{ scope: undefined, scp: ['a', 1, 'b'] }, ['a', 'b']],
    [{ scope: undefined }, []],
    [{ scope: 7 }, []],
    [{ scope: 'a', scp: ['b'] }, ['a']],
  ])('reads the scopes of %j', (scopes, expected) => {
    expect(callerOf(httpEvent({ claims: { ...CLAIMS, ...scopes } })).scopes).toEqual(expected);
  });
});
