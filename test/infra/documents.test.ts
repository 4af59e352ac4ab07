import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser';
import { parse } from 'yaml';
import { ALARM_HEADINGS } from '../../infra/constructs/alarm-list.ts';
import { knownEnvironments } from '../../infra/environment-list.ts';
import { resources, synthesizedEnvironments } from '../support/synthesized.ts';

const root = path.join(import.meta.dirname, '..', '..');
const read = (...file: string[]) => readFileSync(path.join(root, ...file), 'utf8');

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}
interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: Record<
    string,
    {
      readonly steps?: Step[];
      readonly uses?: string;
      readonly needs?: string | string[];
      readonly permissions?: Record<string, string>;
      readonly concurrency?: { group: string; 'cancel-in-progress': boolean };
      readonly strategy?: { matrix: Record<string, unknown> };
    }
  >;
}
const workflows = readdirSync(path.join(root, '.github', 'workflows')).map((name) => ({
  name,
  workflow: parse(read('.github', 'workflows', name)) as Workflow,
}));

describe('the runbook', () => {
  const headings = [...read('docs', 'runbook.md').matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);

  test('has one heading per alarm, under the very name of the alarm, and none besides', () => {
    expect([...headings].sort()).toEqual([...ALARM_HEADINGS].sort());
  });

  test('says something under every heading', () => {
    const sections = read('docs', 'runbook.md')
      .split(/^#{2,3} .+$/m)
      .slice(1);
    // A group's own text comes before its first alarm, except in groups whose alarms need none.
    const silent = sections.filter((section) => section.trim() === '').length;
    expect(silent).toBeLessThanOrEqual(5);
  });
});

test('docs/security.md lists every acknowledged finding with its reason, and no other', () => {
  const [, section = ''] = /## Acknowledged findings[^\n]*\n([^]*?)\n## /.exec(read('docs', 'security.md')) ?? [];
  const listed = [...section.matchAll(/^\| `(.+?)` +\| (.+?) +\|$/gm)].map(([, id, reason]) => [id, reason]);
  const acknowledged = new Map(
    synthesizedEnvironments().flatMap((one) => [...one.acknowledged].filter(([id]) => id.startsWith('AwsSolutions'))),
  );
  expect(listed.sort()).toEqual([...acknowledged].sort());
});

/** What GitHub's own parser finds wrong with a workflow: its schema, and the expressions in it. */
async function faultsOfWorkflow(name: string, content: string): Promise<string[]> {
  const { context, value } = parseWorkflow({ name, content }, new NoOperationTraceWriter());
  if (value) await convertWorkflowTemplate(context, value);
  return context.errors.getErrors().map(({ message }) => message);
}

test('what GitHub would refuse in a workflow is found', async () => {
  const content = 'on: push\njobs:\n  a:\n    runs-on: x\n    stepps: []\n    steps:\n      - run: ${{ vars.x ) }}\n';
  expect(await faultsOfWorkflow('bad.yml', content)).toEqual([
    expect.stringContaining('stepps'),
    expect.stringContaining("')'"),
  ]);
});

/** An action, its commit and the release in the comment behind it. */
const PINNED = /uses: ([\w./-]+)@([0-9a-f]{40})(?: # (\S+))?$/gm;

describe.each(workflows)('the workflow $name', ({ name, workflow }) => {
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  test("is one by GitHub's own schema", async () => {
    expect(await faultsOfWorkflow(name, read('.github', 'workflows', name))).toEqual([]);
  });

  test('calls only scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const called = steps.flatMap(({ run = '' }) =>
      [...run.matchAll(/npm (?:run (?:--silent )?([\w:-]+)|(test))/g)].map(([, script, test]) => script ?? test ?? ''),
    );
    expect(called.filter((script) => !(script in scripts))).toEqual([]);
  });

  test('pins every action to a commit, and holds no stored credential', () => {
    const used = [...steps, ...jobs].flatMap(({ uses }) => uses ?? []);
    expect(used.filter((action) => !/^\.\//.test(action) && !/@[0-9a-f]{40}$/.test(action))).toEqual([]);
    expect(JSON.stringify(workflow)).not.toMatch(/secrets\.|aws-access-key-id|AWS_SECRET/);
    expect(workflow.permissions).toEqual({ contents: 'read' });
  });

  test('says of each pinned commit which release it is, the same one everywhere', () => {
    const pins = workflows.flatMap((one) => [...read('.github', 'workflows', one.name).matchAll(PINNED)]);
    for (const [line, action = '', commit, version] of pins) {
      expect([line, version]).toEqual([line, expect.stringMatching(/^v\d+\.\d+\.\d+$/)]);
      const others = pins.filter(([, other = '']) => other.split('/', 2).join() === action.split('/', 2).join());
      expect(others.map(([, , of]) => of)).toEqual(others.map(() => commit));
    }
  });

  test('passes what it is given to the shell by environment variables only', () => {
    for (const { run = '' } of steps) expect(run).not.toContain('${{');
  });

  test('leaves no credential of git behind, and a job that may sign takes no package with its scripts', () => {
    for (const step of steps.filter(({ uses = '' }) => uses.startsWith('actions/checkout@')))
      expect(step.with?.['persist-credentials']).toBe(false);
    for (const job of jobs.filter(({ permissions }) => permissions?.['id-token'] === 'write'))
      for (const { run = '' } of job.steps ?? []) expect(run).not.toMatch(/npm ci(?! --ignore-scripts)/);
  });

  test('names no environment: the files of infra/environments are the list', () => {
    const lines = read('.github', 'workflows', name).split('\n');
    const word = new RegExp(`\\b(${knownEnvironments().join('|')})\\b`);
    // `staging` is a purpose too.
    const purposes = /^\s*(#.*|staging: .*|staging:|needs: .*|if: .*|environment: \$\{\{ fromJSON.*)$/;
    expect(lines.filter((line) => word.test(line) && !purposes.test(line))).toEqual([]);
  });
});

describe('what is deployed', () => {
  const jobsOf = (file: string) => workflows.find(({ name }) => name === file)?.workflow.jobs ?? {};
  const { build, attest, ...rest } = jobsOf('deploy.yml');
  const { deploy } = jobsOf('deploy-one.yml');
  const runs = (job: typeof deploy) => (job?.steps ?? []).flatMap(({ run }) => run ?? []);

  test('is built once, in a job that cannot sign and runs no script of a package', () => {
    expect(build?.permissions).toBeUndefined();
    expect(runs(build)[0]).toBe('npm ci --ignore-scripts');
    const builders = Object.values({ ...rest, attest, deploy }).filter((job) =>
      runs(job).some((run) => /synth|assemble|sbom/.test(run)),
    );
    expect(builders).toEqual([]);
  });

  test('is attested in a job that runs no code of the project', () => {
    expect(attest?.permissions).toEqual({ 'id-token': 'write', attestations: 'write' });
    expect(attest?.steps?.map(({ uses = '' }) => uses.split('@')[0])).toEqual([
      'actions/download-artifact',
      'actions/attest-build-provenance',
    ]);
  });

  test('is verified before anything of the project or of AWS is there, and nothing is built again', () => {
    const [download, verify] = deploy?.steps ?? [];
    expect(download?.uses).toMatch(/^actions\/download-artifact@/);
    expect(verify?.run).toMatch(
      /^gh attestation verify "assemblies\/\$ENVIRONMENT\.tar" --repo "\$GITHUB_REPOSITORY" /,
    );
    expect(verify?.run).toContain('--signer-workflow "$GITHUB_REPOSITORY/.github/workflows/deploy.yml"');
    expect(verify?.run).toContain('--source-ref "$GITHUB_REF" --source-digest "$GITHUB_SHA"');
    const commands = runs(deploy).filter((run) => run.includes('npm run'));
    expect(commands).toHaveLength(2);
    for (const command of commands) expect(command).toContain('--assembly ../assembly');
  });

  test('goes to each environment there is, in a queue of its own', () => {
    expect(deploy?.concurrency).toEqual({ group: 'deploy-${{ inputs.environment }}', 'cancel-in-progress': false });
    expect(workflows.find(({ name }) => name === 'deploy.yml')?.workflow).not.toHaveProperty('concurrency');
    const waves = Object.entries(rest).filter(([, { uses }]) => uses === './.github/workflows/deploy-one.yml');
    expect(waves.map(([name, { strategy }]) => [name, strategy?.matrix['environment']])).toEqual(
      ['development', 'staging', 'production'].map((one) => [one, `\${{ fromJSON(needs.build.outputs.${one}) }}`]),
    );
    expect(jobsOf('ci.yml')['synth']?.strategy?.matrix['environment']).toBe(
      '${{ fromJSON(needs.environments.outputs.names) }}',
    );
  });
});

test('the cost of a million tokens in docs/deploy.md is the sum of its lines, and reuse makes it smaller', () => {
  const [, section = ''] = /## What it costs\n([^]*?\n\| \*\*total\*\*[^\n]*\n)/.exec(read('docs', 'deploy.md')) ?? [];
  const rows = [...section.matchAll(/^\| (\*\*total\*\*|\w[^|]*).*\| ([\d.]+) +\| ([\d.]+) +\|$/gm)];
  const [total, ...lines] = rows.map(([, what, ...cells]) => ({ what, dollars: cells.map(Number) })).reverse();
  expect([total?.what, lines.length]).toEqual(['**total**', 5]);
  const sums = [0, 1].map((column) => lines.reduce((sum, { dollars }) => sum + (dollars[column] ?? NaN), 0));
  expect(total?.dollars.map((dollars) => dollars.toFixed(2))).toEqual(sums.map((sum) => sum.toFixed(2)));
  expect(sums[1]).toBeLessThan((sums[0] ?? 0) / 2);
});

test('docs/deploy.md counts the alarms that there are', () => {
  const prod = synthesizedEnvironments().find(({ name }) => name === 'prod');
  const count = (kind: string) => (prod ? resources(prod, `AWS::CloudWatch::${kind}`).length : 0);
  expect(read('docs', 'deploy.md')).toContain(
    `${count('Alarm')} alarms at 0.10 and ${count('CompositeAlarm')} combined ones at 0.50`,
  );
});
