import { formatReport } from './report.ts';
import { fingerprintOf, FAULT_NAMES, planOf } from './plan.ts';
import { runChaos } from './run.ts';
import { leaksAmong } from '../support/canaries.ts';

const SHORT = { durationMs: 16_000, simulatedMs: 600_000, users: 12, requestsPerSecond: 8 };

test('a seed gives one plan, with every kind of fault in it', () => {
  const plan = planOf({ seed: 7, ...SHORT });
  expect(fingerprintOf(planOf({ seed: 7, ...SHORT }))).toBe(fingerprintOf(plan));
  expect(fingerprintOf(planOf({ seed: 8, ...SHORT }))).not.toBe(fingerprintOf(plan));
  const long = planOf({ ...SHORT, seed: 7, durationMs: 60_000 });
  expect(new Set(long.faults.map(({ name }) => name))).toEqual(new Set(FAULT_NAMES));
});

test('time passes as much as was asked for', () => {
  const { passages } = planOf({ seed: 7, ...SHORT, durationMs: 300_000, simulatedMs: 3_600_000 });
  expect(passages).toHaveLength(30);
  expect(passages.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(3_300_000, -2);
});

test.each(['raw', 'base64'] as const)('a secret that was printed %s is found', (form) => {
  const secret = 'abcdefghijklmnopqrstuvwxyz0123456789+/==';
  const printed = form === 'raw' ? secret : Buffer.from(`x${secret}`).toString('base64');
  const secrets = new Map([[secret, 'a token']]);
  expect(leaksAmong(['nothing here', `{"message":"got ${printed}"}`], secrets)).toEqual(['a token']);
  expect(leaksAmong(['nothing here'], secrets)).toEqual([]);
});

test('whatever breaks, every live token has its row and every accepted revoke is kept', async () => {
  const seed = Number(process.env['SEED'] ?? 1);
  const report = await runChaos({ seed, ...SHORT, checkpointEveryMs: 4_000 });
  if (report.violations.length > 0) throw new Error(formatReport(report));
  expect(report.tokens).toBeGreaterThan(0);
  expect(report.acceptedRevokes).toBeGreaterThan(0);
  expect(report.end.beingRevoked).toBe(0);
}, 300_000);

test('whatever breaks, nobody gets more than his limits, and nobody below them is refused', async () => {
  const seed = Number(process.env['SEED'] ?? 3);
  const limits = { caller: { mintsPerMinute: 6, liveLeases: 4 }, org: { mintsPerMinute: 40 } };
  const report = await runChaos({ seed, ...SHORT, limits, storms: true, checkpointEveryMs: 4_000 });
  if (report.violations.length > 0) throw new Error(formatReport(report));
  expect(report.tokens).toBeGreaterThan(0);
}, 300_000);
