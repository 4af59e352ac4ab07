import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import type * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { Credential } from '../broker/ports.ts';
import { keyDocument, passwordDocument } from './secret-document.ts';

/** What one version of the secret holds. */
export interface StoredSecret {
  readonly credential: Credential;
  /** Key of the ledger's token digests. */
  readonly digestKey: Uint8Array;
  /** Every string in it that must never be printed. */
  readonly sensitive: readonly string[];
  /** Equal for equal power at ThoughtSpot, whatever the versions are called. Not for printing. */
  readonly identity: string;
}

/**
 * Parses the text of the secret. Throws Failure `misconfigured` that names each fault by its JSON path, never a value.
 * Both credentials at once are a fault: which one ThoughtSpot would take is contradictory (wire facts 3.1).
 */
export function parseSecret(text: string, version: string): StoredSecret {
  const document = asObject(text);
  if ('secretKey' in document) {
    const { secretKey, digestKey, orgs = {}, serviceUser } = parse(keyDocument, document);
    const orgKeys = new Map(Object.entries(orgs).map(([org, own]) => [Number(org), own.secretKey]));
    return {
      credential: new SecretKeyCredential(version, secretKey, orgKeys, serviceUser),
      digestKey: Buffer.from(digestKey, 'base64'),
      sensitive: [secretKey, digestKey, ...orgKeys.values()],
      identity: digest(['secret-key', secretKey, serviceUser ?? null, [...orgKeys].sort(([a], [b]) => a - b)]),
    };
  }
  if ('password' in document || 'userName' in document) {
    const { userName, password, digestKey } = parse(passwordDocument, document);
    return {
      credential: new PasswordCredential(version, userName, password),
      digestKey: Buffer.from(digestKey, 'base64'),
      sensitive: [password, digestKey],
      identity: digest(['password', userName, password]),
    };
  }
  throw malformed(['$: has neither secretKey nor userName and password']);
}

/** Prints as a placeholder, however it is printed. What is secret lies in private fields besides. */
abstract class SelfRedacting {
  toString(): string {
    return '[redacted credential]';
  }
  toJSON(): string {
    return this.toString();
  }
  [inspect.custom](): string {
    return this.toString();
  }
}

class SecretKeyCredential extends SelfRedacting {
  readonly kind = 'secret-key';
  readonly version: string;
  readonly serviceUser?: string;
  readonly #secretKey: string;
  readonly #orgKeys: ReadonlyMap<number, string>;

  constructor(version: string, secretKey: string, orgKeys: ReadonlyMap<number, string>, serviceUser?: string) {
    super();
    this.version = version;
    this.#secretKey = secretKey;
    this.#orgKeys = orgKeys;
    if (serviceUser !== undefined) this.serviceUser = serviceUser;
  }

  /** The organisation's own key where the secret has one, else the cluster's. */
  secretKeyFor(orgId: number): string {
    return this.#orgKeys.get(orgId) ?? this.#secretKey;
  }
}

class PasswordCredential extends SelfRedacting {
  readonly kind = 'password';
  readonly version: string;
  readonly userName: string;
  readonly #password: string;

  constructor(version: string, userName: string, password: string) {
    super();
    this.version = version;
    this.userName = userName;
    this.#password = password;
  }

  password(): string {
    return this.#password;
  }
}

function asObject(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, so it is not kept as the cause.
    throw malformed(['$: is not JSON']);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(['$: is not an object']);
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
