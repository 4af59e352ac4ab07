/** The people whom the local issuer knows, from demo-users.json: edit the file to try other claims. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DemoUser {
  readonly about: string;
  /** Everything in the access token but iss, aud and the times. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface DemoUsers {
  readonly audience: string;
  readonly users: Readonly<Record<string, DemoUser>>;
}

/** Throws an Error that names the file if it cannot be read. */
export function readDemoUsers(file = join(import.meta.dirname, 'demo-users.json')): DemoUsers {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as DemoUsers;
  } catch (error) {
    throw new Error(`${file} cannot be read as demo users: ${String(error)}`, { cause: error });
  }
}
