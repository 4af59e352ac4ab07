/** What a policy decision costs by the number of rules tried, and what it costs to compile a large policy. */
import { createHash } from 'node:crypto';
import type { Caller } from '../functions/broker/ports.ts';
import { decide, type Facts, type Policy } from '../functions/policy/decide.ts';
import { parseChecked } from '../functions/policy/entitlements.ts';
import { checkPolicy } from '../infra/policy/check.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { interleave, median, milliseconds } from './measure.ts';

const SIZES = [1, 10, 100, 300, 1_000] as const;
const DECISIONS = 200;
const DECIDE_GOAL_US = 50;
const COMPILE_GOAL_MS = 100;

/** Rules as people write them: three conditions each, one of them a pattern, and a user that a pattern captures. */
function documentOf(rules: number): object {
  const numbers = Array.from({ length: rules }, (_, index) => index);
  return {
    version: 1,
    tables: { 'org-of-tenant': Object.fromEntries(numbers.map((index) => [`tenant-${index}`, index])) },
    rules: numbers.map((index) => ({
      name: `tenant-${index}`,
      when: {
        all: [
          { claim: 'tenant', equals: `tenant-${index}` },
          { claim: 'groups', contains: 'analysts' },
          { claim: 'email', matches: `^[a-z.]+@t${index}\\.example$` },
        ],
      },
      user: { claim: 'email', pattern: `^([a-z.]+)@t${index}\\.example$` },
      org: { claim: 'tenant', table: 'org-of-tenant' },
      grants: [
        {
          name: 'full',
          kind: 'full',
          validity: { defaultSeconds: 300, minSeconds: 60, maxSeconds: 900 },
          reuse: 'off',
        },
      ],
    })),
  };
}

const facts: Facts = {
  host: 'https://thoughtspot.example',
  now: 1_800_000_000_000,
  sha256: (text) => createHash('sha256').update(text).digest('base64url'),
};

/** A caller that only the last rule matches, so that every rule is tried. */
function lastCaller(rules: number): Caller {
  const index = rules - 1;
  return {
    issuer: 'https://issuer.example',
    subject: 'someone',
    claims: { tenant: `tenant-${index}`, groups: ['staff', 'analysts'], email: `a.archer@t${index}.example` },
    issuedAt: facts.now,
    expiresAt: facts.now + 3_600_000,
    scopes: [],
  };
}

/** Microseconds of one decision, over a batch long enough for the clock. */
function decisionUs(policy: Policy, caller: Caller): number {
  const spent = milliseconds(() => {
    for (let count = 0; count < DECISIONS; count += 1) {
      if (!decide(policy, caller, {}, facts).allowed) throw new Error('the last rule should have granted');
    }
  });
  return (spent * 1_000) / DECISIONS;
}

async function run(context: Context): Promise<Result> {
  const rounds = context.quick ? 5 : 200;
  const subjects = Object.fromEntries(
    SIZES.map((size) => {
      const policy = checkPolicy(documentOf(size)).policy;
      const caller = lastCaller(size);
      return [`decide-${size}`, () => decisionUs(policy, caller)];
    }),
  );
  let done = 0;
  const decisions = await interleave(subjects, {
    rounds,
    warmUp: 10,
    onRound: () => context.progress((0.7 * (done += 1)) / (rounds + 10), 'deciding'),
  });
  const documents = SIZES.map((size) => [size, checkPolicy(documentOf(size))] as const);
  const compileRounds = context.quick ? 3 : 30;
  done = 0;
  const compiled = await interleave(
    Object.fromEntries(
      documents.map(([size, document]) => [
        `compile-${size}`,
        () => milliseconds(() => parseChecked(document.text, document.digest)),
      ]),
    ),
    {
      rounds: compileRounds,
      warmUp: 5,
      onRound: () => context.progress(0.7 + (0.3 * (done += 1)) / (compileRounds + 5), 'compiling'),
    },
  );

  const us = (size: number) => median(decisions[`decide-${size}`] ?? []);
  const perRule = (few: number, many: number) => (us(many) - us(few)) / (many - few);
  const growth = perRule(100, 1_000) / perRule(1, 100);
  const compileMs = (size: number) => median(compiled[`compile-${size}`] ?? []);
  const table = SIZES.map((size) => `| ${size} | ${us(size).toFixed(1)} | ${compileMs(size).toFixed(2)} |`);
  return {
    goals: [
      {
        goal: `a decision over 100 rules in ${DECIDE_GOAL_US} µs (median)`,
        measured: `${us(100).toFixed(1)} µs`,
        met: us(100) < DECIDE_GOAL_US,
      },
      {
        goal: 'time grows no faster than the number of rules tried (a rule after the 100th costs at most 1.5 times as much as one before it)',
        measured: `${growth.toFixed(2)} times`,
        met: growth <= 1.5,
      },
      {
        goal: `1,000 rules compiled in ${COMPILE_GOAL_MS} ms (median, warm)`,
        measured: `${compileMs(1_000).toFixed(0)} ms`,
        met: compileMs(1_000) < COMPILE_GOAL_MS,
      },
    ],
    charts: [
      {
        kind: 'lines',
        file: 'policy-decision',
        title: 'A decision by the number of rules tried',
        xLabel: 'rules tried',
        yLabel: 'µs (median)',
        lines: [{ label: 'decide', tone: 'ours', points: SIZES.map((size) => [size, us(size)] as const) }],
      },
    ],
    method:
      'Each rule has three conditions (equality, membership, pattern), and only the last rule matches the caller; ' +
      `${rounds} rounds of ${DECISIONS} decisions per size, taking turns, including the fingerprint. Compiling is what a ` +
      'function does with the checked document at its cold start. ' +
      'Medians by the number of rules:\n\n' +
      `| rules | a decision, µs | compiling, ms |\n| --- | --- | --- |\n${table.join('\n')}`,
    samples: { ...decisions, ...compiled },
  };
}

export const policyBenchmark: Benchmark = {
  name: 'policy',
  title: 'Policy: decisions and compilation',
  seconds: 25,
  run,
};
