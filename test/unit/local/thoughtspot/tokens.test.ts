import { NO_ENTITLEMENTS } from '../../../../local/thoughtspot/entitlements.ts';
import { digestOf, Tokens, type TokenGrant } from '../../../../local/thoughtspot/tokens.ts';

const grant = (user = 'alice'): TokenGrant => ({
  user,
  org: 1,
  kind: 'full',
  issuedAt: 1000,
  expiresAt: 2000,
  objectId: null,
  own: NO_ENTITLEMENTS,
  entitlements: NO_ENTITLEMENTS,
  mintedWith: null,
  parent: null,
});

test.each(['a', 'alice', 'a-very-long-user-name@with-a-very-long-domain.example.com', 'zoë', 'u'.repeat(200)])(
  'the basic form for %s is base64 with each of + / = and the name in clear',
  (user) => {
    for (let round = 0; round < 50; round += 1) {
      const { text } = new Tokens().issue(grant(user), 'basic');
      expect(text).toMatch(/^[A-Za-z0-9+/]+=+$/);
      expect(text).toContain('+');
      expect(text).toContain('/');
      expect(Buffer.from(text, 'base64').toString('utf8').startsWith(`${user}:$shiro1$`)).toBe(true);
    }
  },
);

test('the jwt form has three parts that are URL-safe', () => {
  expect(new Tokens().issue(grant(), 'jwt').text).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
});

test('mixed takes turns', () => {
  const tokens = new Tokens();
  const forms = [1, 2, 3, 4].map(() => tokens.issue(grant(), 'mixed').text.startsWith('eyJ'));
  expect(forms).toEqual([false, true, false, true]);
});

test('a token is alive before its expiry and until it is revoked', () => {
  const tokens = new Tokens();
  const token = tokens.issue(grant(), 'basic');
  expect([tokens.isAlive(token, 1999), tokens.isAlive(token, 2000)]).toEqual([true, false]);
  tokens.revoke(token, 1500);
  expect([tokens.isAlive(token, 1499), tokens.isAlive(token, 1500)]).toEqual([true, false]);
});

test('a second revoke neither counts nor moves the first', () => {
  const tokens = new Tokens();
  const token = tokens.issue(grant(), 'basic');
  tokens.revoke(token, 1500);
  tokens.revoke(token, 1900);
  expect([token.revokedAt, tokens.counts()]).toEqual([1500, { issued: 1, revoked: 1 }]);
});

test('a digest is SHA-256 in hex', () => {
  expect(digestOf('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
