import { createServer } from 'node:net';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { documented, TEXT } from './errors.ts';
import { bytes, cutShort, html, ignore, lose, RawServer, reply, slow, type Act } from './raw-server.ts';
import { custom, fullToken, grant, rig, TOKEN } from './rig.ts';

const server = new RawServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const big = 'x'.repeat(300 * 1024);
const NO_TIME_MS = 150;

describe('a mint that left the socket is not sent again, and its outcome', () => {
  test.each<readonly [name: string, act: Act, ms: number, outcome: string, code: string]>([
    ['is unknown when the reply is lost', lose, 60_000, 'unknown', 'upstream-unavailable'],
    ['is unknown when no reply comes in time', ignore, NO_TIME_MS, 'unknown', 'upstream-timeout'],
    [
      'is unknown when the body does not end in time',
      slow(200, '{"token"', 500),
      NO_TIME_MS,
      'unknown',
      'upstream-timeout',
    ],
    [
      'is unknown when the body is cut short',
      cutShort(200, '{"token"', 500),
      60_000,
      'unknown',
      'upstream-unavailable',
    ],
    ['is unknown when the body is over the cap', reply(200, big), 60_000, 'unknown', 'upstream-invalid'],
    ['is certain when a refusal is over the cap', reply(400, big), 60_000, 'not-minted', 'upstream-invalid'],
    ['is certain when a refusal is cut short', cutShort(403, '{', 500), 60_000, 'not-minted', 'upstream-unavailable'],
  ])('%s', async (_name, act, ms, outcome, code) => {
    server.will(act, reply(200, fullToken()));
    const { issuer, by, signals } = rig(server.url);
    expect(await issuer.mint(grant(), by(ms))).toMatchObject({ outcome, failure: { code } });
    expect(server.requests).toHaveLength(1);
    expect(signals).toEqual(['upstream-unavailable']);
    await issuer.close();
  });

  const json = JSON.stringify(fullToken());
  test.each<readonly [string, string | Buffer, string | undefined]>([
    ['gzip, which nobody asked for', gzipSync(json), 'gzip'],
    ['gzip by its old name', gzipSync(json), 'x-gzip'],
    ['deflate', deflateSync(json), 'deflate'],
    ['brotli', brotliCompressSync(json), 'BR'],
    ['two codings', gzipSync(deflateSync(json)), 'deflate, gzip'],
    ['identity', json, 'identity'],
    ['a byte order mark before the JSON', `\ufeff${json}`, undefined],
    ['both', gzipSync(`\ufeff${json}`), 'gzip'],
  ])('a reply in %s is read', async (_name, body, encoding) => {
    server.will(bytes(200, Buffer.from(body), encoding));
    const { issuer, by } = rig(server.url);
    expect(await issuer.mint(grant(), by())).toMatchObject({ outcome: 'minted', minted: { token: TOKEN } });
    await issuer.close();
  });

  test.each<readonly [string, Act, string]>([
    ['is not what it says', bytes(200, Buffer.from(json), 'gzip'), 'upstream-invalid'],
    ['is in a coding that is not known', bytes(200, Buffer.from(json), 'zip'), 'upstream-invalid'],
    ['grows over the cap', bytes(200, gzipSync(' '.repeat(300 * 1024)), 'gzip'), 'upstream-invalid'],
  ])('a mint whose reply %s may have made a token', async (_name, act, code) => {
    server.will(act);
    const { issuer, by } = rig(server.url);
    expect(await issuer.mint(grant(), by())).toMatchObject({ outcome: 'unknown', failure: { code } });
    await issuer.close();
  });

  test('a body of just the cap is read', async () => {
    server.will(reply(200, `${JSON.stringify(fullToken())}${' '.repeat(200 * 1024)}`));
    const { issuer, by } = rig(server.url);
    expect(await issuer.mint(grant(), by())).toMatchObject({ outcome: 'minted' });
    await issuer.close();
  });
});

describe('a mint that did not leave the socket', () => {
  async function deadPort(): Promise<string> {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const address = gone.address();
    gone.close();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  test('is tried three times where the connection is refused, with doubling waits, and is not minted', async () => {
    const { issuer, by, clock, signals } = rig(await deadPort(), { random: 1 });
    const outcome = await issuer.mint(grant(), by());
    expect(outcome).toMatchObject({ outcome: 'not-minted', failure: { code: 'upstream-unavailable' } });
    expect(outcome).toMatchObject({ failure: { reason: expect.stringContaining('ECONNREFUSED') as string } });
    expect(clock.slept).toEqual([200, 400]);
    expect(signals).toEqual(['upstream-unavailable', 'upstream-unavailable', 'upstream-unavailable']);
    await issuer.close();
  });

  test('is tried again even where the mint writes', async () => {
    const { issuer, by, clock } = rig(await deadPort());
    await issuer.mint(grant({ provisioning: { groups: [] } }), by());
    expect(clock.slept).toHaveLength(2);
    await issuer.close();
  });

  test('is not sent when the deadline has passed', async () => {
    server.will(reply(200, fullToken()));
    const { issuer, by } = rig(server.url);
    expect(await issuer.mint(grant(), by(-1))).toMatchObject({
      outcome: 'not-minted',
      failure: { code: 'upstream-timeout' },
    });
    expect(server.requests).toHaveLength(0);
    await issuer.close();
  });

  test('and timed out while waiting for a connection is never sent later', async () => {
    // Takes the connections of the pool, all of them, so that one more has to wait.
    server.will(ignore);
    const { issuer, by } = rig(server.url);
    const busy = Array.from({ length: 16 }, () => issuer.sessionInfo(TOKEN, by(1_500)).catch(() => undefined));
    const waiting = await issuer.mint(grant(), by(NO_TIME_MS));
    expect(waiting).toMatchObject({ outcome: 'not-minted', failure: { code: 'upstream-timeout' } });
    while (server.requests.length < busy.length) await nextTurn();
    server.will(reply(200, {}));
    await Promise.all(busy);
    // The connections are free again: what was given up must not go out on one of them.
    await issuer.sessionInfo(TOKEN, by()).catch(() => undefined);
    expect(server.requests.map(({ path }) => path)).toEqual(['/api/rest/2.0/auth/session/user']);
    await issuer.close();
  });
});

describe('a mint that was turned away', () => {
  const minted = reply(200, fullToken());
  const notHandled = reply(503, documented(10038, TEXT.fault));
  const waits = async (acts: Act[], changes = {}, ms = 5_000): Promise<readonly [string, number[], number]> => {
    server.will(...acts);
    const { issuer, by, clock } = rig(server.url, { random: 0 });
    const { outcome } = await issuer.mint(grant(changes), by(ms));
    await issuer.close();
    return [outcome, clock.slept, server.requests.length];
  };

  test.each<readonly [name: string, acts: Act[], changes: object, outcome: string, slept: number[], sent: number]>([
    ['429: waits of its own', [reply(429, ''), minted], {}, 'minted', [100], 2],
    ['429 with Retry-After', [reply(429, '', { 'retry-after': '2' }), minted], {}, 'minted', [2_100], 2],
    [
      '429 with Retry-After past the deadline',
      [reply(429, '', { 'retry-after': '9' }), minted],
      {},
      'not-minted',
      [],
      1,
    ],
    ['429 three times', [reply(429, '')], {}, 'not-minted', [100, 200], 3],
    ['429, though the mint writes', [reply(429, ''), minted], { provisioning: { groups: [] } }, 'minted', [100], 2],
    ['503 in an error shape', [notHandled, minted], {}, 'minted', [100], 2],
    ['503 with a maintenance page', [html(503, 'Site Maintenance'), minted], {}, 'minted', [100], 2],
    ['503 with Retry-After', [reply(503, '', { 'retry-after': '1' }), minted], {}, 'minted', [1_100], 2],
    ['503, and the mint provisions', [notHandled, minted], { provisioning: { groups: [] } }, 'not-minted', [], 1],
    [
      '503, and the mint persists',
      [notHandled, minted],
      { rights: custom({ persist: 'REPLACE' }) },
      'not-minted',
      [],
      1,
    ],
    ['503 that does not say who speaks', [reply(503, ''), minted], {}, 'unknown', [], 1],
    ['500', [reply(500, documented(10038, TEXT.fault)), minted], {}, 'not-minted', [], 1],
    ['502', [reply(502, ''), minted], {}, 'unknown', [], 1],
  ])('%s', async (_name, acts, changes, outcome, slept, sent) => {
    expect(await waits(acts, changes)).toEqual([outcome, slept, sent]);
  });

  test('says how long ThoughtSpot asked to wait, in seconds or as a date', async () => {
    server.will(reply(429, '', { 'retry-after': '40' }));
    const { issuer, by, signals } = rig(server.url);
    expect(await issuer.mint(grant(), by())).toMatchObject({
      failure: { code: 'upstream-busy', retryAfterMs: 40_000 },
    });
    server.will(reply(429, '', { 'retry-after': new Date(Date.now() + 90_000).toUTCString() }));
    const outcome = await issuer.mint(grant(), by());
    const waited = outcome.outcome === 'minted' ? 0 : (outcome.failure.retryAfterMs ?? 0);
    expect(waited).toBeGreaterThan(60_000);
    expect(waited).toBeLessThanOrEqual(90_000);
    expect(signals).toEqual(['upstream-busy', 'upstream-busy']);
    await issuer.close();
  });
});

describe('connections', () => {
  test('are kept between calls', async () => {
    server.will(reply(200, fullToken()));
    const { issuer, by } = rig(server.url);
    const before = server.connections;
    await issuer.mint(grant(), by());
    // undici hands a connection out again a turn of the event loop later, lest the other side closes it after all.
    await nextTurn();
    await nextTurn();
    await issuer.mint(grant(), by());
    expect(server.connections - before).toBe(1);
    await issuer.close();
  });

  test('are not used again after a time that other sides may have closed them in', async () => {
    server.will(reply(200, fullToken()));
    const { issuer, by, clock } = rig(server.url);
    const before = server.connections;
    await issuer.mint(grant(), by());
    await nextTurn();
    await nextTurn();
    await clock.sleep(4_001);
    await issuer.mint(grant(), by());
    expect(server.connections - before).toBe(2);
    await issuer.close();
  });

  test('are opened ahead by warm, without a request, and the first call takes that one', async () => {
    server.will(reply(200, fullToken()));
    const { issuer, by } = rig(server.url);
    const before = server.connections;
    await issuer.warm();
    expect(server.requests).toHaveLength(0);
    expect(await issuer.mint(grant(), by())).toMatchObject({ outcome: 'minted' });
    expect(server.connections - before).toBe(1);
    await issuer.close();
  });

  test('that cannot be opened ahead are no failure', async () => {
    const { issuer } = rig('http://127.0.0.1:1');
    await expect(issuer.warm()).resolves.toBeUndefined();
    await issuer.close();
  });
});
