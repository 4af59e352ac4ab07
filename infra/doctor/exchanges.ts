import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, ConnectionError } from '../../functions/thoughtspot/session-controller.ts';
import type { ApiResponse } from '../../functions/thoughtspot/session-controller.ts';
import type { Exchange } from '../../functions/thoughtspot/transport.ts';

const BUSY_TRIES = 5;
const BUSY_WAIT_MS = 200;

/**
 * Sends a request, and again a few times after a 429, after which nothing was done: the doctor calls faster than the burst
 * of 10 that ThoughtSpot allows (wire facts 4), and has to end what it made.
 */
export async function unlessBusy(send: () => Promise<Exchange>): Promise<Exchange> {
  let exchange = await send();
  for (let again = 0; again < BUSY_TRIES && isBusy(exchange); again += 1) {
    await sleep(BUSY_WAIT_MS);
    exchange = await send();
  }
  return exchange;
}

const isBusy = (exchange: Exchange): boolean => exchange.kind === 'reply' && exchange.reply.status === 429;

/** The answer to a call of the controller, as what the broker judges. */
export async function exchangeOf(call: Promise<ApiResponse<unknown>>): Promise<Exchange> {
  try {
    return replied(await call);
  } catch (error) {
    if (error instanceof ApiError) return replied(error);
    if (error instanceof ConnectionError) return error.lost;
    throw error;
  }
}

function replied({ statusCode: status, headers, body }: ApiResponse<unknown>): Exchange {
  return { kind: 'reply', reply: { status, headers, body } };
}

/** Name and value of every cookie that an answer sets. */
export function cookiesOf(headers: ApiResponse<unknown>['headers']): string {
  const pairs = [...(headers['set-cookie'] ?? '').matchAll(/(?:^|, )([\w.-]+=[^;,\s]+)/g)];
  return pairs.map(([, pair]) => pair).join('; ');
}
