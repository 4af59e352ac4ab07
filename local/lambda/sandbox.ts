/** One sandbox: a Node process under the Runtime API, which runs one invocation at a time. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { functionArn, sandboxEnvironment } from './environment.ts';
import { guard, release } from './orphan-guard.ts';
import { lineSplitter, type OutputLog } from './output.ts';
import { startRuntimeApi, type RuntimeApi } from './runtime-api.ts';

export interface SandboxSettings {
  readonly functionName: string;
  /** Folder of the deployed package. */
  readonly taskRoot: string;
  readonly handler: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly memoryMb: number;
  /** The runtime's file, as `buildBootstrap` makes it. */
  readonly bootstrap: string;
  /**
   * How far the sandbox's clock (Date.now) is ahead of this machine's, ms: to see what a wrong clock does. A function says
   * it of a clock that its variables move (NODE_OPTIONS).
   */
  readonly clockOffsetMs?: number | (() => number);
  /** Stop the process between invocations, as Lambda does. */
  readonly freeze: boolean;
  readonly output: OutputLog;
}

export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

export type Outcome =
  { readonly kind: 'answer'; readonly payload: string } | { readonly kind: 'error'; readonly error: FunctionError };

/** Why a sandbox never became ready: its code threw at load, its process ended, or it took too long. */
export class InitFailure extends Error {
  override readonly name = 'InitFailure';
  readonly error: FunctionError;

  constructor(error: FunctionError) {
    super(error.errorMessage);
    this.error = error;
  }
}

interface Running {
  readonly requestId: string;
  outcome: Outcome | undefined;
  /** The sandbox has asked for work again, or is gone. */
  readonly over: PromiseWithResolvers<void>;
}

export class Sandbox {
  readonly #settings: SandboxSettings;
  readonly #ready = Promise.withResolvers<void>();
  readonly #exit = Promise.withResolvers<void>();
  #api: RuntimeApi | undefined;
  #process: ChildProcess | undefined;
  #running: Running | undefined;
  #frozen = false;
  #alive = true;

  constructor(settings: SandboxSettings) {
    this.#settings = settings;
    this.#ready.promise.catch(() => undefined);
  }

  /** Starts the process and resolves once it has asked for its first event. Throws `InitFailure`. Once only; ms. */
  async start(initTimeoutMs: number): Promise<void> {
    const timer = setTimeout(() => {
      const errorMessage = `Error: Init did not finish within ${(initTimeoutMs / 1000).toFixed(2)} seconds`;
      this.#ready.reject(new InitFailure({ errorType: 'Sandbox.Timedout', errorMessage }));
    }, initTimeoutMs);
    try {
      await this.#launch();
      await this.#ready.promise;
    } catch (error) {
      await this.kill();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /**
   * Runs one event and resolves when the sandbox is idle again, gone, or over `timeoutMs` (then it is killed).
   * A failure of the function is an outcome, not an exception.
   */
  async invoke(requestId: string, payload: string, timeoutMs: number): Promise<Outcome> {
    const running: Running = { requestId, outcome: undefined, over: Promise.withResolvers() };
    this.#running = running;
    const timer = setTimeout(() => {
      running.outcome ??= {
        kind: 'error',
        error: {
          errorType: 'Sandbox.Timedout',
          errorMessage: `RequestId: ${requestId} Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`,
        },
      };
      void this.kill();
    }, timeoutMs);
    this.#thaw();
    const { clockOffsetMs = 0 } = this.#settings;
    this.#api?.send({
      requestId,
      payload,
      deadline: Date.now() + timeoutMs + (typeof clockOffsetMs === 'number' ? clockOffsetMs : clockOffsetMs()),
      functionArn: functionArn(this.#settings.functionName),
      traceId: `Root=1-${Math.floor(Date.now() / 1000).toString(16)}-${randomBytes(12).toString('hex')};Sampled=0`,
    });
    await running.over.promise;
    clearTimeout(timer);
    this.#running = undefined;
    if (this.#alive) this.#freeze();
    return running.outcome ?? { kind: 'error', error: { errorType: 'Runtime.Unknown', errorMessage: 'No answer' } };
  }

  /** Ends the process at once, frozen or not, and resolves when it is gone. */
  async kill(): Promise<void> {
    this.#alive = false;
    if (this.#process === undefined) return;
    this.#process.kill('SIGKILL');
    await this.#exit.promise;
  }

  /** Most memory the process ever held, MB; undefined where the system does not say. */
  peakMemoryMb(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.#process?.pid}/status`, 'utf8');
      const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
      return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1024);
    } catch {
      return undefined;
    }
  }

  async #launch(): Promise<void> {
    const {
      functionName,
      handler,
      memoryMb,
      taskRoot,
      variables,
      output,
      bootstrap,
      clockOffsetMs = 0,
    } = this.#settings;
    this.#api = await startRuntimeApi(() => this.#running?.requestId, {
      idle: () => this.#idle(),
      initFailed: (error) => this.#ready.reject(new InitFailure(parseError(error))),
      answered: (id, payload) => this.#conclude(id, { kind: 'answer', payload }),
      failed: (id, error) => this.#conclude(id, { kind: 'error', error: parseError(error) }),
    });
    // Killed while it was still on its way: no process may start after that.
    if (!this.#alive) return this.#gone('killed before it started');
    const runtimeApi = this.#api.address;
    const logStream = `local/[$LATEST]${randomUUID().replaceAll('-', '')}`;
    const heap = `--max-old-space-size=${Math.floor(memoryMb * 0.9)}`;
    const child = spawn(process.execPath, [heap, ...shiftedClock(clockOffsetMs), bootstrap], {
      cwd: taskRoot,
      env: sandboxEnvironment({ functionName, handler, memoryMb, taskRoot, runtimeApi, logStream }, variables),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    if (child.pid !== undefined) guard(child.pid);
    for (const stream of ['stdout', 'stderr'] as const) {
      const split = lineSplitter((line) => output.append(functionName, stream, line));
      child[stream]
        .setEncoding('utf8')
        .on('data', split)
        .on('end', () => split(undefined));
    }
    child.on('error', (error) => this.#gone(`could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      if (child.pid !== undefined) release(child.pid);
      this.#gone(signal === null ? `exit status ${code}` : `signal: ${signal === 'SIGKILL' ? 'killed' : signal}`);
    });
  }

  #idle(): void {
    this.#ready.resolve();
    this.#running?.over.resolve();
  }

  #conclude(requestId: string, outcome: Outcome): void {
    if (this.#running?.requestId === requestId) this.#running.outcome ??= outcome;
  }

  #gone(how: string): void {
    this.#alive = false;
    const prefix = this.#running === undefined ? '' : `RequestId: ${this.#running.requestId} `;
    const error = { errorType: 'Runtime.ExitError', errorMessage: `${prefix}Error: Runtime exited with error: ${how}` };
    this.#ready.reject(new InitFailure(error));
    if (this.#running !== undefined) {
      this.#running.outcome ??= { kind: 'error', error };
      this.#running.over.resolve();
    }
    void this.#api?.close();
    this.#exit.resolve();
  }

  #freeze(): void {
    if (!this.#settings.freeze || process.platform === 'win32') return;
    this.#frozen = this.#process?.kill('SIGSTOP') ?? false;
  }

  #thaw(): void {
    if (this.#frozen) this.#process?.kill('SIGCONT');
    this.#frozen = false;
  }
}

/** Node's options that set the clock off before anything else runs. */
function shiftedClock(ms: number | (() => number)): string[] {
  return typeof ms !== 'number' || ms === 0
    ? []
    : ['--import', `data:text/javascript,const now = Date.now; Date.now = () => now() + ${Math.round(ms)};`];
}

function parseError(body: string): FunctionError {
  try {
    const { errorType, errorMessage, trace } = JSON.parse(body) as Partial<FunctionError>;
    return { errorType: String(errorType), errorMessage: String(errorMessage), ...(trace && { trace }) };
  } catch {
    return { errorType: 'Runtime.Unknown', errorMessage: 'The runtime reported an error that is not JSON.' };
  }
}
