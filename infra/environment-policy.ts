import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Policy } from '../functions/policy/decide.ts';
import { ENVIRONMENTS_FOLDER } from './environment-list.ts';
import { EnvironmentError, UPSTREAM_BUDGET } from './environments/environment.ts';
import type { Environment } from './environments/environment.ts';
import { casesIn, runCases } from './policy/cases.ts';
import { type CheckedPolicy, checkPolicyText } from './policy/check.ts';
import { lintPolicy } from './policy/lint.ts';
import { lineOfValue } from './policy/parse.ts';
import { PolicyError } from './policy/policy-error.ts';
import { jumpOf } from './schedule-runs.ts';

/**
 * Checks the environment's policy and runs its cases before anything is deployed. Throws EnvironmentError if the file is
 * missing, if the policy has faults or no cases, if a case fails, if a rule has no case, if the policy's mints would exceed
 * ThoughtSpot's limit at the environment's throttle, or, in production, if there is a warning that its rule does not accept.
 */
export function environmentPolicy(environment: Environment, folder = ENVIRONMENTS_FOLDER): CheckedPolicy {
  const file = path.join(folder, environment.policyFile);
  const refuse = (faults: readonly string[]) =>
    new EnvironmentError(
      environment.name,
      faults.map((fault) => `policyFile ${environment.policyFile}: ${fault}`),
    );
  if (!existsSync(file)) throw refuse(['does not exist; copy infra/environments/policy.dev.json']);
  let checked: CheckedPolicy;
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
    checked = checkPolicyText(
      text,
      environment.issuers.map(({ url }) => url),
    );
  } catch (error) {
    if (error instanceof PolicyError)
      throw refuse(
        error.faults.map(({ at, path, problem }) => `${at ? `line ${lineOfValue(text, at)}, ` : ''}${path} ${problem}`),
      );
    throw refuse([`cannot be read (${reasonOf(error)})`]);
  }
  const cases = caseFaults(checked.policy, file.replace(/\.json$/, '.cases.json'));
  // Where people rely on it, what is often a mistake is one until the rule accepts it.
  const warnings = environment.purpose === 'production' ? policyWarnings(checked) : [];
  const faults = [...cases, ...rateFaults(environment, checked.policy), ...warnings.map(([, text]) => text)];
  if (faults.length > 0) throw refuse(faults);
  return checked;
}

/** What an environment may do but probably should not: each with an id and a sentence. */
export function warningsOf(
  { issuers, revocationSchedules }: Environment,
  checked: CheckedPolicy,
  now = Date.now(),
): readonly (readonly [id: string, text: string])[] {
  const longest = longestSecondsOf(checked.policy);
  const { rules, tables } = checked.policy;
  const orgs = new Set(
    rules.flatMap(({ org }) => (typeof org === 'number' ? org : Object.values(tables[org.table] ?? {}))),
  );
  return [
    ...policyWarnings(checked),
    ...issuers.flatMap(({ scopes }, index) => {
      if (scopes.token !== 'none') return [];
      const text = `issuers.${index}.scopes.token is "none": any token of the issuer with this audience is accepted, even an ID token.`;
      return [[`no-scope-${index}`, text] as const];
    }),
    ...issuers.slice(1).flatMap(({ name = '', scopes: { revoke } }) => {
      if (revoke === undefined) return [];
      const text = `issuers: whoever ${name} gives the scope ${revoke} lists, revokes and suspends everybody, also callers of other issuers.`;
      return [[`operators-of-${name}`, text] as const];
    }),
    ...revocationSchedules.flatMap(({ name, select }) => {
      const idle =
        'olderThanSeconds' in select && select.olderThanSeconds > longest
          ? `tokens older than ${select.olderThanSeconds} s, and the policy grants none for longer than ${longest} s`
          : 'orgId' in select && !orgs.has(select.orgId)
            ? `org ${select.orgId}, and the policy grants tokens in ${[...orgs].join(', ')} only`
            : undefined;
      if (idle === undefined) return [];
      return [['idle-schedule', `revocationSchedules "${name}" selects ${idle}: it never revokes anything.`] as const];
    }),
    ...revocationSchedules.flatMap(({ name, expression, timeZone }) => {
      const run = jumpOf(expression, timeZone, now);
      if (run === undefined) return [];
      const text =
        `revocationSchedules "${name}" would run at ${run.local} in ${timeZone}, a time that ` +
        (run.jump === 'skipped'
          ? 'does not exist that night: there is no run'
          : 'comes twice that night: it runs once') +
        '. Choose another hour, or UTC; npm run schedules prints the runs.';
      return [[`clock-jump-${name}`, text] as const];
    }),
  ];
}

/** The longest that a token may live by a policy, s. */
export const longestSecondsOf = ({ rules }: Pick<Policy, 'rules'>): number =>
  Math.max(...rules.flatMap(({ grants }) => grants.map(({ validity }) => validity.maxSeconds)));

function policyWarnings(checked: CheckedPolicy): readonly (readonly [id: string, text: string])[] {
  return lintPolicy(checked).map(({ name, rule, problem }) => [
    `policy-${name}`,
    `warning ${name}, rule "${rule}": ${problem}` +
      (name === 'nothing-to-accept' ? '' : `. If it is meant, write "accept": ["${name}"] in the rule`),
  ]);
}

function caseFaults(policy: Policy, file: string): string[] {
  if (!existsSync(file)) return [`has no cases; write ${path.basename(file)}, so that its meaning is tested too`];
  try {
    const { results, untestedRules } = runCases(policy, casesIn(readFileSync(file, 'utf8')));
    const failed = results.filter(({ passed }) => !passed);
    return [
      ...failed.map(({ name, differences }) => `case "${name}" fails: ${differences.join('; ')}`),
      ...untestedRules.map((rule) => `rule "${rule}" has no case; add one to ${path.basename(file)}`),
    ];
  } catch (error) {
    return [`its cases cannot be run (${reasonOf(error)})`];
  }
}

/** Without reuse, every request is a mint and, later, a revocation. */
function rateFaults({ throttle, sweepRate }: Environment, { rules }: Policy): string[] {
  const without = rules.filter((rule) => rule.grants.some(({ reuse }) => reuse === null)).map(({ name }) => name);
  const calls = 2 * throttle.ratePerSecond + sweepRate;
  if (without.length === 0 || calls <= UPSTREAM_BUDGET) return [];
  return [
    `reuse is off in ${without.join(', ')}: at throttle.ratePerSecond ${throttle.ratePerSecond} and sweepRate ` +
      `${sweepRate} up to ${calls} calls per second reach ThoughtSpot, which accepts ${UPSTREAM_BUDGET}; ` +
      `lower the throttle to ${Math.floor((UPSTREAM_BUDGET - sweepRate) / 2)} or switch reuse on`,
  ];
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
