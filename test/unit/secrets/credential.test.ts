import { inspect } from 'node:util';
import { Failure } from '../../../functions/broker/failure.ts';
import { parseSecret } from '../../../functions/secrets/credential.ts';
import { secretText } from '../../support/secrets-manager.ts';

const KEY = '5d3f0c2a-canary-secret-key';
const faultOf = (text: string) => {
  try {
    parseSecret(text, 'v1');
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  throw new Error('no Failure was thrown');
};

describe('the secret', () => {
  test('holds a key for the cluster, and own ones for organisations', () => {
    const { credential } = parseSecret(
      secretText(KEY, { orgs: { 2: { secretKey: 'org-two' } }, serviceUser: 'svc' }),
      'v1',
    );
    if (credential.kind !== 'secret-key') throw new Error(credential.kind);
    expect([credential.secretKeyFor(0), credential.secretKeyFor(2)]).toEqual([KEY, 'org-two']);
    expect(credential).toMatchObject({ version: 'v1', serviceUser: 'svc' });
  });

  test('or the password of a service account', () => {
    const { credential } = parseSecret(JSON.stringify({ userName: 'svc', password: 'pw-1' }), 'v1');
    if (credential.kind !== 'password') throw new Error(credential.kind);
    expect([credential.userName, credential.password()]).toEqual(['svc', 'pw-1']);
  });

  test.each([
    ['String', (value: unknown) => String(value)],
    ['a template', (value: unknown) => `${value as string}`],
    ['JSON', (value: unknown) => JSON.stringify({ value })],
    ['inspect', (value: unknown) => inspect(value, { showHidden: true, depth: 9 })],
    ['Object.entries', (value: unknown) => JSON.stringify(Object.entries(value as object))],
    ['a copy', (value: unknown) => inspect({ ...(value as object) })],
  ])('does not show itself in %s', (_name, print) => {
    const byKey = parseSecret(secretText(KEY, { orgs: { 2: { secretKey: `${KEY}-2` } } }), 'v1').credential;
    const byPassword = parseSecret(JSON.stringify({ userName: 'svc', password: KEY }), 'v1').credential;
    expect(print(byKey)).not.toContain(KEY);
    expect(print(byPassword)).not.toContain(KEY);
  });

  test.each([
    ['no JSON', `{"secretKey":"${KEY}"`, '$: is not JSON'],
    ['a bare key', KEY, '$: is not JSON'],
    ['a list', `["${KEY}"]`, '$: is not an object'],
    ['nothing', '{}', '$: has neither secretKey nor userName and password'],
    ['an empty key', secretText(''), '$.secretKey: is empty'],
    ['a key with a newline', secretText(`${KEY}\n`), '$.secretKey: has white space at an end or a line break'],
    ['a key that is a number', `{"secretKey":1}`, '$.secretKey: is missing or not a string'],
    [
      'both credentials',
      secretText(KEY, { userName: 'svc', password: KEY }),
      '$: has unknown fields (userName, password)',
    ],
    ['an org without a key', secretText(KEY, { orgs: { 2: {} } }), '$.orgs.2.secretKey: is missing or not a string'],
    ['an org by name', secretText(KEY, { orgs: { acme: { secretKey: KEY } } }), '$.orgs.acme: '],
    ['a key for a name', secretText('other', { [KEY]: 'secretKey' }), '$: has unknown fields ((unprintable))'],
    ['half an account', `{"userName":"svc"}`, '$.password: is missing or not a string'],
  ])('with %s is a misconfiguration that names the path and never the value', (_name, text, expected) => {
    const failure = faultOf(text);
    expect(failure.code).toBe('misconfigured');
    expect(failure.reason).toContain(expected);
    expect(inspect(failure, { depth: 9 })).not.toContain(KEY);
  });

  test('names all faults at once', () => {
    expect(faultOf('{"secretKey":"","serviceUser":""}').reason).toMatch(/secretKey.*serviceUser/);
  });

  test.each([
    ['a key', secretText('a')],
    ['an account', JSON.stringify({ userName: 'a', password: 'p' })],
  ])('may still hold with %s the digest key of before, whatever it is; it is not used', (_name, text) => {
    const old = { ...(JSON.parse(text) as object), digestKey: 'of before' };
    const { sensitive, identity } = parseSecret(text, 'v1');
    expect(parseSecret(JSON.stringify(old), 'v2')).toMatchObject({ sensitive, identity });
  });

  test('is the same credential if only the version differs', () => {
    expect(parseSecret(secretText('a'), 'v1').identity).toBe(parseSecret(secretText('a'), 'v2').identity);
    expect(parseSecret(secretText('a'), 'v1').identity).not.toBe(parseSecret(secretText('b'), 'v1').identity);
  });
});
