import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const rooms = ['functions', 'infra', 'local', 'client', 'bench', 'test'];

/** One violation per rule: a file that imports what its room may not. */
const PLANTS: readonly (readonly [rule: string, file: string, imports: string])[] = [
  ['no-cycles', 'functions/telemetry/planted-a.ts', './planted-b.ts'],
  ['contract-imports-nothing', 'functions/contract/planted-room.ts', '../broker/failure.ts'],
  ['contract-has-no-packages', 'functions/contract/planted-package.ts', 'node:fs'],
  ['broker-is-pure', 'functions/broker/planted-room.ts', '../telemetry/planted-leaf.ts'],
  ['broker-has-no-packages', 'functions/broker/planted-package.ts', 'node:crypto'],
  ['policy-implements-the-brokers-port', 'functions/policy/planted.ts', '../broker/use-cases.ts'],
  ['policy-has-no-packages', 'functions/policy/planted-package.ts', 'zod'],
  ['adapters-know-ports-only', 'functions/ledger/planted.ts', '../secrets/planted-leaf.ts'],
  ['http-is-translation', 'functions/http/planted.ts', '../wiring/planted-leaf.ts'],
  ['probe-stays-outside', 'functions/probe/planted.ts', '../http/planted-leaf.ts'],
  ['telemetry-is-a-leaf', 'functions/telemetry/planted.ts', '../broker/failure.ts'],
  ['wiring-builds-rooms-not-entries', 'functions/wiring/planted.ts', '../planted-entry.ts'],
  ['entries-only-wire', 'functions/planted-entry.ts', './broker/failure.ts'],
  ['only-wiring-builds-adapters', 'functions/http/planted-adapter.ts', '../secrets/planted-leaf.ts'],
  ['nobody-imports-entries', 'local/planted-entry.ts', '../functions/planted-entry.ts'],
  ['infra-shares-names-not-code', 'infra/planted.ts', '../functions/broker/use-cases.ts'],
  ['authors-judge-with-the-functions-own-decision', 'infra/policy/planted.ts', '../../functions/broker/use-cases.ts'],
  [
    'no-function-runs-the-session-controller',
    'functions/wiring/planted-controller.ts',
    '../thoughtspot/session-controller.ts',
  ],
  ['doctor-uses-the-brokers-own-client', 'infra/doctor/planted.ts', '../../functions/secrets/planted-leaf.ts'],
  ['local-uses-the-front-door', 'local/planted.ts', '../functions/http/planted-leaf.ts'],
  ['simulator-is-an-independent-oracle', 'local/thoughtspot/planted.ts', '../../functions/contract/functions.ts'],
  ['client-stands-alone', 'client/planted-room.ts', '../functions/contract/functions.ts'],
  ['client-has-no-packages', 'client/planted-package.ts', 'undici'],
  ['only-the-bindings-know-react', 'client/planted-react.ts', 'react'],
  ['aws-sdk-stays-in-its-room', 'functions/thoughtspot/planted-sdk.ts', '@aws-sdk/client-kms'],
  ['cdk-stays-in-infra', 'local/planted-cdk.ts', 'aws-cdk-lib'],
  ['nothing-ships-test-code', 'local/planted-test.ts', '../test/support/planted-leaf.ts'],
  ['tests-do-not-import-tests', 'test/unit/planted-one.test.ts', './planted-two.test.ts'],
  ['no-dev-packages-at-runtime', 'functions/wiring/planted-dev.ts', 'fast-check'],
];

/** Files that the plants import, where the project itself has no stable one to name. */
const LEAVES = [
  'functions/telemetry/planted-leaf.ts',
  'functions/secrets/planted-leaf.ts',
  'functions/wiring/planted-leaf.ts',
  'functions/http/planted-leaf.ts',
  'test/support/planted-leaf.ts',
  'test/unit/planted-two.test.ts',
];

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}
interface Report {
  readonly summary: { readonly violations: readonly Violation[] };
}

async function cruise(folder: string): Promise<readonly Violation[]> {
  const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...rooms];
  const bin = join(root, 'node_modules/.bin/depcruise');
  const { stdout } = await promisify(execFile)(bin, args, { cwd: folder, maxBuffer: 64 << 20 }).catch(
    (error: { stdout: string }) => error,
  );
  const report = JSON.parse(stdout) as Report;
  return report.summary.violations;
}

describe('the import rules', () => {
  let folder: string;
  let violations: readonly Violation[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'import-rules-'));
    const copy = (path: string) => {
      cpSync(join(root, path), join(folder, path), { recursive: true });
    };
    ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json', 'functions', 'local/thoughtspot'].forEach(copy);
    rooms.forEach((room) => mkdirSync(join(folder, room), { recursive: true }));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const write = (file: string, text: string) => {
      mkdirSync(join(folder, dirname(file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    };
    LEAVES.forEach((leaf) => write(leaf, 'export const leaf = true;\n'));
    PLANTS.forEach(([, file, target]) => write(file, `import '${target}';\nexport const planted = true;\n`));
    write('functions/telemetry/planted-b.ts', "import './planted-a.ts';\n");
    violations = await cruise(folder);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(PLANTS)('%s catches a planted import in %s', (rule, file) => {
    const caught = violations.filter((violation) => violation.from === file).map((violation) => violation.rule.name);
    expect(caught).toContain(rule);
  });

  test('every rule of the configuration has a plant', () => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the tool's own configuration is CommonJS
    const { forbidden } = require('../../.dependency-cruiser.cjs') as { forbidden: { name: string }[] };
    expect(PLANTS.map(([rule]) => rule).sort()).toEqual(forbidden.map(({ name }) => name).sort());
  });

  test('nothing but the plants is caught', () => {
    const planted = new Set([...PLANTS.map(([, file]) => file), 'functions/telemetry/planted-b.ts']);
    expect(violations.filter(({ from }) => !planted.has(from))).toEqual([]);
  });
});
