/** The OIDC issuer of the local set: signs access tokens for the demo users, and asks them for no password. */
import { generateKeyPair, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  OAuth2Server,
  type MutableResponse,
  type MutableToken,
  type TokenRequestIncomingMessage,
} from 'oauth2-mock-server';
import { withoutMark } from '../functions/contract/shapes.ts';
import { claimPort, LOOPBACK } from './network.ts';

/** The client at the issuer that the access tokens and logout tokens of the demo users are for. */
export const DEMO_CLIENT = 'demo-app';

export interface DemoUser {
  readonly about: string;
  /** Everything in the access token but iss, aud and the times. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface DemoUsers {
  readonly audience: string;
  readonly users: Readonly<Record<string, DemoUser>>;
}

/** From demo-users.json: edit it to try other claims. Throws an Error that names the file if it cannot be read. */
export function readDemoUsers(file = join(import.meta.dirname, 'demo-users.json')): DemoUsers {
  try {
    return JSON.parse(withoutMark(readFileSync(file, 'utf8'))) as DemoUsers;
  } catch (error) {
    throw new Error(`${file} cannot be read as demo users: ${String(error)}`, { cause: error });
  }
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>;

/**
 * Starts the issuer; `tls` (files of key and certificate) makes it https. Its token endpoint takes
 * `grant_type=password&username=<demo user>` too, as a real one would. Throws `PortTaken`.
 */
export async function startIssuer(demo: DemoUsers, port = 0, tls?: { readonly key: string; readonly cert: string }) {
  const server = new OAuth2Server(tls?.key, tls?.cert);
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  await server.issuer.keys.add({ ...privateKey.export({ format: 'jwk' }), alg: 'RS256' });

  server.service.on('beforeTokenSigning', ({ payload }: MutableToken, request: TokenRequestIncomingMessage) => {
    const user = demo.users[String(request.body.username)];
    Object.assign(payload, { amr: undefined, ...ownClaims(demo) }, user?.claims);
  });
  server.service.on('beforeResponse', (response: MutableResponse, request: TokenRequestIncomingMessage) => {
    if (response.body === '') return;
    if (Object.hasOwn(demo.users, String(request.body.username))) {
      // An access token is all that the broker has a use for.
      delete response.body['id_token'];
      delete response.body['refresh_token'];
      return;
    }
    response.statusCode = 400;
    response.body = { error: 'invalid_grant', error_description: unknownUser(demo, String(request.body.username)) };
  });

  await claimPort(port, 'the OIDC issuer', () => server.start(port, LOOPBACK));
  const url = `${tls ? 'https' : 'http'}://${LOOPBACK}:${server.address().port}`;
  server.issuer.url = url;

  return {
    url,
    audience: demo.audience,
    users: demo.users,
    /**
     * An access token for a demo user, good for an hour. `overrides` replaces claims, `undefined` removes one; `typ` is
     * that of the header. Throws an Error that lists the users if there is no such one.
     */
    async accessToken(user: string, overrides: Readonly<Record<string, unknown>> = {}, typ = 'JWT'): Promise<string> {
      const known = Object.hasOwn(demo.users, user) ? demo.users[user] : undefined;
      if (known === undefined) throw new Error(unknownUser(demo, user));
      return server.issuer.buildToken({
        scopesOrTransform: (header, payload) => {
          Object.assign(header, { typ });
          Object.assign(payload, ownClaims(demo), known.claims, overrides);
        },
      });
    },
    close: () => server.stop(),
  };
}

/** Of each access token: for whom it is, its id, and the app that asked for it. */
function ownClaims({ audience }: DemoUsers): object {
  return { aud: audience, jti: randomUUID(), azp: DEMO_CLIENT };
}

function unknownUser({ users }: DemoUsers, name: string): string {
  return `There is no demo user "${name}". There are: ${Object.keys(users).join(', ')} (local/demo-users.json).`;
}
