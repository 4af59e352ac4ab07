/** The OIDC issuer of the local set: signs access tokens for the demo users, whom it believes without a password. */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import {
  OAuth2Server,
  type MutableResponse,
  type MutableToken,
  type TokenRequestIncomingMessage,
} from 'oauth2-mock-server';
import type { DemoUsers } from './demo-users.ts';
import { claimPort, LOOPBACK } from './network.ts';

export interface Issuer {
  readonly url: string;
  readonly audience: string;
  readonly users: DemoUsers['users'];
  /**
   * An access token for a demo user, good for an hour. `overrides` replaces claims, `undefined` removes one. Throws
   * if there is no such user.
   */
  accessToken(user: string, overrides?: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

/**
 * Starts the issuer. Its token endpoint takes `grant_type=password&username=<demo user>` too, as a real one would.
 * Throws `PortTaken`.
 */
export async function startIssuer(demo: DemoUsers, port = 0): Promise<Issuer> {
  const server = new OAuth2Server();
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  await server.issuer.keys.add({ ...privateKey.export({ format: 'jwk' }), alg: 'RS256' });

  server.service.on('beforeTokenSigning', ({ payload }: MutableToken, request: TokenRequestIncomingMessage) => {
    const user = demo.users[String(request.body.username)];
    Object.assign(payload, { amr: undefined, aud: demo.audience }, user?.claims);
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
  const url = `http://${LOOPBACK}:${server.address().port}`;
  server.issuer.url = url;

  return {
    url,
    audience: demo.audience,
    users: demo.users,
    async accessToken(user, overrides = {}) {
      const known = Object.hasOwn(demo.users, user) ? demo.users[user] : undefined;
      if (known === undefined) throw new UnknownUser(unknownUser(demo, user));
      return server.issuer.buildToken({
        scopesOrTransform: (_header, payload) => {
          Object.assign(payload, { aud: demo.audience }, known.claims, overrides);
        },
      });
    },
    close: () => server.stop(),
  };
}

/** There is no demo user of that name; the message lists those that there are. */
export class UnknownUser extends Error {
  override readonly name = 'UnknownUser';
}

function unknownUser({ users }: DemoUsers, name: string): string {
  return `There is no demo user "${name}". There are: ${Object.keys(users).join(', ')} (local/demo-users.json).`;
}
