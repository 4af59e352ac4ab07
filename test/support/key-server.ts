/** An issuer as the functions see it: its discovery document and its keys, without a network. */
import type { Json } from 'aws-jwt-verify/safe-json-parse';
import type { ReadJson } from '../../functions/identity/read-json.ts';
import { makeSigningKeys, type SigningKeys } from './signing.ts';

export interface KeyServer {
  readonly readJson: ReadJson;
  /** Addresses that were read, oldest first. */
  readonly reads: string[];
  /** The keys that it publishes. */
  keys: readonly SigningKeys[];
  /** Answers by address, instead of its own. */
  readonly answers: Map<string, unknown>;
  /** Nobody reaches it. */
  down: boolean;
}

export const ISSUER_URL = 'https://issuer.example';
export const JWKS_URI = `${ISSUER_URL}/keys`;
/** Where discovery finds the address of the keys. */
export const DISCOVERY = `${ISSUER_URL}/.well-known/openid-configuration`;

const overTheWire = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

export function makeKeyServer(...keys: readonly SigningKeys[]): KeyServer {
  const server: KeyServer = {
    reads: [],
    keys: keys.length > 0 ? keys : [makeSigningKeys('k1')],
    answers: new Map(),
    down: false,
    readJson: async ({ href }) => {
      server.reads.push(href);
      if (server.down) throw new Error('connect ECONNREFUSED');
      const own: Record<string, unknown> = {
        [DISCOVERY]: { issuer: ISSUER_URL, jwks_uri: JWKS_URI },
        [JWKS_URI]: { keys: server.keys.map(({ jwk }) => jwk) },
      };
      return overTheWire(server.answers.has(href) ? server.answers.get(href) : own[href]);
    },
  };
  return server;
}
