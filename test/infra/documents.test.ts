import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser';
import { parse } from 'yaml';
import { ALARM_HEADINGS } from '../../functions/contract/alarms.ts';
import { knownEnvironments } from '../../infra/environment-files.ts';
import { synthesizedEnvironments } from '../support/synthesized.ts';

const root = path.join(import.meta.dirname, '..', '..');
const read = (...file: string[]) => readFileSync(path.join(root, ...file), 'utf8');

interface Step {
  readonly uses?: string;
  readonly run?: string;
}
interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: Record<
    string,
    {
      readonly steps?: Step[];
      readonly uses?: string;
      readonly strategy?: { matrix: { environment: string[] } };
      readonly with?: { environment: string };
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
  const listed = [...read('docs', 'security.md').matchAll(/^\| `(.+?)` +\| (.+?) +\|$/gm)].map(([, id, reason]) => [
    id,
    reason,
  ]);
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
    expect(workflow.permissions['contents']).toBe('read');
  });

  test('passes what it is given to the shell by environment variables only', () => {
    for (const { run = '' } of steps) expect(run.replace('${{ matrix.environment }}', '')).not.toContain('${{');
  });
});

test('the workflows synthesize and deploy every environment there is', () => {
  const job = (file: string) => workflows.find(({ name }) => name === file)?.workflow.jobs ?? {};
  expect([...(job('ci.yml')['synth']?.strategy?.matrix.environment ?? [])].sort()).toEqual(knownEnvironments());
  const deployed = Object.values(job('deploy.yml')).flatMap((one) => one.with?.environment ?? []);
  expect(deployed.sort()).toEqual(knownEnvironments());
});

test('the cost of a million tokens in docs/deploy.md is the sum of its lines, and reuse makes it smaller', () => {
  const [, section = ''] = /## What it costs\n([^]*?)\n## /.exec(read('docs', 'deploy.md')) ?? [];
  const rows = [...section.matchAll(/^\| (\*\*total\*\*|\w[^|]*).*\| ([\d.]+) +\| ([\d.]+) +\|$/gm)];
  const [total, ...lines] = rows.map(([, what, ...cells]) => ({ what, dollars: cells.map(Number) })).reverse();
  expect([total?.what, lines.length]).toEqual(['**total**', 7]);
  const sums = [0, 1].map((column) => lines.reduce((sum, { dollars }) => sum + (dollars[column] ?? NaN), 0));
  expect(total?.dollars.map((dollars) => dollars.toFixed(2))).toEqual(sums.map((sum) => sum.toFixed(2)));
  expect(sums[1]).toBeLessThan((sums[0] ?? 0) / 2);
});

test('docs/deploy.md counts the alarms that there are', () => {
  expect(read('docs', 'deploy.md')).toContain(`${ALARM_HEADINGS.length} alarms at 0.10`);
});
