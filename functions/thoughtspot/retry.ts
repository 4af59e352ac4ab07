import type { Clock, Randomness, Signals } from '../broker/ports.ts';
import type { SignalName } from '../contract/signals.ts';
import { outcomeOf, type Operation, type Outcome } from './dialects/dialect.ts';
import { certainlyNotDone, retryAfter, type DialectName } from './rejection.ts';
import type { Exchange, RequestParts, Transport } from './transport.ts';

/**
 * What sending a request again may do. `mint-writes`: it creates or changes a user. `mint`: it only makes a token.
 * `idempotent`: nothing that the first request has not done.
 */
export type Repeatable = 'mint-writes' | 'mint' | 'idempotent';

export interface CallDeps {
  readonly transport: Transport;
  readonly dialect: DialectName;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly signals: Signals;
}

const MAX_ATTEMPTS = 3;
const FIRST_BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 1_000;

/**
 * Sends with retries inside the deadline, never past it. Waits a jittered, doubling time; Retry-After, where given, is
 * the least. A wait that would not leave time for another attempt is not begun: the answer at hand is returned. At most
 * three attempts; a 409 does not count, since that is no sign of trouble: a sign-in storm through one variable is a queue,
 * and everybody who goes on asking gets through.
 */
export function makeCall({ transport, dialect, clock, randomness, signals }: CallDeps) {
  return async (parts: RequestParts, repeatable: Repeatable, deadline: number): Promise<Exchange> => {
    let conflicts = 0;
    for (let attempt = 1; ; attempt += 1) {
      const exchange = await transport.exchange(parts, deadline - clock.now());
      const signal = signalOf(exchange);
      if (signal !== undefined) signals.emit(signal);
      if (isConflict(exchange)) conflicts += 1;
      if (attempt - conflicts === MAX_ATTEMPTS || !mayRepeat(exchange, repeatable, dialect)) return exchange;
      const asked = exchange.kind === 'reply' ? (retryAfter(exchange.reply, clock.now()) ?? 0) : 0;
      const backoff = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempt - 1));
      const wait = Math.ceil(asked + backoff * (0.5 + randomness() / 2));
      if (clock.now() + wait >= deadline) return exchange;
      await clock.sleep(wait);
    }
  };
}

export type Perform = ReturnType<typeof makePerform>;

/** Sends one operation as `makeCall` does, and says what became of it. */
export function makePerform(deps: CallDeps) {
  const call = makeCall(deps);
  return async <Input, Value>(
    operation: Operation<Input, Value>,
    input: Input,
    repeatable: Repeatable,
    deadline: number,
  ): Promise<Outcome<Value>> => {
    const exchange = await call(operation.encode(input), repeatable, deadline);
    return outcomeOf(deps.dialect, operation, input, exchange, deps.clock.now());
  };
}

/**
 * | what came | mint that writes | mint | idempotent |
 * |---|---|---|---|
 * | nothing, and nothing was sent | yes | yes | yes |
 * | nothing, after it was sent | no | no | yes, unless it timed out |
 * | 409, 429 | yes | yes | yes |
 * | 503 that says it was not handled (ThoughtSpot's error shape, maintenance page, Retry-After) | no | yes | yes |
 * | other 502, 503, 504 | no | no | yes |
 * | anything else | no | no | no |
 */
export function mayRepeat(exchange: Exchange, repeatable: Repeatable, dialect: DialectName): boolean {
  if (exchange.kind === 'lost') {
    if (exchange.cause === 'timeout' || exchange.cause === 'aborted') return false;
    return !exchange.sent || (repeatable === 'idempotent' && exchange.cause === 'reset');
  }
  const { status } = exchange.reply;
  if (status === 429 || isConflict(exchange)) return true;
  if (repeatable === 'idempotent') return status === 502 || status === 503 || status === 504;
  return status === 503 && repeatable === 'mint' && certainlyNotDone(exchange.reply, dialect);
}

function isConflict(exchange: Exchange): boolean {
  return exchange.kind === 'reply' && exchange.reply.status === 409;
}

function signalOf(exchange: Exchange): SignalName | undefined {
  if (exchange.kind === 'lost') return exchange.cause === 'aborted' ? undefined : 'upstream-unavailable';
  if (exchange.reply.status === 429) return 'upstream-busy';
  return exchange.reply.status >= 502 ? 'upstream-unavailable' : undefined;
}
