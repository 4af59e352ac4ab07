import * as fc from 'fast-check';
import { makeKnownSecrets } from '../../../functions/telemetry/known-secrets.ts';
import { makeRedact } from '../../../functions/telemetry/redact.ts';

const redact = makeRedact(makeKnownSecrets());
const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ';
const TOKEN = Buffer.from('alice:JHNoaXJvMSRTSEEtMjU2JDUwMDAwMCRzYWx0JGhhc2g=').toString('base64').padEnd(176, 'Q');

describe('what nobody registered', () => {
  test.each([
    ['a JWT', JWT],
    ['a JWT in a sentence', `verify(${JWT}) failed`],
    ['a JWT that was cut off', JWT.slice(0, 45)],
    ['a bearer', 'Authorization: Bearer c2VjcmV0LXRva2Vu'],
    ['basic credentials', 'Basic c2VjcmV0LXRva2Vu'],
    ['a body in JSON', '{"secret_key":"c2VjcmV0LXRva2Vu","username":"alice"}'],
    ['a body in JSON in JSON', JSON.stringify('{"secretKey":"c2VjcmV0LXRva2Vu"}')],
    ['a form', 'username=alice&password=c2VjcmV0LXRva2Vu&x=1'],
    ['a query', 'https://host/path?token=c2VjcmV0LXRva2Vu'],
    ['a token of ThoughtSpot', `got ${TOKEN}`],
  ])('%s is hidden in a text', (_name, text) => {
    for (const form of [text, { note: text }, [text], new Error(text), new Map([['note', text]]), { [text]: 1 }]) {
      const printed = JSON.stringify(redact(form));
      expect(printed).not.toMatch(/c2VjcmV0LXRva2Vu|c2lnbmF0|eyJzdWIi|YWxpY2U6/);
    }
  });

  test.each([
    'gettoken: no answer',
    'revoketoken: ThoughtSpot refused',
    'getToken: timeout',
    'token: not accepted',
    'the password: is missing',
    'basic authentication failed, a bearer token is needed',
    'sessioninfo: token: expired',
    'the token: revoked by alice',
    'authorization: missing, cookie: absent',
    'Bearer error="invalid_token"',
    'bearer expired, basic auth is off',
  ])('the words of "%s" stay', (sentence) => {
    expect(redact(sentence)).toBe(sentence);
  });

  test.each([
    'token: notaword',
    'token=no',
    'refreshToken: abc',
    'password:no1',
    '"token":"the"',
    'Bearer tokenish',
    'token=expired',
    'token: expired7',
    '"password":"wrong"',
  ])('what looks like a value in "%s" does not', (text) => {
    expect(redact(text)).toMatch(/\[redacted\]/);
    expect(redact(text)).not.toMatch(/notaword|=no$|abc|no1|"the"|ish|=expired|expired7|"wrong"/);
  });

  test.each([
    ['token'],
    ['authToken'],
    ['access_token'],
    ['secretKey'],
    ['secret_key'],
    ['password'],
    ['Authorization'],
    ['set-cookie'],
    ['SecretString'],
    ['digestKey'],
    ['Plaintext'],
    ['credentials'],
  ])('the value of a field named %s is hidden whatever it is', (name) => {
    for (const value of ['short', 12345, ['a', 'short'], { deep: 'short' }]) {
      expect(redact({ [name]: value })).toEqual({ [name]: '[redacted]' });
    }
  });

  test('what an operator needs stays readable', () => {
    const fields = {
      route: '/gettoken',
      requestId: '4f1c0d5e-0000-4000-8000-000000000001',
      leaseId: 'x'.repeat(120),
      tokenDigest: 'y'.repeat(43),
      tokenType: 'Bearer',
      code: 'upstream-timeout',
      tokens: 3,
      retry: true,
      nothing: null,
    };
    expect(redact(fields)).toEqual({ ...fields, tokens: '[redacted]' });
  });
});

describe('what is printed', () => {
  test('shows an error with its causes, codes and members', () => {
    const cause = Object.assign(new TypeError('socket closed'), { code: 'ECONNRESET' });
    const error = new AggregateError([new Error('one')], 'all failed', { cause });
    expect(redact({ error })).toMatchObject({
      error: {
        name: 'AggregateError',
        message: 'all failed',
        stack: expect.stringContaining('redact.test') as string,
        cause: { name: 'TypeError', message: 'socket closed', code: 'ECONNRESET' },
        errors: [{ message: 'one' }],
      },
    });
  });

  test('is bounded in depth, breadth and length', () => {
    let deep: object = {};
    for (let level = 0; level < 100; level += 1) deep = { deep };
    const wide = Array.from({ length: 100 }, () =>
      Array.from({ length: 100 }, () => ({ a: { b: 'x'.repeat(10_000) } })),
    );
    expect(JSON.stringify(redact(deep)).length).toBeLessThan(200);
    expect(JSON.stringify(redact(wide)).length).toBeLessThan(3_000_000);
    expect(redact('x '.repeat(20_000))).toBe('[text of 40000 characters]');
    expect(String(redact('x '.repeat(10_000)))).toHaveLength(4_096 + 3);
  });

  test('survives cycles, getters that throw, bytes, and things that are no data', () => {
    const cyclic: Record<string, unknown> = { name: 'x' };
    cyclic['self'] = cyclic;
    expect(redact(cyclic)).toEqual({ name: 'x', self: '[circular]' });
    const trap = Object.defineProperty({}, 'trap', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(redact({ trap })).toBe('[unreadable]');
    expect(
      redact({ bytes: Buffer.from('secret'), date: new Date(0), big: 1n, run: () => 1, sign: Symbol('x') }),
    ).toEqual({
      bytes: '[6 bytes]',
      date: '1970-01-01T00:00:00.000Z',
      big: '1',
      run: '[function]',
      sign: '[symbol]',
    });
  });
});

// A canary is what no pattern knows: only that it was registered keeps it out.
const canary = fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme' }).filter((text) => text.trim().length >= 8);
const forms = (secret: string): readonly string[] => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret.toWellFormed()),
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('base64url'),
];
const disguised = fc.record({
  before: fc.string({ maxLength: 5 }),
  after: fc.string({ maxLength: 5 }),
  form: fc.nat(7),
});
const hideIn = (secret: string, { before, after, form }: { before: string; after: string; form: number }): string => {
  const around = `${before}${secret}${after}`;
  const all = [
    ...forms(secret).map((text) => `${before}${text}${after}`),
    btoa(encodeLatin(around)),
    encodeURIComponent(around.toWellFormed()),
  ];
  return all[form % all.length] ?? secret;
};
const encodeLatin = (text: string) => Buffer.from(text).toString('latin1');
const place = (text: string) =>
  fc.constantFrom<unknown>(
    text,
    { note: text },
    { [text]: 'key' },
    [[text]],
    { a: { b: { c: [text] } } },
    new Error(text),
    new Error('outer', { cause: new Error('inner', { cause: { note: text } }) }),
    new Error('outer', { cause: { note: text } }),
    new Error('outer', { cause: text }),
    Object.assign(new Error('x'), { response: { body: text } }),
    new AggregateError([new Error(text)]),
    new Map([['k', text]]),
    new Set([text]),
    { toJSON: () => ({ text }) },
    new URL(`https://host.example/?q=${encodeURIComponent(text.toWellFormed())}`),
  );

test('a registered secret never gets out: raw, escaped, URL-encoded or in base64, wherever it lies', () => {
  const cases = canary.chain((secret) =>
    disguised.chain((disguise) => place(hideIn(secret, disguise)).map((value) => ({ secret, value }))),
  );
  fc.assert(
    fc.property(cases, ({ secret, value }) => {
      const known = makeKnownSecrets();
      known.conceal(secret);
      const printed = JSON.stringify(makeRedact(known)(value)) ?? '';
      const inner = innermost(secret);
      for (const form of [...forms(secret), ...inner]) {
        expect(printed.includes(form)).toBe(false);
        expect(printed.includes(JSON.stringify(form).slice(1, -1))).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
});

/** What is left of a secret's base64 when other bytes stand around it, at each of the three alignments. */
function innermost(secret: string): readonly string[] {
  return [0, 1, 2].map((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset, 1), Buffer.from(secret), Buffer.alloc(3, 1)]);
    const whole = bytes.toString('base64');
    return whole.slice(Math.ceil((offset * 4) / 3), Math.floor(((offset + Buffer.from(secret).length) * 4) / 3));
  });
}

describe('registered secrets', () => {
  test('of one invocation are forgotten at its end, those of the sandbox are not', () => {
    const known = makeKnownSecrets();
    known.conceal('credential-1', { keep: true });
    known.conceal('token-of-alice');
    known.forget();
    expect(known.hide('credential-1 token-of-alice')).toBe('[redacted] token-of-alice');
  });

  test('are bounded in number, and the newest are kept', () => {
    const known = makeKnownSecrets(2);
    for (const secret of ['secret-1', 'secret-2', 'secret-3']) known.conceal(secret);
    expect(known.hide('secret-1 secret-2 secret-3')).toBe('secret-1 [redacted] [redacted]');
  });

  test('that are short would hide half of every text, so they are not taken', () => {
    const known = makeKnownSecrets();
    known.conceal('a');
    expect(known.hide('a banana')).toBe('a banana');
  });
});
