import { inspect } from 'node:util';
import fc from 'fast-check';
import { Failure } from '../../functions/broker/failure.ts';
import type { Rights } from '../../functions/broker/ports.ts';
import { PROBLEMS } from '../../functions/contract/problems.ts';
import type { DialectName } from '../../functions/thoughtspot/rejection.ts';
import { leaksIn } from '../support/canaries.ts';
import { CANARY, fuzz, oddText, oddValue, spoiled } from './fuzzing.ts';
import {
  custom,
  customToken,
  fullToken,
  grant,
  rig,
  SECRET_KEY,
  serviceGrant,
  sessionToken,
  TOKEN,
  withPassword,
} from '../contract/thoughtspot/rig.ts';
import { cutShort, lose, RawServer, raw, reply, type Act } from '../contract/thoughtspot/raw-server.ts';

const server = new RawServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const status = fc.oneof(
  { weight: 3, arbitrary: fc.constant(200) },
  fc.constantFrom(201, 204, 301, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503, 504, 599),
);
const error = fc.record(
  { error: fc.record({ message: oddValue, code: oddValue }, { requiredKeys: [] }), message: oddValue, code: oddValue },
  { requiredKeys: [] },
);
const answers = fc.constantFrom<object>(fullToken(), customToken(), sessionToken());
const headers = fc.constantFrom<Record<string, string>>(
  {},
  { 'content-type': 'text/html' },
  { 'retry-after': 'tomorrow' },
  { 'retry-after': '99999999999' },
  { location: 'http://169.254.169.254/' },
);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(status, spoiled(answers), headers).map(([code, body, also]) => reply(code, body, also)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(status, fc.oneof(error, oddValue)).map(([code, body]) => reply(code, body ?? null)),
  },
  fc.tuple(status, oddText, headers).map(([code, body, also]) => reply(code, body, also)),
  fc.tuple(status, fc.nat(50)).map(([code, more]) => cutShort(code, '{"token":', 20 + more)),
  oddText.map((text) => raw(text)),
  fc.string({ maxLength: 60 }).map((text) => raw(`HTTP/1.1 200 OK\r\n${text}\r\n\r\n`)),
  fc.constant(lose),
);
const rights: fc.Arbitrary<Rights> = fc.constantFrom<Rights>(
  { kind: 'full' },
  { kind: 'object', objectId: '11111111-aaaa-4bbb-8ccc-000000000001' },
  custom(),
);

fuzz(
  'whatever ThoughtSpot replies to a mint, it is minted, not minted or unknown, with a code and without a secret',
  'replies to a mint',
  (count) =>
    fc.asyncProperty(
      rights,
      fc.constantFrom('auth-2.0' as const, 'session-v2' as const),
      act,
      async (asked, dialect, replies) => {
        const old = dialect === 'session-v2';
        server.will(...(old ? [reply(200, sessionToken()), replies] : [replies]));
        const rigged = rig(server.url, { dialect, ...(old ? { credential: withPassword() } : {}) });
        try {
          const outcome = await rigged.issuer.mint(old ? serviceGrant() : grant({ rights: asked }), rigged.by(20_000));
          count(outcome.outcome);
          if (outcome.outcome === 'minted') {
            expect(typeof outcome.minted.token).toBe('string');
            expect(outcome.minted.token).not.toBe('');
          } else {
            expect(outcome.failure).toBeInstanceOf(Failure);
            expect(Object.keys(PROBLEMS)).toContain(outcome.failure.code);
            const told = inspect([outcome.failure, rigged.logged], { depth: 8 });
            expect(leaksIn(told, { canary: CANARY, token: TOKEN, key: SECRET_KEY })).toEqual([]);
          }
        } finally {
          await rigged.issuer.close();
        }
      },
    ),
);

/** A reply to a revocation, and the dialects in which it says that the token is dead (wire facts 1.4 and 3.8). */
interface Told {
  readonly act: Act;
  readonly confirmsIn: readonly DialectName[];
}
const whole = (code: number, text: string, also: Readonly<Record<string, string>>): Told => ({
  act: reply(code, text, also),
  confirmsIn: [
    ...(code === 204 || (code === 200 && text === '') ? (['auth-2.0'] as const) : []),
    ...(code === 200 && /^[ \t\r\n]*true[ \t\r\n]*$/.test(text) ? (['session-v2'] as const) : []),
  ],
});
const broken = (broke: Act): Told => ({ act: broke, confirmsIn: [] });
const replyText = fc.oneof(
  // What reads like a confirmation, and is one in one dialect at most.
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...['', 'true', ' true\n', '"true"', '1', 'null', '{}', '[true]', '{"success":true}', 'false', 'ok', ' '],
      ...['Token revoked', '{"message":"token could not be revoked"}', '\u00a0true', 'True', 'truetrue'],
    ),
  },
  oddText,
  fc.oneof(error, oddValue).map((value) => JSON.stringify(value ?? null)),
);
const told: fc.Arbitrary<Told> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(status, replyText, headers).map(([code, text, also]) => whole(code, text, also)) },
  // A body that is promised and does not come is not an empty one.
  fc
    .tuple(status, fc.constantFrom('', 'tr', 'true'), fc.nat(50))
    .map(([code, text, more]) =>
      code === 204 ? whole(code, '', {}) : broken(cutShort(code, text, text.length + 1 + more)),
    ),
  oddText.map((text) => broken(raw(text))),
  fc.constant(broken(lose)),
);

fuzz(
  'a revocation counts as done only if the reply of ThoughtSpot says so, and nothing that it says is told',
  'replies to a revocation',
  (count) =>
    fc.asyncProperty(fc.constantFrom<DialectName>('auth-2.0', 'session-v2'), told, async (dialect, replied) => {
      server.will(replied.act);
      const old = dialect === 'session-v2';
      const rigged = rig(server.url, { dialect, ...(old ? { credential: withPassword() } : {}) });
      try {
        const result = await rigged.issuer.revoke(TOKEN, 'alice', rigged.by(20_000));
        count(result.outcome);
        expect(result.outcome === 'dead').toBe(replied.confirmsIn.includes(dialect));
        if (result.outcome === 'retry') expect(Object.keys(PROBLEMS)).toContain(result.failure.code);
        const said = inspect([result, rigged.logged], { depth: 8 });
        expect(leaksIn(said, { canary: CANARY, token: TOKEN, key: SECRET_KEY })).toEqual([]);
      } finally {
        await rigged.issuer.close();
      }
    }),
);
