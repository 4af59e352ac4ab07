import fc from 'fast-check';
import { readErrorBody } from '../../../functions/thoughtspot/rejection.ts';
import { rejectionOf } from '../../../functions/thoughtspot/rejection.ts';
import type { Reply } from '../../../functions/thoughtspot/transport.ts';
import { PROBLEMS } from '../../../functions/contract/problems.ts';

const reply = (body: string, status = 400, headers: Record<string, string> = {}): Reply => ({ status, headers, body });
const read = (value: unknown) => readErrorBody(reply(JSON.stringify(value)));

describe('a body is recognised as an answer of ThoughtSpot', () => {
  const guid = '540d4ae0-6bd8-4c2b-a3a1-5b1a3f0d7c11';
  test.each<readonly [string, unknown]>([
    ['documented', { error: { message: { code: 10002, incident_id_guid: guid, debug: 'text' } } }],
    ['live', { error: { message: { debug: { code: 10002, debug: '["text",""]' } } } }],
    ['live without the outer error', { message: { debug: { code: 10002, debug: '["text"]' } } }],
    ['error.message as text', { error: { message: 'text' } }],
    ['error.message.debug as text', { error: { message: { debug: 'text' } } }],
    ['wrapped in a JSON string', { error: { message: JSON.stringify({ code: 10002, debug: 'text' }) } }],
  ])('%s', (_shape, body) => {
    expect(read(body)).toMatchObject({ recognised: true, text: expect.stringContaining('text') as string });
  });

  test.each<readonly [string, unknown]>([
    ['what API gateways say', { message: 'Service Unavailable' }],
    ['what proxies say', { error: 'Bad Gateway', code: 502 }],
    ['a code alone', { code: 10002 }],
    ['an empty message', { error: { message: '' } }],
    ['a list', [{ error: 'x' }]],
    ['text', 'text'],
    ['null', null],
  ])('but not %s', (_shape, body) => {
    expect(read(body).recognised).toBe(false);
  });

  test('the incident is kept only where it is a guid', () => {
    expect(read({ error: { message: { code: 1, incident_id_guid: guid } } }).incident).toBe(guid);
    expect(read({ error: { message: { code: 1, incident_id_guid: 'alice' } } })).not.toHaveProperty('incident');
  });
});

test('whatever comes, reading it does not throw and its text is bounded', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), fc.integer({ min: 200, max: 599 }), (body, status) => {
      const seen = readErrorBody(reply(body, status));
      expect(seen.text.length).toBeLessThanOrEqual(4_000);
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (body) => void readErrorBody(reply(body))));
});

test('whatever comes, it becomes one of our codes, and nothing that was read is in the failure', () => {
  const canary = 'canary-0xC0FFEE';
  const spoiled = fc.json({ maxDepth: 6 }).map((body) => body.replace(/"[^"\\]*"/g, JSON.stringify(canary)));
  const status = fc.integer({ min: 200, max: 599 });
  const dialect = fc.constantFrom('auth-2.0' as const, 'session-v2' as const);
  fc.assert(
    fc.property(fc.oneof(spoiled, fc.constant(canary)), status, dialect, (body, code, name) => {
      const { failure, certain } = rejectionOf(reply(body, code, { 'retry-after': canary }), 'POST /x', name, 0);
      expect(Object.keys(PROBLEMS)).toContain(failure.code);
      expect(`${failure.message} ${failure.stack ?? ''}`).not.toContain(canary);
      if (code >= 400 && code < 500) expect(certain).toBe(true);
    }),
  );
});

test('a body that is nested or wide beyond reason is given up on, not followed', () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  let layers = JSON.stringify({ code: 10002, debug: 'innermost' });
  for (let depth = 0; depth < 14; depth += 1) layers = JSON.stringify([layers]);
  const wide = JSON.stringify({
    error: { message: 'text', more: Array.from({ length: 50_000 }, () => 'user not found') },
  });
  expect(readErrorBody(reply(deep)).recognised).toBe(false);
  expect(readErrorBody(reply(layers)).text).toBe('');
  expect(readErrorBody(reply(wide)).text.length).toBe(4_000);
});
