/** `npm run roles`: who may do what, as the synthesized template of an environment says it. */
import path from 'node:path';
import { z } from 'zod';
import { messageOf, readArguments, runCommand, UsageError } from '../local/command.ts';
import { templateOf } from './assembly.ts';

const words = z.union([z.string().transform((one) => [one]), z.array(z.string())]);
const anything = z.unknown().transform((value) => (Array.isArray(value) ? (value as unknown[]) : [value]).map(text));
/** Strict: a statement with `NotAction` or the like is refused, and not printed as something else. */
const statement = z.strictObject({
  Effect: z.enum(['Allow', 'Deny']),
  Action: words,
  Resource: anything.optional(),
  Principal: z.union([z.literal('*'), z.record(z.string(), anything)]).optional(),
  Condition: z.record(z.string(), z.record(z.string(), anything)).optional(),
  Sid: z.string().optional(),
});
const document = z.object({ Statement: z.array(statement) });
const roles = z.strictObject({ PolicyDocument: document, PolicyName: z.unknown(), Roles: anything });
const role = z.object({
  ManagedPolicyArns: anything.optional(),
  Policies: z.array(z.object({ PolicyDocument: document })).optional(),
});
type Statement = z.infer<typeof statement>;

export interface Permission {
  /** A role of the template, or who else a policy names. */
  readonly role: string;
  readonly actions: readonly string[];
  readonly resource: string;
  /** When only; empty: always. */
  readonly condition: string;
}

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>> | undefined;
}
/** Types with a policy of their own: the property that has it, and what it says of `*`: another resource, or itself. */
const OF_RESOURCES: Readonly<Record<string, readonly [document: string, resource?: string]>> = {
  'AWS::KMS::Key': ['KeyPolicy'],
  'AWS::SecretsManager::ResourcePolicy': ['ResourcePolicy', 'SecretId'],
  'AWS::SQS::QueuePolicy': ['PolicyDocument', 'Queues'],
  'AWS::SNS::TopicPolicy': ['PolicyDocument', 'Topics'],
  'AWS::Logs::ResourcePolicy': ['PolicyDocument'],
};

/** Every permission that the template gives or denies, sorted by role. Throws for a policy that it cannot read. */
export function permissionsIn(template: { readonly Resources: Readonly<Record<string, Resource>> }): Permission[] {
  const all = Object.entries(template.Resources).flatMap(([id, { Type, Properties = {} }]) =>
    permissionsOf(id, Type, Properties),
  );
  return all.sort((one, other) => order(one).localeCompare(order(other), 'en'));
}

function permissionsOf(id: string, type: string, properties: Readonly<Record<string, unknown>>): Permission[] {
  const [property, resource] = OF_RESOURCES[type] ?? [];
  if (property !== undefined) {
    const held = properties[property] as object;
    const { Statement } = document.parse('Statement' in held ? held : JSON.parse(text(held)));
    const self = resource === undefined ? [named(id)] : anything.parse(properties[resource]);
    return Statement.flatMap((one) => holdersOf(one).map((holder) => permission(holder, one, self)));
  }
  switch (type) {
    case 'AWS::IAM::Role': {
      const { ManagedPolicyArns = [], Policies = [] } = role.parse(properties);
      const managed = ManagedPolicyArns.map((arn) => ({ Effect: 'Allow' as const, Action: [`all of ${arn}`] }));
      return [...Policies.flatMap((one) => one.PolicyDocument.Statement), ...managed].map((one) =>
        permission(named(id), one),
      );
    }
    case 'AWS::IAM::Policy': {
      const { PolicyDocument, Roles } = roles.parse(properties);
      return Roles.flatMap((holder) => PolicyDocument.Statement.map((one) => permission(holder, one)));
    }
    case 'AWS::Lambda::Permission': {
      const { Action, FunctionName, Principal, ...tests } = properties;
      const Condition = {
        StringEquals: Object.fromEntries(Object.entries(tests).map(([key, one]) => [key, [text(one)]])),
      };
      const given = { Effect: 'Allow' as const, Action: [text(Action)], Resource: [text(FunctionName)], Condition };
      return [permission(text(Principal), given)];
    }
  }
  if (/Policy$|^AWS::IAM::/.test(type)) throw new Error(`${id}: what a ${type} allows cannot be printed`);
  return [];
}

function permission(role: string, { Effect, Action, Resource = [''], Condition = {} }: Statement, self?: string[]) {
  const tests = Object.entries(Condition).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => `${key} ${operator} ${values.join(', ')}`),
  );
  const actions = Effect === 'Deny' ? Action.map((one) => `never ${one}`) : Action;
  const resource = (self !== undefined && Resource.includes('*') ? self : Resource).join(', ');
  return { role, actions, resource, condition: tests.sort().join('; ') };
}

const order = ({ role, resource, actions }: Permission) => [role, resource, ...actions].join(' ');

const holdersOf = ({ Principal = '*' }: Statement) =>
  Principal === '*' ? ['anybody'] : Object.values(Principal).flat();
/** Without the digest that the CDK puts behind the path of a construct. */
const named = (id: string) => id.replace(/[0-9A-F]{8}$/, '');

/** CloudFormation's functions as text: a resource of the template by its name. Throws for a function that it does not know. */
function text(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof Ref === 'string') return Ref === 'AWS::Partition' ? 'aws' : named(Ref);
  if (Array.isArray(attribute)) return named(String(attribute[0]));
  if (Array.isArray(join)) return (join[1] as unknown[]).map(text).join(String(join[0]));
  throw new Error(`${JSON.stringify(value)} cannot be printed`);
}

/** As a table in Markdown. */
export function roleTable(permissions: readonly Permission[]): string {
  const rows = permissions.map(({ role, actions, resource, condition }) => [
    `\`${role}\``,
    actions.map((one) => `\`${one}\``).join(' '),
    resource && `\`${resource}\``,
    condition && `\`${condition}\``,
  ]);
  const lines = [['role', 'actions', 'resource', 'only if'], ['---', '---', '---', '---'], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const USAGE = `npm run roles -- <environment> [--assembly <folder>]

Prints who may do what in an environment, as a table: role, actions, resource, condition. Read from the template that
npm run synth -- <environment> wrote; it asks nothing of AWS.

--assembly   the folder of another assembly (default: cdk.out/<environment>)
--help       this text
`;

function main(): void {
  const { values, positionals } = readArguments(USAGE, { assembly: { type: 'string' } }, 1);
  const [environment] = positionals;
  if (environment === undefined) throw new UsageError('Name an environment: npm run roles -- dev.');
  const assembly = values.assembly ?? path.join('cdk.out', environment);
  console.log(roleTable(permissionsIn(templateOf(assembly, environment))));
}

if (process.argv[1] === import.meta.filename) void runCommand(main, messageOf);
