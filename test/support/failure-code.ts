import { Failure } from '../../functions/broker/failure.ts';

/** The code of the failure that a call ends with; words that are no code if it ends in any other way. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'no failure';
  } catch (error) {
    return error instanceof Failure ? error.code : `not a Failure: ${String(error)}`;
  }
}
