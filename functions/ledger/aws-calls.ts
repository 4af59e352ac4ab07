/** How the ledger calls AWS: never past the deadline, and every error as one of the failures that callers know. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import type { Clock, Signals } from '../broker/ports.ts';
import { Failure } from '../broker/failure.ts';

export interface AwsCallOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly signals?: Signals;
}

export type Send<Output> = (options: { readonly abortSignal: AbortSignal }) => Promise<Output>;

/** Sends with a signal that aborts at `deadline` (epoch ms); `operation` names the call to operators. */
export type AwsCall = <Output>(operation: string, deadline: number, send: Send<Output>) => Promise<Output>;

/** The broker has no permission, or what its configuration names does not exist: people must act. */
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

/** The same for a key in KMS: it is disabled, scheduled for deletion, gone, or not the one that wrapped the data key. */
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

/** The request itself is wrong, which is a bug in the ledger: a retry would not help. */
const MALFORMED = new Set([
  'ValidationException',
  'SerializationException',
  'ItemCollectionSizeLimitExceededException',
]);

/** Calls DynamoDB: `ledger-denied` or `ledger-unavailable`. A failed condition passes through as it is. */
export function makeDynamoDbCall({ clock, signals }: AwsCallOptions): AwsCall {
  return async (operation, deadline, send) => {
    try {
      return await beforeDeadline(clock, deadline, send);
    } catch (error) {
      if (error instanceof Failure || isFailedCondition(error)) throw error;
      const reason = `DynamoDB ${operation}: ${nameOf(error)}`;
      if (MALFORMED.has(nameOf(error))) throw new Failure('internal-error', { reason });
      if (!DENIED.has(nameOf(error))) throw new Failure('ledger-unavailable', { reason });
      signals?.emit('access-denied');
      throw new Failure('ledger-denied', { reason });
    }
  };
}

/** Calls KMS: every error is `key-unavailable`; operators are alerted where waiting does not help. */
export function makeKmsCall({ clock, signals }: AwsCallOptions): AwsCall {
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

/** setTimeout accepts at most 31 bits of ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Ends at the deadline even where `send` does not heed the signal, as between two attempts of the SDK. */
async function beforeDeadline<Output>(
  clock: Pick<Clock, 'now'>,
  deadline: number,
  send: Send<Output>,
): Promise<Output> {
  const remaining = deadline - clock.now();
  if (remaining <= 0) throw new DeadlineError();
  const abort = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const end = () => {
    reject(new DeadlineError());
    abort.abort();
  };
  const timer = setTimeout(end, Math.min(remaining, LONGEST_TIMER_MS));
  try {
    return await Promise.race([send({ abortSignal: abort.signal }), late]);
  } finally {
    clearTimeout(timer);
  }
}

class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Only the name is kept: messages of the SDK can hold parts of a request. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error';
}
