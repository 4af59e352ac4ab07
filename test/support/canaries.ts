/** Every form in which a secret could occur: raw, URL-encoded, and base64 at each alignment between other bytes. */
export function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const inner = [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const part = whole.slice(Math.ceil((offset * 4) / 3), Math.floor(((offset + bytes.length) * 4) / 3));
    return [part, part.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [...new Set([secret, encodeURIComponent(secret), ...inner])];
}

/** Names of the secrets that occur in a text in any form. */
export function leaksIn(text: string, secrets: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(secrets)
    .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
    .map(([name]) => name);
}

const WINDOW = 24;
const LONG_WORD = /[A-Za-z0-9+/=_%.-]{24,}/g;

/**
 * Searches much text for many secrets: it looks up a window of each form of each secret in every long word. Returns the
 * names of the secrets that occur in any of the texts, raw, URL-encoded or in base64. Secrets must have at least 28
 * characters.
 */
export function leaksAmong(texts: Iterable<string>, secrets: ReadonlyMap<string, string>): string[] {
  const windows = new Map<string, string>();
  for (const [secret, name] of secrets) {
    for (const form of formsOf(secret)) {
      // From the middle, since many tokens begin in the same way, and their ends are padding.
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
