import * as z from 'zod/mini';
import { createRequire } from 'node:module';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { withoutMark } from '../../functions/contract/shapes.ts';
import { casesIn, runCases } from './cases.ts';
import { checkPolicyText } from './check.ts';
import { explain, parseQuestion } from './explain.ts';
import { lintPolicy } from './lint.ts';
import { PolicyError } from './policy-error.ts';
import { checkLines, type CheckResult, explainLines, testLines, type TestResult } from './report.ts';
import { PolicySchema } from './schema.ts';
import { tenantLines, tenantsOf } from './tenants.ts';

const USAGE = `Checks, explains and tests policy documents, which say who may have which token (docs/policy.md).

  npm run policy -- check [<file> ...]            check and lint
  npm run policy -- explain <file> --claims <claims.json> [--request <request.json>] [--issuer <url>] [--at <seconds>]
                                                  what this caller would get, and why
                                                  (--issuer: whose caller, the claim \`iss\`; --at: seconds since 1970, now)
  npm run policy -- test [<file> [<cases.json>]]  run the cases of a policy (policy.dev.json: policy.dev.cases.json)
  npm run policy -- tenants [<file> ...]          which orgs it gives tokens in, to which tenants, and their limits
  npm run policy -- schema [--write]              print docs/policy.schema.json, or update it

  --json   machine-readable output      --strict   fail on warnings too      --help   this text

Without a file, check, test and tenants process every policy of infra/environments and local.
Exit code: 0 success, 1 failure, 2 wrong usage.`;

const ROOT = path.join(import.meta.dirname, '..', '..');
export const SCHEMA_FILE = path.join(ROOT, 'docs', 'policy.schema.json');

/** Every policy in the repository. */
export function allPolicies(): readonly string[] {
  const environments = path.join(ROOT, 'infra', 'environments');
  const files = readdirSync(environments).filter((file) => /^policy\.[\w-]+\.json$/.test(file));
  return [
    ...files.sort().map((file) => path.join(environments, file)),
    path.join(ROOT, 'local', 'policy.json'),
    path.join(ROOT, 'local', 'policy.session-v2.json'),
  ];
}

class UsageError extends Error {}

/** The JSON Schema (2020-12) of a policy document: docs/policy.schema.json, for editors. */
export const policyJsonSchema = (): object => z.toJSONSchema(PolicySchema, { io: 'input', reused: 'inline' });

/** Runs one command line and passes its whole output to `print`. Returns the exit code. */
export function policyCli(argv: readonly string[], print: (text: string) => void): 0 | 1 | 2 {
  try {
    const { values, positionals } = parseCommand(argv);
    const [command, ...files] = positionals;
    if (values.help) return answer(true, USAGE);
    const show = (result: object, lines: () => readonly string[]) =>
      values.json ? JSON.stringify(result, null, 2) : lines().join('\n');
    switch (command) {
      case 'check': {
        const results = chosen(files).map((file) => checkFile(file));
        const good = results.every(
          ({ faults, warnings }) => faults.length + (values.strict ? warnings.length : 0) === 0,
        );
        return answer(
          good,
          show(results, () => checkLines(results)),
        );
      }
      case 'test': {
        const results =
          files.length > 1 ? [testFile(files[0] ?? '', files[1])] : chosen(files).map((file) => testFile(file));
        return answer(
          results.every(({ passed }) => passed),
          show(results, () => testLines(results)),
        );
      }
      case 'explain': {
        const [file] = files;
        if (file === undefined || values.claims === undefined)
          throw new UsageError('explain needs a file and --claims');
        const request = values.request === undefined ? {} : readJson(values.request);
        const { policy } = checkPolicyText(read(file));
        const at = values.at === undefined ? Math.floor(Date.now() / 1_000) : Number(values.at);
        if (!Number.isSafeInteger(at)) throw new UsageError('--at is a number of seconds since 1970');
        const { issuer } = values;
        const question = {
          ...parseQuestion(readJson(values.claims), request),
          at,
          ...(issuer !== undefined && { issuer }),
        };
        const explanation = explain(policy, question);
        return answer(
          true,
          show(explanation, () => explainLines(explanation)),
        );
      }
      case 'tenants': {
        const tenants = chosen(files).flatMap((file) => tenantsOf(checkPolicyText(read(file)).policy));
        return answer(
          true,
          show(tenants, () => tenantLines(tenants)),
        );
      }
      case 'schema': {
        const text = `${JSON.stringify(policyJsonSchema(), null, 2)}\n`;
        if (values.write) writeFileSync(SCHEMA_FILE, text);
        return answer(true, values.write ? `Wrote ${relative(SCHEMA_FILE)}` : text);
      }
      default:
        throw new UsageError(command === undefined ? 'Name a command.' : `Unknown command: ${command}`);
    }
  } catch (error) {
    if (error instanceof UsageError) {
      print(`${error.message}\n\n${USAGE}`);
      return 2;
    }
    print(error instanceof Error ? error.message : String(error));
    return 1;
  }

  function answer(good: boolean, text: string): 0 | 1 {
    print(text);
    return good ? 0 : 1;
  }
}

function parseCommand(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        claims: { type: 'string' },
        request: { type: 'string' },
        issuer: { type: 'string' },
        at: { type: 'string' },
        json: { type: 'boolean', default: false },
        strict: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function chosen(files: readonly string[]): readonly string[] {
  return files.length > 0 ? files : allPolicies();
}

function checkFile(file: string): CheckResult {
  try {
    const text = read(file);
    const [checked = checkPolicyText(text)] = issuersWith(file).map((issuers) => checkPolicyText(text, issuers));
    const { policy } = checked;
    const warnings = lintPolicy(checked);
    return {
      file: relative(file),
      compiled: { version: policy.version, rules: policy.rules.length },
      faults: [],
      warnings,
    };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { file: relative(file), faults: error.faults, warnings: [] };
  }
}

/** The issuers of each environment that has this policy. Environments that cannot be read are for synth to report. */
function issuersWith(file: string): readonly (readonly string[])[] {
  const folder = path.dirname(path.resolve(file));
  const environments = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'environment.ts');
  return environments.flatMap((name) => {
    try {
      const { default: values } = createRequire(import.meta.filename)(path.join(folder, name)) as {
        default: { readonly policyFile: string; readonly issuers: readonly { readonly url: string }[] };
      };
      return values.policyFile === path.basename(file) ? [values.issuers.map(({ url }) => url)] : [];
    } catch {
      return [];
    }
  });
}

function testFile(file: string, casesFile = file.replace(/\.json$/, '.cases.json')): TestResult {
  if (!existsSync(casesFile)) {
    const problem = `has no cases: write ${relative(casesFile)} with one case for every rule and at least one refusal`;
    return { file: relative(file), passed: false, problem, results: [], untestedRules: [] };
  }
  const report = runCases(checkPolicyText(read(file)).policy, casesIn(read(casesFile)));
  const passed = report.results.every((result) => result.passed) && report.untestedRules.length === 0;
  return { file: relative(file), passed, ...report };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`Cannot read ${file}`, { cause: error });
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(withoutMark(read(file)));
  } catch (error) {
    throw new Error(`${file} is not JSON: ${error instanceof Error ? error.message : ''}`, { cause: error });
  }
}

function relative(file: string): string {
  return path.relative(process.cwd(), file) || file;
}

if (import.meta.filename === process.argv[1]) {
  process.exitCode = policyCli(process.argv.slice(2), (text) => console.log(text));
}
