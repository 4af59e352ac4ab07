import type { Clock } from '../broker/ports.ts';
import { isObject } from '../contract/shapes.ts';

/** What is wrong, without a secret: for the log. */
export class ProbeFailure extends Error {}

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  /** Empty where the answer is no JSON object. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** One request from outside. Throws ProbeFailure if no whole answer comes by the deadline. */
export type Ask = (url: string, asked: Asked, deadline: number) => Promise<Answered>;

const LONGEST_MS = 25_000;

/** Asks by `fetch`. Redirects are answers, so that no token travels on. */
export function makeAsk(clock: Clock): Ask {
  return async (url, { method, headers, body }, deadline) => {
    const timeoutMs = Math.max(1, Math.min(LONGEST_MS, deadline - clock.now()));
    try {
      const answer = await fetch(url, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: answer.status, json: objectIn(await answer.text()) };
    } catch {
      throw new ProbeFailure(`no answer from ${new URL(url).host}`);
    }
  };
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : {};
  } catch {
    return {};
  }
}
