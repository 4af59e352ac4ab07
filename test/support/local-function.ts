/** Small test functions that run in real sandboxes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBootstrap } from '../../local/function-set.ts';
import { LocalFunction, type LocalFunctionSettings } from '../../local/lambda/local-function.ts';
import { OutputLog } from '../../local/lambda/output.ts';

export interface FunctionBench {
  readonly output: OutputLog;
  /** A function with this CommonJS source as its bundle. */
  make(source: string, settings?: Partial<LocalFunctionSettings>): Promise<LocalFunction>;
  /** A folder that contains this bundle, for `replace`. */
  folder(source: string): Promise<string>;
  /** Ends every sandbox and removes the files. */
  close(): Promise<void>;
}

export async function makeFunctionBench(): Promise<FunctionBench> {
  const workspace = await mkdtemp(join(tmpdir(), 'function-bench-'));
  const bootstrap = await buildBootstrap(workspace);
  const output = new OutputLog();
  const made: LocalFunction[] = [];
  const folder = async (source: string) => {
    const taskRoot = await mkdtemp(join(workspace, 'code-'));
    await writeFile(join(taskRoot, 'index.cjs'), source);
    return taskRoot;
  };
  return {
    output,
    folder,
    async make(source, settings = {}) {
      const local = new LocalFunction({
        functionName: 'sample',
        taskRoot: await folder(source),
        handler: 'index.handler',
        variables: {},
        memoryMb: 256,
        bootstrap,
        freeze: true,
        output,
        timeoutMs: 20_000,
        ...settings,
      });
      made.push(local);
      return local;
    },
    async close() {
      await Promise.all(made.map((local) => local.close()));
      await rm(workspace, { recursive: true, force: true });
    },
  };
}

/** Whether a process with this id exists and accepts signals from this one. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves once the process is gone. It polls, since the end of another process's child raises no event. */
export async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
}
