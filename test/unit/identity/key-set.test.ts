import { generateKeyPairSync } from 'node:crypto';
import { makeKeySet } from '../../../functions/identity/key-set.ts';
import { makeFakeClock } from '../../support/fake-clock.ts';
import { DISCOVERY, ISSUER_URL, JWKS_URI, makeKeyServer } from '../../support/key-server.ts';
import { makeSigningKeys } from '../../support/signing.ts';
import { recordTelemetry } from '../../support/telemetry-record.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const [k1, k2] = [makeSigningKeys('k1'), makeSigningKeys('k2')];
const SETTINGS = { url: ISSUER_URL, audiences: [], scopes: { token: 't', revoke: 'r' }, algorithms: [] };

function keySet(settings: object = { jwksUri: JWKS_URI }) {
  const record = recordTelemetry();
  const clock = makeFakeClock();
  const server = makeKeyServer(k1);
  const set = makeKeySet({ ...SETTINGS, ...settings }, { ...record.telemetry, clock, readJson: server.readJson });
  /** The id of the key that was found, or why there is none. */
  const find = (kid: string) =>
    set.find(kid).then(
      ({ jwk }) => jwk.kid,
      (error: { code: string }) => error.code,
    );
  /** What the log says about why no keys could be read. */
  const said = () =>
    record.lines.map(({ level, message, fields }) => {
      expect([level, message, fields['issuer']]).toEqual([
        'warn',
        "the issuer's keys cannot be read",
        { ...SETTINGS, ...settings }.url,
      ]);
      return fields['error'] instanceof Error ? fields['error'].message : '';
    });
  return { ...record, set, clock, server, find, said };
}

describe('the keys of an issuer', () => {
  test('are read in advance, once, and then by nobody who asks', async () => {
    const { set, find, server } = keySet();
    expect((await Promise.all([set.warm(), set.warm(), find('k1')]))[2]).toBe('k1');
    for (let token = 0; token < 20; token += 1) expect(await find('k1')).toBe('k1');
    expect(server.reads).toEqual([JWKS_URI]);
  });

  test('are where its discovery document says, if the environment does not', async () => {
    const { find, server } = keySet({});
    expect(await find('k1')).toBe('k1');
    expect(server.reads).toEqual([DISCOVERY, JWKS_URI]);
  });

  test.each([
    ['of another issuer', { issuer: 'https://evil.example/', jwks_uri: JWKS_URI }],
    ['of the same issuer with a slash', { issuer: `${ISSUER_URL}/`, jwks_uri: JWKS_URI }],
    ['without an address', { issuer: ISSUER_URL }],
    [
      'with an address within the sandbox, such as that of the Runtime API',
      { issuer: ISSUER_URL, jwks_uri: 'http://127.0.0.1:9001/2018-06-01/runtime/invocation/next' },
    ],
    ['with a list of addresses', { issuer: ISSUER_URL, jwks_uri: [JWKS_URI] }],
    ['with an address that is none', { issuer: ISSUER_URL, jwks_uri: '/keys' }],
    ['with an address that is not secure', { issuer: ISSUER_URL, jwks_uri: 'http://issuer.example/keys' }],
    ['that is no document', null],
  ])('are not looked for by a discovery document %s', async (_name, document) => {
    const { find, server, said } = keySet({});
    server.answers.set(DISCOVERY, document);
    expect(await find('k1')).toBe('issuer-unavailable');
    expect(server.reads).toEqual([DISCOVERY]);
    expect(said()).toEqual(['the discovery document is of another issuer, or names no jwks_uri']);
  });

  test('are not looked for over http by an issuer on this machine, but on this machine', async () => {
    const url = 'http://localhost:9000';
    const { find, server, said } = keySet({ url });
    server.answers.set(`${url}/.well-known/openid-configuration`, {
      issuer: url,
      jwks_uri: 'http://issuer.example/keys',
    });
    expect(await find('k1')).toBe('issuer-unavailable');
    expect(said()).toEqual(['an address of the issuer is no https URL']);
  });

  test('are read again after an hour, so that a key that was withdrawn counts no more', async () => {
    const { find, server, clock } = keySet();
    await find('k1');
    server.keys = [k2];
    await clock.advance(HOUR - 1);
    expect([await find('k1'), server.reads.length]).toEqual(['k1', 1]);
    await clock.advance(1);
    expect([await find('k1'), await find('k2'), server.reads.length]).toEqual(['invalid-token', 'k2', 2]);
  });

  test('of one id are the ones that the issuer has now', async () => {
    const { set, server, clock } = keySet();
    const before = await set.find('k1');
    server.keys = [makeSigningKeys('k1')];
    await clock.advance(HOUR);
    expect((await set.find('k1')).key.equals(before.key)).toBe(false);
  });

  test('count for two hours at most while the issuer is down, then nobody can tell who calls', async () => {
    const { find, server, clock, counted } = keySet();
    await find('k1');
    server.down = true;
    await clock.advance(2 * HOUR - 1);
    expect(await find('k1')).toBe('k1');
    await clock.advance(1);
    expect(await find('k1')).toBe('issuer-unavailable');
    expect(counted('issuer-unavailable')).toBe(1);
    server.down = false;
    await clock.advance(10_000);
    expect(await find('k1')).toBe('k1');
  });

  test('that were never read are not asked for more than once per cool-down, and are there again afterwards', async () => {
    const { find, server, clock } = keySet();
    server.down = true;
    for (let token = 0; token < 50; token += 1) expect(await find('k1')).toBe('issuer-unavailable');
    expect(server.reads).toHaveLength(1);
    server.down = false;
    await clock.advance(10_000);
    expect(await find('k1')).toBe('k1');
  });

  test('may have a new one, which is found by the first token that names it', async () => {
    const { find, server, clock } = keySet();
    await find('k1');
    server.keys = [k1, k2];
    await clock.advance(10_000);
    expect([await find('k2'), server.reads.length]).toEqual(['k2', 2]);
  });

  test('are read once per cool-down, however many tokens name keys that nobody has', async () => {
    const { find, server, clock } = keySet();
    await find('k1');
    for (let second = 0; second < 60; second += 1) {
      const flood = await Promise.all(Array.from({ length: 50 }, (_, at) => find(`unknown-${second}-${at}`)));
      expect(new Set(flood)).toEqual(new Set(['invalid-token']));
      expect(await find('k1')).toBe('k1');
      await clock.advance(1_000);
    }
    expect(server.reads).toHaveLength(6);
  });

  test('that cannot be read leave open whether an unknown one is theirs', async () => {
    const { find, server, clock } = keySet();
    await find('k1');
    server.down = true;
    await clock.advance(10_000);
    expect([await find('k2'), await find('k1')]).toEqual(['issuer-unavailable', 'k1']);
  });

  test.each<[string, object]>([
    ['nothing of their use', { use: undefined }],
    ['that they verify', { key_ops: ['verify'] }],
  ])('may say %s', async (_name, said) => {
    const { find, server } = keySet();
    server.answers.set(JWKS_URI, { keys: [{ ...k1.jwk, ...said }] });
    expect(await find('k1')).toBe('k1');
  });

  test.each([
    ['no document', null],
    ['no set', {}],
    ['a set that is none', { keys: {} }],
  ])('are not those of an answer with %s, and those that are known stay', async (_name, answer) => {
    const { set, find, server, clock, said } = keySet();
    await find('k1');
    server.answers.set(JWKS_URI, answer);
    await clock.advance(HOUR);
    expect([await find('k1'), await find('k2')]).toEqual(['k1', 'issuer-unavailable']);
    expect(said()).toEqual(['the issuer answered with no key set']);
    await expect(set.find('k2')).rejects.toThrow("issuer-unavailable: the issuer's keys cannot be read");
  });

  test('are those of the set that can verify a signature; the others are passed over', async () => {
    const { find, server } = keySet();
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
    const odd = [
      null,
      'x',
      { kty: 'RSA' },
      { ...k2.jwk, kid: undefined },
      { ...k2.jwk, kid: 'encrypts', use: 'enc' },
      { ...k2.jwk, kid: 'broken', n: '?' },
      { ...k2.jwk, kid: 'a-list', alg: ['RS256'] },
      { ...makeSigningKeys('short', 1024).jwk },
      { kty: 'oct', kid: 'secret', k: 'c2VjcmV0' },
      { ...k2.jwk, kid: 'wraps', key_ops: ['wrapKey', 'encrypt'] },
      { ...rsa.export({ format: 'jwk' }), kid: 'everybody-has-it' },
      { ...ec, kid: 'ec' },
    ];
    server.answers.set(JWKS_URI, { keys: [...odd, k1.jwk] });
    const ids = ['encrypts', 'broken', 'a-list', 'short', 'secret', 'wraps', 'everybody-has-it', 'ec', ''];
    expect(await find('k1')).toBe('k1');
    for (const kid of ids) expect([kid, await find(kid)]).toEqual([kid, 'invalid-token']);
  });
});
