import type { Synthesized } from './synthesized.ts';
import { resources } from './synthesized.ts';

/**
 * Decides, as IAM would within one account, whether a role of a synthesized template may perform an action. It supports
 * what the stack uses: identity policies, policies of keys and secrets, explicit denies, `*` and `?`, and the operators
 * StringEquals and ArnNotEquals. Anything else is an error, not a guess.
 */
export interface Question {
  /** Logical id of the role, or the ARN of another principal. */
  readonly principal: string;
  readonly action: string;
  /** ARN, with `${LogicalId}` in place of the ARN that CloudFormation would insert. */
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
}

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | string[];
  readonly Resource?: unknown;
  readonly Principal?: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

export function isAllowed(synthesized: Synthesized, question: Question): boolean {
  const statements = [...identityStatements(synthesized, question), ...resourceStatements(synthesized, question)];
  const fitting = statements.filter((statement) => fits(statement, question));
  return fitting.some(({ Effect }) => Effect === 'Allow') && !fitting.some(({ Effect }) => Effect === 'Deny');
}

function identityStatements(synthesized: Synthesized, { principal, resource, action }: Question): Statement[] {
  // Identity policies have no effect on a key whose policy does not allow the action to the account.
  if (action.startsWith('kms:') && resource.startsWith('${')) return [];
  return resources(synthesized, 'AWS::IAM::Policy')
    .filter(([, policy]) => asArray(policy['Roles']).some((role) => text(role) === `\${${principal}}`))
    .flatMap(([, policy]) => statementsOf(policy['PolicyDocument']))
    .filter((statement) => asArray(statement.Resource).some((pattern) => matches(text(pattern), resource)));
}

function resourceStatements(synthesized: Synthesized, { resource, principal }: Question): Statement[] {
  const id = /^\$\{(\w+)\}$/.exec(resource)?.[1];
  const keys = resources(synthesized, 'AWS::KMS::Key')
    .filter(([key]) => key === id)
    .map(([, key]) => key['KeyPolicy']);
  const secrets = resources(synthesized, 'AWS::SecretsManager::ResourcePolicy')
    .filter(([, policy]) => text(policy['SecretId']) === resource)
    .map(([, policy]) => policy['ResourcePolicy']);
  return [...keys, ...secrets].flatMap(statementsOf).filter(({ Principal }) => {
    if (Principal === '*') return true;
    const aws = asArray((Principal as Record<string, unknown>)['AWS']).map(text);
    return aws.includes(`\${${principal}}`) || aws.includes(principal);
  });
}

function fits(statement: Statement, question: Question): boolean {
  const action = asArray(statement.Action).some((pattern) => matches(text(pattern), question.action));
  return (
    action && Object.entries(statement.Condition ?? {}).every(([operator, tests]) => holds(operator, tests, question))
  );
}

function holds(operator: string, tests: Record<string, unknown>, { principal, context = {} }: Question): boolean {
  const known: Readonly<Record<string, string>> = {
    'aws:PrincipalArn': principal.startsWith('arn:') ? principal : `\${${principal}}`,
    ...context,
  };
  return Object.entries(tests).every(([key, values]) => {
    const listed = asArray(values).map(text);
    if (operator === 'StringEquals') return listed.includes(known[key] ?? '(absent)');
    if (operator === 'ArnNotEquals') return !listed.some((value) => matches(value, known[key] ?? ''));
    throw new Error(`The evaluator does not know the operator ${operator}`);
  });
}

const statementsOf = (document: unknown): Statement[] => (document as { Statement: Statement[] }).Statement;

/** CloudFormation's functions as text: a reference to a resource becomes `${LogicalId}`, a pseudo parameter its name. */
export function text(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = value as Record<string, unknown>;
  if (typeof Ref === 'string') return Ref.startsWith('AWS::') ? `<${Ref}>` : `\${${Ref}}`;
  if (Array.isArray(attribute)) return `\${${String(attribute[0])}}`;
  if (Array.isArray(join)) return (join[1] as unknown[]).map(text).join(String(join[0]));
  throw new Error(`The evaluator cannot read ${JSON.stringify(value)}`);
}

export const asArray = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];

function matches(pattern: string, value: string): boolean {
  // `${X}` is a name, not a pattern, though it has neither * nor ?.
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(value);
}
