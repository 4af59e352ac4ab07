const SHORTEST = 6;

/** A set of secret strings that can take themselves out of a text in every form in which they travel. */
export interface KnownSecrets {
  /** Remembers a secret for the life of the sandbox (`keep`) or until `forget`. Too short ones are left to key names. */
  readonly conceal: (secret: string, options?: { readonly keep?: boolean }) => void;
  /** Replaces every known secret: raw, JSON-escaped, URL-encoded, base64 and base64url, also amid a longer base64. */
  readonly hide: (text: string) => string;
  /** Forgets all that were not to be kept: called at the end of each invocation. */
  readonly forget: () => void;
}

/**
 * Patterns cannot distinguish a GUID that is a key from a request id, so the code that holds a secret registers it.
 * At most `limit` secrets of one invocation are remembered, the newest ones: every line is searched for each. No run has
 * more tokens open at once (broker/sweep.ts).
 */
export function makeKnownSecrets(limit = 64): KnownSecrets {
  const kept = new Map<string, readonly string[]>();
  const passing = new Map<string, readonly string[]>();

  return {
    conceal(secret, options = {}) {
      if (secret.length < SHORTEST || kept.has(secret)) return;
      (options.keep === true ? kept : passing).set(secret, formsOf(secret));
      const [oldest] = passing.keys();
      if (passing.size > limit && oldest !== undefined) passing.delete(oldest);
    },
    hide(text) {
      let hidden = text;
      for (const forms of [...kept.values(), ...passing.values()]) {
        for (const form of forms) if (hidden.includes(form)) hidden = hidden.replaceAll(form, '[redacted]');
      }
      return hidden;
    },
    forget: () => passing.clear(),
  };
}

/** All written forms of a secret, longest first, so that no shorter one leaves the rest of a longer one standing. */
function formsOf(secret: string): readonly string[] {
  const wellFormed = secret.toWellFormed();
  const forms = [
    wellFormed,
    JSON.stringify(wellFormed).slice(1, -1),
    encodeURIComponent(wellFormed),
    new URLSearchParams({ s: wellFormed }).toString().slice(2),
    ...[0, 1, 2].flatMap((offset) => base64At(Buffer.from(wellFormed), offset)),
  ];
  return [...new Set(forms)].filter((form) => form.length >= SHORTEST).sort((a, b) => b.length - a.length);
}

/**
 * What base64 makes of the bytes when `offset` (0 to 2) other bytes stand before them, as in `user:password`: only the
 * characters that the neighbours do not touch. Both alphabets, and percent-encoded as in a query string.
 */
function base64At(bytes: Buffer, offset: number): readonly string[] {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const from = Math.ceil((offset * 8) / 6);
  const standard = encoded.slice(from, Math.floor(((offset + bytes.length) * 8) / 6));
  return [standard, standard.replaceAll('+', '-').replaceAll('/', '_'), encodeURIComponent(standard)];
}
