/** How the ledger calls AWS: never past the deadline, and every failure as one that callers know. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import type { Clock, Signals } from '../broker/ports.ts';
import { Failure } from '../broker/failure.ts';

/**
 * Options for the DynamoDB and KMS clients of the ledger. The SDK retries throttling, 5xx, resets and timeouts, three
 * attempts in all; `throwOnRequestTimeout` because without it the SDK only warns of a late answer and waits on.
 */
export const CLIENT_OPTIONS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_500, throwOnRequestTimeout: true },
} as const;

export interface CallsOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly signals?: Signals;
}

/** Runs `send` with a signal that aborts at `deadline` (epoch ms); `operation` names it to operators. */
export type Call = <Output>(
  operation: string,
  deadline: number,
  send: (abortSignal: AbortSignal) => Promise<Output>,
) => Promise<Output>;

/** AWS says that the broker may not, or that what it was told to use is not there: people have to act. */
const DENIED = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
]);

/** The same, said by KMS of a key: disabled, scheduled for deletion, gone, or not the one that wrapped the data key. */
const KEY_DENIED = new Set([
  ...DENIED,
  'DisabledException',
  'IncorrectKeyException',
  'InvalidCiphertextException',
  'InvalidGrantTokenException',
  'InvalidKeyUsageException',
  'KMSInvalidStateException',
  'NotFoundException',
]);

/** The request itself is at fault, which is a bug in the ledger: a retry would not help. */
const OUR_FAULT = new Set([
  'ValidationException',
  'SerializationException',
  'ItemCollectionSizeLimitExceededException',
]);

/** Calls of DynamoDB: `ledger-denied` or `ledger-unavailable`. A failed condition passes through as it is. */
export function makeTableCalls({ clock, signals }: CallsOptions): Call {
  return async (operation, deadline, send) => {
    try {
      return await beforeDeadline(clock, deadline, send);
    } catch (error) {
      if (error instanceof Failure || isFailedCondition(error)) throw error;
      const reason = `DynamoDB ${operation}: ${nameOf(error)}`;
      if (OUR_FAULT.has(nameOf(error))) throw new Failure('internal-error', { reason });
      if (!DENIED.has(nameOf(error))) throw new Failure('ledger-unavailable', { reason });
      signals?.emit('access-denied');
      throw new Failure('ledger-denied', { reason });
    }
  };
}

/** Calls of KMS: whatever goes wrong is `key-unavailable`; people are told if waiting does not help. */
export function makeKeyCalls({ clock, signals }: CallsOptions): Call {
  return async (operation, deadline, send) => {
    try {
      return await beforeDeadline(clock, deadline, send);
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (KEY_DENIED.has(nameOf(error))) signals?.emit('access-denied');
      throw new Failure('key-unavailable', { reason: `KMS ${operation}: ${nameOf(error)}` });
    }
  };
}

export function isFailedCondition(error: unknown): error is ConditionalCheckFailedException {
  return error instanceof ConditionalCheckFailedException;
}

/** Lets go at the deadline even where the work does not heed the signal, as between two attempts of the SDK. */
async function beforeDeadline<Output>(
  clock: Pick<Clock, 'now'>,
  deadline: number,
  work: (abortSignal: AbortSignal) => Promise<Output>,
): Promise<Output> {
  const remaining = deadline - clock.now();
  if (remaining <= 0) throw new DeadlineError();
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => {
        reject(new DeadlineError());
        abort.abort();
      },
      Math.min(remaining, LONGEST_TIMER_MS),
    );
  });
  try {
    return await Promise.race([work(abort.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** setTimeout takes no more than 31 bits of ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Only the name is told: messages of the SDK can hold parts of a request. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error';
}
