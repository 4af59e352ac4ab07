/** What the policy command prints for people. */
import type { Explanation } from './explain.ts';
import type { CasesReport } from './cases.ts';
import type { Warning } from './lint.ts';
import type { PolicyFault } from './policy-error.ts';

export interface CheckResult {
  readonly file: string;
  /** Absent where the document has faults. */
  readonly compiled?: { readonly version: string; readonly rules: number };
  readonly faults: readonly PolicyFault[];
  readonly warnings: readonly Warning[];
}

export interface TestResult extends CasesReport {
  readonly file: string;
  readonly passed: boolean;
  /** Why no case could run. */
  readonly problem?: string;
}

export function checkLines(results: readonly CheckResult[]): readonly string[] {
  return results.flatMap(({ file, faults, warnings, compiled }) => {
    const summary = compiled ? `${compiled.rules} rules, version ${compiled.version}` : `${faults.length} faults`;
    return [
      `${faults.length === 0 ? 'ok    ' : 'FAULTY'}  ${file}: ${summary}`,
      ...faults.map(({ path, problem }) => `          ${path}: ${problem}`),
      ...warnings.map(({ rule, name, problem }) => `          warning ${name}, rule "${rule}": ${problem}`),
    ];
  });
}

export function testLines(results: readonly TestResult[]): readonly string[] {
  const lines = results.flatMap(({ file, passed, problem, results: cases, untestedRules }) => [
    `${passed ? 'ok    ' : 'FAILED'}  ${file}: ${problem ?? `${cases.length} cases`}`,
    ...cases
      .filter((one) => !one.passed)
      .flatMap(({ name, differences }) => [
        `          case "${name}":`,
        ...differences.map((difference) => `            ${difference}`),
      ]),
    ...untestedRules.map((rule) => `          rule "${rule}" is not covered by any case`),
  ]);
  const cases = results.flatMap((one) => one.results);
  const failed = cases.filter(({ passed }) => !passed).length;
  return [...lines, `${cases.length - failed} cases passed, ${failed} failed`];
}

export function explainLines({ policyVersion, decision, rules, grants }: Explanation): readonly string[] {
  const width = Math.max(...rules.map(({ rule }) => rule.length));
  const verdict = decision.allowed
    ? `granted: "${decision.grant.name}" of rule "${decision.grant.rule}"`
    : `refused: ${decision.code}${decision.rule === undefined ? '' : ` by rule "${decision.rule}"`}`;
  return [
    `policy ${policyVersion}: ${verdict}`,
    ...decision.reasons.map((reason) => `  ${reason}`),
    '',
    'Rules in order',
    ...rules.map(({ rule, mode, decides, why }) => {
      const mark = decides ? '->' : '  ';
      return `${mark} ${rule.padEnd(width)}  ${mode === 'audit' ? 'audit  ' : 'enforce'}  ${why}`;
    }),
    ...(decision.allowed ? ['', 'The token', ...members(decision.grant)] : []),
    ...(grants.length > 0
      ? ['', `Grants that this caller may pick: ${grants.map(({ name }) => name).join(', ')}`]
      : []),
  ];
}

function members(grant: object): readonly string[] {
  return Object.entries(grant).map(([name, value]) => `   ${name.padEnd(16)} ${JSON.stringify(value)}`);
}
