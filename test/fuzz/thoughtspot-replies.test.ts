import { inspect } from 'node:util';
import fc from 'fast-check';
import { Failure } from '../../functions/broker/failure.ts';
import type { Rights } from '../../functions/broker/ports.ts';
import { PROBLEMS } from '../../functions/contract/problems.ts';
import { leaksIn } from '../support/canaries.ts';
import { CANARY, cases, FUZZ_LIMIT_MS, oddText, oddValue, spoiled } from './fuzzing.ts';
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

test(
  'whatever ThoughtSpot replies to a mint, it is minted, not minted or unknown, with a code and without a secret',
  () =>
    fc.assert(
      fc.asyncProperty(
        rights,
        fc.constantFrom('auth-2.0' as const, 'session-v2' as const),
        act,
        async (asked, dialect, replies) => {
          const old = dialect === 'session-v2';
          server.will(...(old ? [reply(200, sessionToken()), replies] : [replies]));
          const rigged = rig(server.url, { dialect, ...(old ? { credential: withPassword() } : {}) });
          try {
            const outcome = await rigged.issuer.mint(
              old ? serviceGrant() : grant({ rights: asked }),
              rigged.by(20_000),
            );
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
      cases(0.08),
    ),
  FUZZ_LIMIT_MS,
);

test(
  'whatever ThoughtSpot replies to a revocation, it is confirmed or not, with a code and without a secret',
  () =>
    fc.assert(
      fc.asyncProperty(act, async (replies) => {
        server.will(replies);
        const rigged = rig(server.url);
        try {
          const result: unknown = await rigged.issuer
            .revoke(TOKEN, 'alice', rigged.by(20_000))
            .catch((thrown: unknown) => thrown);
          if (result instanceof Error && !(result instanceof Failure)) throw result;
          const told = inspect([result, rigged.logged], { depth: 8 });
          expect(leaksIn(told, { canary: CANARY, token: TOKEN, key: SECRET_KEY })).toEqual([]);
        } finally {
          await rigged.issuer.close();
        }
      }),
      cases(0.04),
    ),
  FUZZ_LIMIT_MS,
);
