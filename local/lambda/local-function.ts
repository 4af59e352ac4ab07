/** A Lambda function on this machine: a pool of sandboxes, one invocation each, up to its reserved concurrency. */
import { randomUUID } from 'node:crypto';
import { InitFailure, Sandbox, type FunctionError, type SandboxSettings } from './sandbox.ts';

export interface LocalFunctionSettings extends SandboxSettings {
  /** The function's own limit on an invocation, ms. */
  readonly timeoutMs: number;
  /** Lambda's limit on loading the code, ms. */
  readonly initTimeoutMs?: number;
  /** More invocations at once than this are refused. */
  readonly reservedConcurrency?: number;
  /** A sandbox without work for so long is taken away, ms. */
  readonly idleMs?: number;
}

export type Invocation = {
  readonly requestId: string;
  /** The invocation started a sandbox, and how long its init took, ms. */
  readonly coldStart: boolean;
  readonly initMs?: number;
  readonly durationMs: number;
} & (
  | { readonly status: 'answered'; readonly payload: string }
  /** The function threw, crashed, timed out or could not be loaded. */
  | { readonly status: 'failed'; readonly error: FunctionError }
  /** No sandbox was free and none may be started: Lambda's 429 TooManyRequestsException. */
  | { readonly status: 'throttled' }
);

export interface FunctionStatistics {
  readonly invocations: number;
  readonly failures: number;
  readonly throttles: number;
  readonly coldStarts: number;
  readonly sandboxes: number;
}

interface Slot {
  sandbox: Sandbox | undefined;
  busy: boolean;
  /** Its code has been replaced: let it finish, then end it. */
  retired: boolean;
  expiry: NodeJS.Timeout | undefined;
}

export class LocalFunction {
  #settings: LocalFunctionSettings;
  readonly #slots = new Set<Slot>();
  readonly #counts = { invocations: 0, failures: 0, throttles: 0, coldStarts: 0 };
  #closed = false;

  constructor(settings: LocalFunctionSettings) {
    this.#settings = settings;
  }

  get name(): string {
    return this.#settings.functionName;
  }

  /** Environment variables of the sandboxes to come, in addition to Lambda's own. */
  get variables(): Readonly<Record<string, string>> {
    return this.#settings.variables;
  }

  get timeoutMs(): number {
    return this.#settings.timeoutMs;
  }

  /** Runs the event (any JSON value) in a free sandbox, or in a new one. Never throws for what the function does. */
  async invoke(event: unknown): Promise<Invocation> {
    this.#counts.invocations += 1;
    const requestId = randomUUID();
    const settings = this.#settings;
    let slot = this.#free();
    const coldStart = slot === undefined;
    let initMs: number | undefined;
    if (slot === undefined) {
      if (this.#closed || this.#slots.size >= (settings.reservedConcurrency ?? 10)) {
        this.#counts.throttles += 1;
        return { requestId, coldStart: false, durationMs: 0, status: 'throttled' };
      }
      slot = { sandbox: undefined, busy: true, retired: false, expiry: undefined };
      // The place is taken before the process starts: two requests in the same instant must not both get the last one.
      this.#slots.add(slot);
      this.#counts.coldStarts += 1;
      const started = performance.now();
      try {
        slot.sandbox = new Sandbox(settings);
        await slot.sandbox.start(settings.initTimeoutMs ?? 10_000);
      } catch (error) {
        this.#slots.delete(slot);
        if (!(error instanceof InitFailure)) throw error;
        return this.#failed(requestId, performance.now() - started, error.error);
      }
      initMs = performance.now() - started;
    }
    slot.busy = true;
    clearTimeout(slot.expiry);
    const { sandbox } = slot;
    if (sandbox === undefined) throw new Error('A sandbox without a process was chosen.');

    this.#say(`START RequestId: ${requestId} Version: $LATEST`);
    const started = performance.now();
    const outcome = await sandbox.invoke(requestId, JSON.stringify(event) ?? 'null', settings.timeoutMs);
    const durationMs = performance.now() - started;
    this.#report(requestId, durationMs, initMs, sandbox.peakMemoryMb());
    this.#giveBack(slot);

    const timing = { requestId, coldStart, durationMs, ...(initMs !== undefined && { initMs }) };
    if (outcome.kind === 'answer') return { ...timing, status: 'answered', payload: outcome.payload };
    this.#counts.failures += 1;
    this.#say(`${requestId} ${outcome.error.errorType} ${outcome.error.errorMessage}`);
    return { ...timing, status: 'failed', error: outcome.error };
  }

  /** New code or settings: idle sandboxes end now, busy ones after their request; the next request starts afresh. */
  replace(changes: Partial<LocalFunctionSettings>): void {
    this.#settings = { ...this.#settings, ...changes };
    for (const slot of this.#slots) {
      slot.retired = true;
      if (!slot.busy) this.#end(slot);
    }
  }

  statistics(): FunctionStatistics {
    return { ...this.#counts, sandboxes: this.#slots.size };
  }

  /** Process ids of the sandboxes that live now. */
  pids(): readonly number[] {
    return [...this.#slots].flatMap(({ sandbox }) => sandbox?.pid ?? []);
  }

  /** Most memory that any sandbox that lives now ever held, MB; undefined where the system does not say. */
  peakMemoryMb(): number | undefined {
    const peaks = [...this.#slots].flatMap(({ sandbox }) => sandbox?.peakMemoryMb() ?? []);
    return peaks.length === 0 ? undefined : Math.max(...peaks);
  }

  /** Kills every sandbox, busy or frozen, and takes no more invocations. Resolves when all processes are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#slots].map(async (slot) => {
        clearTimeout(slot.expiry);
        await slot.sandbox?.kill();
        this.#slots.delete(slot);
      }),
    );
  }

  /** A free sandbox whose process still lives; those that died in their sleep are forgotten on the way. */
  #free(): Slot | undefined {
    for (const slot of this.#slots) {
      if (slot.busy) continue;
      if (slot.sandbox?.alive === true) return slot;
      this.#end(slot);
    }
    return undefined;
  }

  #giveBack(slot: Slot): void {
    slot.busy = false;
    if (slot.retired || slot.sandbox?.alive !== true) return this.#end(slot);
    slot.expiry = setTimeout(() => this.#end(slot), this.#settings.idleMs ?? 300_000).unref();
  }

  #end(slot: Slot): void {
    clearTimeout(slot.expiry);
    this.#slots.delete(slot);
    void slot.sandbox?.kill();
  }

  #failed(requestId: string, durationMs: number, error: FunctionError): Invocation {
    this.#counts.failures += 1;
    this.#say(`INIT_REPORT RequestId: ${requestId} Status: error Error Type: ${error.errorType} ${error.errorMessage}`);
    return { requestId, coldStart: true, durationMs, status: 'failed', error };
  }

  #report(requestId: string, durationMs: number, initMs: number | undefined, peakMb: number | undefined): void {
    const fields = [
      `REPORT RequestId: ${requestId}`,
      `Duration: ${durationMs.toFixed(2)} ms`,
      `Billed Duration: ${Math.ceil(durationMs + (initMs ?? 0))} ms`,
      `Memory Size: ${this.#settings.memoryMb} MB`,
      ...(peakMb === undefined ? [] : [`Max Memory Used: ${peakMb} MB`]),
      ...(initMs === undefined ? [] : [`Init Duration: ${initMs.toFixed(2)} ms`]),
    ];
    this.#say(`END RequestId: ${requestId}`);
    this.#say(fields.join('\t'));
  }

  #say(text: string): void {
    this.#settings.output.append(this.name, 'platform', text);
  }
}
