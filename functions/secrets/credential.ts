import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { Credential } from '../broker/ports.ts';
import { isObject, withoutMark } from '../contract/shapes.ts';

const text = (longest: number) =>
  z.string('is missing or not a string').check(
    z.minLength(1, 'is empty'),
    z.maxLength(longest, `has more than ${longest} characters`),
    z.refine((value) => value === value.trim() && !/[\r\n\0]/.test(value), 'has white space at an end or a line break'),
  );
const short = text(256);
const secretKey = short;
/** A field of before the ledger had a digest key of its own: accepted, and not used. */
const digestKey = z.optional(z.unknown());

/** A secret key for the cluster, and keys of organisations that have their own trusted authentication. */
const keyDocument = z.strictObject({
  secretKey,
  digestKey,
  orgs: z.optional(
    z.record(
      z.string().check(z.regex(/^\d{1,9}$/)),
      z.strictObject({ secretKey }, 'is not an object'),
      'is not an object with organisation ids as names',
    ),
  ),
  /** The user that dialect session-v2 would sign in as; needed by no other. */
  serviceUser: z.optional(short),
});

/** A service account. */
const passwordDocument = z.strictObject({ userName: short, password: text(1024), digestKey });

/** What one version of the secret holds. */
export interface StoredSecret {
  readonly credential: Credential;
  /** Every string in it that must never be printed. */
  readonly sensitive: readonly string[];
  /** Equal for equal power at ThoughtSpot, whatever the versions are called. Not for printing. */
  readonly identity: string;
}

const placeholder = () => '[redacted credential]';
/** Part of every credential: it prints as a placeholder, however it is printed. The secrets are in closures. */
const REDACTED = { toString: placeholder, toJSON: placeholder, [inspect.custom]: placeholder };

/**
 * Parses the text of the secret. Throws Failure `misconfigured` that names each fault by its JSON path, never a value.
 * Both credentials at once are a fault: which one ThoughtSpot would take is contradictory (wire facts 3.1).
 */
export function parseSecret(text: string, version: string): StoredSecret {
  const document = objectIn(text);
  if ('secretKey' in document) {
    const { secretKey, orgs = {}, serviceUser } = parse(keyDocument, document);
    const orgKeys = new Map(Object.entries(orgs).map(([org, own]) => [Number(org), own.secretKey]));
    return {
      credential: {
        ...REDACTED,
        kind: 'secret-key',
        version,
        /** The organisation's own key where the secret has one, else the cluster's. */
        secretKeyFor: (orgId) => orgKeys.get(orgId) ?? secretKey,
        ...(serviceUser !== undefined && { serviceUser }),
      },
      sensitive: [secretKey, ...orgKeys.values()],
      identity: digest(['secret-key', secretKey, serviceUser ?? null, [...orgKeys].sort(([a], [b]) => a - b)]),
    };
  }
  if ('password' in document || 'userName' in document) {
    const { userName, password } = parse(passwordDocument, document);
    return {
      credential: { ...REDACTED, kind: 'password', version, userName, password: () => password },
      sensitive: [password],
      identity: digest(['password', userName, password]),
    };
  }
  throw malformed(['$: has neither secretKey nor userName and password']);
}

function objectIn(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(withoutMark(text));
  } catch {
    // The parser's message quotes the text, so it is not kept as the cause.
    throw malformed(['$: is not JSON']);
  }
  if (!isObject(value)) throw malformed(['$: is not an object']);
  return value;
}

function parse<T extends z.ZodMiniType>(schema: T, document: object): z.infer<T> {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw malformed(
    parsed.error.issues.map((issue) => {
      const path = ['$', ...issue.path.map(printable)].join('.');
      if (issue.code !== 'unrecognized_keys') return `${path}: ${issue.message}`;
      return `${path}: has unknown fields (${issue.keys.map(printable).join(', ')})`;
    }),
  );
}

/** A key may be a secret in the wrong place: only what looks like a field name is repeated. */
function printable(key: PropertyKey): string {
  return /^([A-Za-z]{1,24}|\d{1,9})$/.test(String(key)) ? String(key) : '(unprintable)';
}

function malformed(faults: readonly string[]): Failure {
  return new Failure('misconfigured', { reason: `the secret is malformed: ${faults.join('; ')}` });
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
