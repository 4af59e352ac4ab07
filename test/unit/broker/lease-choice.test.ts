import type { Lease } from '../../../functions/broker/lease.ts';
import { nextStep, refreshAfter, type Step, type View } from '../../../functions/broker/lease-choice.ts';
import { caller, grantFor } from '../../support/broker-world.ts';

const NOW = 1_000_000;
const SETTINGS = { hardMarginMs: 30_000, mintLimit: 5, mintLimitWindowMs: 60_000 };
const ann = caller('ann');
const grant = grantFor(ann);

/** A live lease with 200 s of 300 s left, reserved 100 s ago. */
const lease = (facts: Partial<Lease> = {}): Lease => ({
  user: 'ann',
  fingerprint: grant.fingerprint,
  generation: 3,
  leaseId: 'handle',
  state: 'live',
  caller: { issuer: ann.issuer, subject: ann.subject },
  shared: false,
  orgId: 1,
  kind: 'full',
  rule: 'rule',
  grant: 'default',
  policyVersion: 'v1',
  reservedAt: NOW - 100_000,
  mintDeadlineAt: NOW - 86_000,
  latestEndAt: NOW + 260_000,
  issuedAt: NOW - 100_000,
  expiresAt: NOW + 200_000,
  endsAt: NOW + 200_000,
  sealed: true,
  attempts: 0,
  ...facts,
});
const beingMinted = (facts: Partial<Lease> = {}) =>
  lease({
    state: 'reserved',
    sealed: false,
    reservedAt: NOW - 1_000,
    mintDeadlineAt: NOW + 13_000,
    generation: 4,
    ...facts,
  });

const view = (leases: readonly Lease[], facts: Partial<View> = {}): View => ({
  grant,
  caller: ann,
  leases,
  cutOff: 0,
  now: NOW,
  ...facts,
});
const summary = (step: Step): string => {
  switch (step.step) {
    case 'serve':
      return `serve ${step.lease.generation}`;
    case 'refresh':
      return `refresh to ${step.generation}, else ${step.lease.generation}`;
    case 'mint':
      return `mint ${step.generation}`;
    case 'wait':
      return 'wait';
    case 'limited':
      return `limited for ${step.retryAfterMs}`;
  }
};

test.each<[string, readonly Lease[], Partial<View>, string]>([
  ['nothing is there', [], {}, 'mint 1'],
  ['a live lease has life enough', [lease()], {}, 'serve 3'],
  ['its life is just enough', [lease({ expiresAt: NOW + 90_001 })], {}, 'serve 3'],
  ['its life is at what the rule keeps', [lease({ expiresAt: NOW + 90_000 })], {}, 'refresh to 4, else 3'],
  ['its life is just above the hard margin', [lease({ expiresAt: NOW + 30_001 })], {}, 'refresh to 4, else 3'],
  ['its life is at the hard margin', [lease({ expiresAt: NOW + 30_000 })], {}, 'mint 4'],
  ['near its end, the next is being minted', [beingMinted(), lease({ expiresAt: NOW + 60_000 })], {}, 'serve 3'],
  ['past its end, the next is being minted', [beingMinted(), lease({ expiresAt: NOW + 1 })], {}, 'wait'],
  ['it is being minted for the first time', [beingMinted({ generation: 1 })], {}, 'wait'],
  ['its minter is past the deadline', [beingMinted({ mintDeadlineAt: NOW })], {}, 'mint 5'],
  ['the newest failed and an older one lives', [lease({ generation: 4, state: 'failed' }), lease()], {}, 'serve 3'],
  ['it is revoking', [lease({ state: 'revoking' })], {}, 'mint 4'],
  ['it is revoked', [lease({ state: 'revoked' })], {}, 'mint 4'],
  ['it is an orphan', [lease({ state: 'orphaned', sealed: false })], {}, 'mint 4'],
  ['it has expired', [lease({ state: 'expired' })], {}, 'mint 4'],
  ['its token is not there', [lease({ sealed: false })], {}, 'mint 4'],
  ['a cut-off covers it', [lease()], { cutOff: NOW - 99_999 }, 'mint 4'],
  ['a cut-off just does not cover it', [lease()], { cutOff: NOW - 100_000 }, 'serve 3'],
  ['a cut-off covers the one being minted', [beingMinted()], { cutOff: NOW }, 'mint 5'],
  ['a fresh one is wanted', [lease()], { freshSince: NOW - 5 }, 'mint 4'],
  ['a fresh one is being minted', [beingMinted({ reservedAt: NOW }), lease()], { freshSince: NOW }, 'wait'],
  ['a fresh one was minted since', [lease({ reservedAt: NOW })], { freshSince: NOW }, 'serve 3'],
  ['it is to be replaced', [lease({ leaseId: 'old' })], { replace: 'old' }, 'mint 4'],
  [
    'it is to be replaced and already was',
    [lease(), lease({ generation: 2, leaseId: 'old' })],
    { replace: 'old' },
    'serve 3',
  ],
  ['its successor is being minted', [beingMinted(), lease({ leaseId: 'old' })], { replace: 'old' }, 'wait'],
  ['a lease that nobody here holds is to be replaced', [lease()], { replace: 'unknown' }, 'serve 3'],
  [
    'the one to replace is newer than those that live',
    [lease({ generation: 4, leaseId: 'old' }), lease()],
    { replace: 'old' },
    'mint 5',
  ],
  ['it belongs to another caller', [lease({ caller: caller('bob') })], {}, 'mint 4'],
  ['it belongs to the same subject of another issuer', [lease({ caller: { ...ann, issuer: 'other' } })], {}, 'mint 4'],
  ['it is for another org', [lease({ orgId: 2 })], {}, 'mint 4'],
  ['it is shared and the grant is not', [lease({ shared: true })], {}, 'mint 4'],
  ["it outlives the caller's token", [lease()], { grant: { ...grant, notAfter: NOW + 199_999 } }, 'mint 4'],
  ["it ends with the caller's token", [lease()], { grant: { ...grant, notAfter: NOW + 200_000 } }, 'serve 3'],
  ['the rule does not reuse', [lease()], { grant: { ...grant, reuse: null } }, 'mint 4'],
  ['the rule does not reuse, one is minted', [beingMinted()], { grant: { ...grant, reuse: null } }, 'mint 5'],
])('when %s', (_, leases, facts, expected) => {
  expect(summary(nextStep(view(leases, facts), SETTINGS))).toBe(expected);
});

test.each<[number, string]>([
  [4, 'mint 6'],
  [5, 'limited for 15000'],
])('with %i mints within the window: %s', (recent, expected) => {
  const minted = Array.from({ length: 5 }, (_, n) =>
    lease({ generation: 5 - n, state: 'revoked', reservedAt: NOW - (n < recent ? n + 41 : n + 60) * 1_000 }),
  );
  expect(summary(nextStep(view(minted), SETTINGS))).toBe(expected);
});

describe('a mint that certainly did not happen gives its count back', () => {
  const within = (states: readonly Lease['state'][]) =>
    states.map((state, n) => lease({ generation: states.length - n, state, reservedAt: NOW - (n + 30) * 1_000 }));
  const four = ['revoked', 'expired', 'orphaned', 'revoked'] as const;
  test.each<[string, readonly Lease['state'][], string]>([
    ['four mints and five that failed', [...four, ...Array<'failed'>(5).fill('failed')], 'mint 10'],
    ['five that failed before four mints', [...Array<'failed'>(5).fill('failed'), ...four], 'mint 10'],
    ['five mints among failed ones', ['failed', ...four, 'failed', 'revoked'], 'limited for 24000'],
    ['a mint whose reply was lost, which counts', [...four, 'failed', 'orphaned'], 'limited for 25000'],
    ['ten that failed, which is twice the limit', Array<'failed'>(10).fill('failed'), 'limited for 21000'],
  ])('%s', (_, states, expected) => {
    expect(summary(nextStep(view(within(states)), SETTINGS))).toBe(expected);
  });
});

test('a mint by a clock that runs behind counts by its own time, and hides none of the others', () => {
  const agesInSeconds = [41, 42, 60, 43, 44, 45];
  const minted = agesInSeconds.map((age, n) =>
    lease({ generation: 9 - n, state: 'revoked', reservedAt: NOW - age * 1_000 }),
  );
  expect(summary(nextStep(view(minted), SETTINGS))).toBe('limited for 15000');
});

test('near its end with the limit reached, the old one is served', () => {
  const minted = Array.from({ length: 5 }, (_, n) =>
    lease({ generation: 9 - n, state: 'revoked', reservedAt: NOW - 1 }),
  );
  expect(summary(nextStep(view([...minted, lease({ expiresAt: NOW + 60_000 })]), SETTINGS))).toBe('serve 3');
});

test.each<[string, number, number | null, number]>([
  ['what the rule keeps before the end', 300, 90, 210],
  ['a fifth of the life, if the rule would keep all of it', 100, 120, 20],
  ['the hard margin before the end, if the rule does not reuse', 300, null, 270],
  ['a fifth of a very short life', 20, null, 4],
])('a newer token is worth asking for from %s on', (_, life, keep, expected) => {
  const reuse = keep === null ? null : { minLifeLeftSeconds: keep };
  const issued = lease({ issuedAt: NOW, expiresAt: NOW + life * 1_000 });
  expect((refreshAfter(issued, { reuse }, 30_000) - NOW) / 1_000).toBe(expected);
});
