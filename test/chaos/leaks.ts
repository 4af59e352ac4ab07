/** Finds any of many secrets in much text: a window of each form of each secret, looked up in every long word. */
import { formsOf } from '../support/canaries.ts';

const WINDOW = 24;
const LONG_WORD = /[A-Za-z0-9+/=_%.-]{24,}/g;

/** Names of the secrets that occur in any of the texts, raw, URL-encoded or in base64. Secrets have 28 characters or more. */
export function leaksAmong(texts: Iterable<string>, secrets: ReadonlyMap<string, string>): string[] {
  const windows = new Map<string, string>();
  for (const [secret, name] of secrets) {
    for (const form of formsOf(secret)) {
      // From the middle: beginnings are the same in many tokens, ends are padding.
      const from = Math.max(0, Math.floor((form.length - WINDOW) / 2));
      windows.set(form.slice(from, from + WINDOW), name);
    }
  }
  const found = new Set<string>();
  for (const text of texts) {
    for (const [word] of text.matchAll(LONG_WORD)) {
      for (let at = 0; at + WINDOW <= word.length; at += 1) {
        const name = windows.get(word.slice(at, at + WINDOW));
        if (name !== undefined) found.add(name);
      }
    }
  }
  return [...found];
}
