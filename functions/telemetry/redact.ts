import type { KnownSecrets } from './known-secrets.ts';

const DEPTH = 6;
const ENTRIES = 50;
const NODES = 500;
const LONGEST_INPUT = 32_768;
const LONGEST_OUTPUT = 4_096;
const HIDDEN = '[redacted]';

/** Names whose values are secret, whatever they look like. Compared in lower case without punctuation. */
const SECRET_NAME =
  /(token|tokens|secret|secrets|secretkey|secretstring|secretbinary|password|passphrase|authorization|cookie|cookies|jwt|bearer|apikey|accesskey|secretaccesskey|digestkey|datakey|privatekey|plaintext|credential|credentials)$/;
/** Names of handles and digests: long and random, but made to be printed. */
const SAFE_NAME = /^(leaseid|tokendigest|fingerprint|policyversion|correlationid|requestid|arn|session|jti|clientid)$/;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // A JWT, signed or not, also one that was cut off.
  [/eyJ[\w-]{5,}\.[\w-]*(\.[\w-]*){0,3}/g, HIDDEN],
  // Neither here nor below the words of a sentence: "basic authentication failed", "gettoken: no answer", "token: not accepted".
  [
    /\b(bearer|basic)\s+(?!(?:tokens?|authentication|auth|credentials?|is|was|expired)\b|error=)[\w.~+/=%-]+/gi,
    `$1 ${HIDDEN}`,
  ],
  [
    /(["'\\]*(?:secret_?key|password|authorization|cookie|(?<!\b(?:get|revoke))token|digest_?key)["'\\]*\s*[=:]\s*["'\\]*)(?!\[redacted\]|(?:no|not|is|was|the|an?|has|had|must|cannot)\s|(?<=: )(?:expired|revoked|missing|absent|invalid|refused|wrong|unknown)(?:[\s.,;)]|$))[^\s"'\\,;&}]+/gi,
    `$1${HIDDEN}`,
  ],
];
/** ThoughtSpot's tokens are 120 characters of base64 and more (wire facts, section 4); our digests have 43. */
const OPAQUE = /[\w+/=-]{64,}/g;

/** Makes a value fit to print: no secrets, no cycles, bounded in depth and size. Never throws. */
export type Redact = (value: unknown) => unknown;

/** `known` hides registered secrets by value; names and patterns catch the rest. */
export function makeRedact(known: KnownSecrets): Redact {
  return (value) => {
    let nodes = 0;

    const text = (raw: string, safe = false): string => {
      // Long input is dropped rather than cut: a cut could leave half of a secret that no pattern knows.
      if (raw.length > LONGEST_INPUT) return `[text of ${raw.length} characters]`;
      let hidden = known.hide(raw.toWellFormed());
      for (const [pattern, replacement] of PATTERNS) hidden = hidden.replace(pattern, replacement);
      if (!safe) hidden = hidden.replace(OPAQUE, HIDDEN);
      return hidden.length > LONGEST_OUTPUT ? `${hidden.slice(0, LONGEST_OUTPUT)}...` : hidden;
    };

    const object = (pairs: Iterable<readonly [unknown, unknown]>, depth: number, above: readonly object[]) => {
      const result: [string, unknown][] = [];
      for (const [key, inner] of pairs) {
        if (result.length === ENTRIES) {
          result.push(['...', 'more']);
          break;
        }
        const name = typeof key === 'string' ? key : '[key]';
        result.push([text(name), member(name, inner, depth + 1, above)]);
      }
      return Object.fromEntries(result);
    };

    const member = (name: string, inner: unknown, depth: number, above: readonly object[]): unknown => {
      const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
      if (typeof inner === 'boolean' || inner === null || inner === undefined) return inner;
      if (SECRET_NAME.test(plain)) return HIDDEN;
      if (typeof inner === 'string') return text(inner, SAFE_NAME.test(plain));
      return visit(inner, depth, above);
    };

    const error = (failed: Error, depth: number, above: readonly object[]) => ({
      ...object(Object.entries(failed), depth, above),
      name: text(failed.name),
      message: text(failed.message),
      ...(failed.stack === undefined ? {} : { stack: text(failed.stack) }),
      ...(failed.cause === undefined ? {} : { cause: visit(failed.cause, depth + 1, above) }),
      ...(failed instanceof AggregateError ? { errors: visit(failed.errors, depth + 1, above) } : {}),
    });

    const visit = (inner: unknown, depth: number, above: readonly object[]): unknown => {
      switch (typeof inner) {
        case 'string':
          return text(inner);
        case 'number':
        case 'boolean':
        case 'undefined':
          return inner;
        case 'bigint':
          return text(inner.toString());
        case 'symbol':
        case 'function':
          return `[${typeof inner}]`;
        case 'object':
          return inner === null ? null : composite(inner, depth, above);
      }
    };

    const composite = (inner: object, depth: number, above: readonly object[]): unknown => {
      if (above.includes(inner)) return '[circular]';
      if (depth >= DEPTH || ++nodes > NODES) return '[deeper]';
      const path = [...above, inner];
      if (inner instanceof Error) return error(inner, depth, path);
      if (ArrayBuffer.isView(inner) || inner instanceof ArrayBuffer) return `[${inner.byteLength} bytes]`;
      if (Array.isArray(inner)) return inner.slice(0, ENTRIES).map((item) => visit(item, depth + 1, path));
      if (inner instanceof Set) return [...inner].slice(0, ENTRIES).map((item) => visit(item, depth + 1, path));
      if (inner instanceof Map) return object(inner, depth, path);
      // Dates, URLs and whatever redacts itself say what they print.
      if (printsItself(inner)) return visit(inner.toJSON(), depth + 1, path);
      return object(Object.entries(inner), depth, path);
    };

    try {
      return visit(value, 0, []);
    } catch {
      // A getter or toJSON that throws: rather no field than half-cleaned ones.
      return '[unreadable]';
    }
  };
}

function printsItself(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
