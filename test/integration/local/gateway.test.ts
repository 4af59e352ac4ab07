import { connect } from 'node:net';
import { ALLOWED_ORIGIN, answered, startGatewayBench, type GatewayBench } from '../../support/local-gateway.ts';

let bench: GatewayBench;
let jwt: string;
beforeAll(async () => {
  bench = await startGatewayBench();
  jwt = await bench.issuer.accessToken('alice');
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.events.length = 0;
  bench.answer(() => Promise.resolve(answered({ statusCode: 200, body: 'ok' })));
});

function ask(init: RequestInit = {}, path = '/gettoken', base = bench.url): Promise<Response> {
  const headers = { authorization: `Bearer ${jwt}`, ...(init.headers as Record<string, string> | undefined) };
  return fetch(`${base}${path}`, { method: 'POST', ...init, headers });
}

/** What comes back for these bytes, until the other side closes. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const { hostname, port } = new URL(bench.url);
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket
      .on('data', (chunk) => (text += String(chunk)))
      .on('end', () => resolve(text))
      .on('error', reject);
  });
}

it.each([
  ['an unknown path', 'GET', '/nowhere'],
  ['a known path with another method', 'GET', '/gettoken'],
  ['a known path with a slash behind it', 'POST', '/gettoken/'],
  ['OPTIONS that is no preflight', 'OPTIONS', '/gettoken'],
])('%s is 404, never 405', async (_name, method, path) => {
  const response = await ask({ method }, path);
  expect(response.status).toBe(404);
  expect(await response.text()).toBe('{"message":"Not Found"}');
  expect(bench.events).toEqual([]);
});

describe('the event', () => {
  it('is payload format 2.0', async () => {
    await ask(
      {
        headers: { cookie: 'a=1; b=2', 'X-Two': 'v', 'content-type': 'application/json', 'user-agent': 'tester' },
        body: '{"fresh":true}',
      },
      '/gettoken?x=1&x=2&y=a%20b',
    );
    const [event] = bench.events;
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /gettoken',
      rawPath: '/gettoken',
      rawQueryString: 'x=1&x=2&y=a%20b',
      queryStringParameters: { x: '1,2', y: 'a b' },
      cookies: ['a=1', 'b=2'],
      headers: { 'x-two': 'v', authorization: `Bearer ${jwt}`, 'x-forwarded-for': '127.0.0.1' },
      body: '{"fresh":true}',
      isBase64Encoded: false,
      requestContext: {
        stage: '$default',
        routeKey: 'POST /gettoken',
        http: { method: 'POST', path: '/gettoken', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'tester' },
        time: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/) as string,
        timeEpoch: expect.any(Number) as number,
      },
    });
    expect(event?.headers).not.toHaveProperty('cookie');
  });

  it('leaves empty fields out, but not the query string', async () => {
    await ask();
    expect(bench.events[0]).toMatchObject({ rawQueryString: '', isBase64Encoded: false });
    for (const field of ['body', 'cookies', 'queryStringParameters']) expect(bench.events[0]).not.toHaveProperty(field);
  });

  it('joins a repeated header with commas', async () => {
    await raw(
      `POST /gettoken HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${jwt}\r\nx-a: 1\r\nX-A: 2\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
    );
    expect(bench.events[0]?.headers['x-a']).toBe('1,2');
  });

  it.each([
    ['application/json', false],
    ['application/problem+json', false],
    ['text/plain; charset=utf-8', false],
    ['application/x-www-form-urlencoded', true],
    ['application/octet-stream', true],
  ])('has a body of type %s in base64: %s', async (type, base64) => {
    await ask({ headers: { 'content-type': type }, body: 'a=b' });
    expect(bench.events[0]).toMatchObject({ isBase64Encoded: base64, body: base64 ? 'YT1i' : 'a=b' });
  });
});

describe('the answer', () => {
  it.each([
    ['a whole one', { statusCode: 202, headers: { 'X-Mine': 1, 'content-type': 'a/b' }, body: 'x' }, 202, 'x', 'a/b'],
    ['one in base64', { statusCode: 200, body: 'eA==', isBase64Encoded: true }, 200, 'x', 'text/plain;charset=UTF-8'],
    ['one without status code', { a: 1 }, 200, '{"a":1}', 'application/json'],
    ['a string', 'plain', 200, 'plain', 'application/json'],
    ['no headers and no body', { statusCode: 201 }, 201, '', 'text/plain;charset=UTF-8'],
  ])('passes on %s', async (_name, value, status, body, type) => {
    bench.answer(() => Promise.resolve(answered(value)));
    const response = await ask();
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('apigw-requestid')).toMatch(/^[\w-]{10,}$/);
  });

  it('has a header line for each cookie', async () => {
    bench.answer(() => Promise.resolve(answered({ statusCode: 200, cookies: ['a=1', 'b=2'] })));
    expect((await ask()).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it.each([
    ['a status code that is none', { statusCode: 'ok' }],
    ['a status code out of range', { statusCode: 42 }],
    ['headers that are no object', { statusCode: 200, headers: ['a'] }],
    ['a header that is no plain value', { statusCode: 200, headers: { a: {} } }],
    ['a body that is no text', { statusCode: 200, body: { a: 1 } }],
  ])('is 500 for %s', async (_name, value) => {
    bench.answer(() => Promise.resolve(answered(value)));
    const response = await ask();
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('{"message":"Internal Server Error"}');
  });

  it('is 500 for a function that fails, without its reason', async () => {
    const error = { errorType: 'Error', errorMessage: 'inner secret' };
    bench.answer(() => Promise.resolve({ requestId: 'r', coldStart: false, durationMs: 1, status: 'failed', error }));
    const response = await ask();
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('{"message":"Internal Server Error"}');
  });

  it('is 503 where Lambda has no sandbox left', async () => {
    bench.answer(() => Promise.resolve({ requestId: 'r', coldStart: false, durationMs: 0, status: 'throttled' }));
    const response = await ask();
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('{"message":"Service Unavailable"}');
  });

  it('is 503 at the time limit', async () => {
    const slow = await startGatewayBench({ integrationTimeoutMs: 1 });
    slow.answer(() => new Promise(() => undefined));
    const authorization = `Bearer ${await slow.issuer.accessToken('alice')}`;
    const response = await ask({ headers: { authorization } }, '/gettoken', slow.url);
    expect(response.status).toBe(503);
    await slow.close();
  });
});

describe('limits', () => {
  const sized = (bytes: number) => {
    const head = `POST /gettoken HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nx-fill: `;
    return `${head}${'a'.repeat(bytes - head.length - 4)}\r\n\r\n`;
  };

  it('takes request line and headers of 10,240 bytes and refuses one more', async () => {
    expect(await raw(sized(10_240))).toMatch(/^HTTP\/1.1 401 /);
    expect(await raw(sized(10_241))).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(sized(100_000))).toMatch(/^HTTP\/1.1 431 /);
  });

  it('takes a body of 10 MB and refuses one byte more', async () => {
    const limit = 10 * 1024 * 1024;
    const headers = { 'content-type': 'text/plain' };
    expect((await ask({ headers, body: 'a'.repeat(limit) })).status).toBe(200);
    const response = await ask({ headers, body: 'a'.repeat(limit + 1) });
    expect(response.status).toBe(413);
    expect(await response.text()).toBe('{"message":"Request Entity Too Large"}');
    expect(bench.events).toHaveLength(1);
  });

  it('throttles by rate and burst where told to', async () => {
    const clock = { ms: Date.now() };
    const throttled = await startGatewayBench({ throttle: { ratePerSecond: 1, burst: 2 }, now: () => clock.ms });
    const headers = { authorization: `Bearer ${await throttled.issuer.accessToken('alice', { iat: 1, nbf: 1 })}` };
    const status = async () => (await ask({ headers }, '/gettoken', throttled.url)).status;
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
    clock.ms += 1000;
    expect([await status(), await status()]).toEqual([200, 429]);
    await throttled.close();
  });

  it('throttles an open route by itself, so that a flood there takes nothing from the others', async () => {
    const clock = { ms: Date.now() };
    const flooded = await startGatewayBench({ throttle: { ratePerSecond: 1, burst: 1 }, now: () => clock.ms });
    const flood = Promise.all(Array.from({ length: 5 }, () => ask({}, '/anybody', flooded.url)));
    expect((await flood).map(({ status }) => status).sort()).toEqual([200, 200, 429, 429, 429]);
    const headers = { authorization: `Bearer ${await flooded.issuer.accessToken('alice', { iat: 1, nbf: 1 })}` };
    expect((await ask({ headers }, '/gettoken', flooded.url)).status).toBe(200);
    await flooded.close();
  });

  it('refuses a host that is not this machine, as a page that rebinds its name would send it', async () => {
    const answer = await raw(`GET / HTTP/1.1\r\nhost: attacker.example\r\nconnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
  });
});

describe('CORS', () => {
  const preflight = (origin: string) =>
    fetch(`${bench.url}/gettoken`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });

  it('answers a preflight of a listed origin itself', async () => {
    const response = await preflight(ALLOWED_ORIGIN);
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': ALLOWED_ORIGIN,
      'access-control-allow-methods': 'GET,POST',
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-max-age': '3600',
    });
    expect(bench.events).toEqual([]);
  });

  it.each(['http://localhost:5174', 'https://localhost:5173', 'http://LOCALHOST:5173', 'null', 'http://evil.example'])(
    'permits nothing to %s',
    async (origin) => {
      const response = await preflight(origin);
      expect(response.status).toBe(204);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      expect((await ask({ headers: { origin } })).headers.get('access-control-allow-origin')).toBeNull();
    },
  );

  it('is on its own refusals too, and in place of what the function says', async () => {
    const headers = { origin: ALLOWED_ORIGIN };
    const unauthorized = await ask({ headers: { ...headers, authorization: 'Bearer x' } });
    expect(unauthorized.status).toBe(401);
    expect(unauthorized.headers.get('access-control-allow-origin')).toBe(ALLOWED_ORIGIN);
    const own = { 'Access-Control-Allow-Origin': '*', 'access-control-allow-credentials': 'true' };
    bench.answer(() => Promise.resolve(answered({ statusCode: 200, headers: own, body: '' })));
    const response = await ask({ headers });
    expect(response.headers.get('access-control-allow-origin')).toBe(ALLOWED_ORIGIN);
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  });
});
