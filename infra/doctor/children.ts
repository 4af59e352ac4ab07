import type { Operation } from '../../functions/thoughtspot/dialects/dialect.ts';
import { resultIn, tokenIn } from '../../functions/thoughtspot/dialects/dialect.ts';
import { epochMs, numberIn, textIn } from '../../functions/thoughtspot/json-fields.ts';
import type { Reply } from '../../functions/thoughtspot/transport.ts';
import { Finding, needed, Skipped } from './checklist.ts';
import type { Examine } from './checklist.ts';

/** A token that ThoughtSpot made of another one. */
interface Child {
  readonly token: string;
  readonly userName: string | undefined;
  /** Undefined: the answer does not say. */
  readonly seconds: number | undefined;
}

/**
 * GET session/token, which gives any bearer a new token of 24 hours, without any privilege (wire facts 3.8). The broker
 * never sends it. 'none': this cluster refuses, or does not know the operation.
 */
export const sessionToken = (headers: (bearer: string) => Readonly<Record<string, string>>) =>
  ({
    encode: ({ bearer }) => ({ method: 'GET', path: '/api/rest/2.0/auth/session/token', headers: headers(bearer) }),
    decode: (reply) => ({ value: [403, 404, 405].includes(reply.status) ? 'none' : childIn(reply) }),
  }) satisfies Operation<{ readonly bearer: string }, Child | 'none'>;

function childIn(reply: Reply): Child | undefined {
  const json = resultIn(reply);
  const token = tokenIn(json);
  const [created, expires] = [numberIn(json, 'creation_time_in_millis'), numberIn(json, 'expiration_time_in_millis')];
  const seconds =
    created === undefined || expires === undefined
      ? undefined
      : Math.round((epochMs(expires) - epochMs(created)) / 1000);
  return token === undefined ? undefined : { token, userName: textIn(json, 'valid_for_username'), seconds };
}

/** What these checks do at ThoughtSpot. Each call throws Finding if ThoughtSpot does not say. */
export interface Cluster {
  /** Remembers the new token, so that it is ended whatever happens. */
  makeToken(bearer: string): Promise<Child | 'none'>;
  /** A cookie session by bearer, remembered too. */
  makeSession(bearer: string): Promise<string>;
  isAlive(made: Made): Promise<boolean>;
  /** Revokes the token or ends the session. */
  end(made: Made): Promise<void>;
}

export type Made = { readonly token: string } | { readonly cookie: string };

const SEE = '(docs/threat-model.md, T14)';

/**
 * What a token of this cluster can be turned into, and whether that outlives the token's revocation. Makes the children
 * of a live token first, so that `revokeParent` comes as soon after them as it can; ends them last.
 */
export async function examineChildren(
  examine: Examine,
  cluster: Cluster,
  parent: string | undefined,
  revokeParent: () => Promise<true | undefined>,
): Promise<void> {
  const made: { readonly name: string; readonly child: Made }[] = [];

  await examine('token from the token', async () => {
    const child = await cluster.makeToken(needed(parent, 'gettoken')).catch(notKnown);
    if (child === 'none') return ['none: this cluster refuses', undefined];
    if (child.token === parent) return ['the same token, no new one', undefined];
    const name = child.seconds === undefined ? 'a new token' : `a new token of ${child.seconds} s`;
    made.push({ name, child: { token: child.token } });
    return [`${name}, which no broker knows of ${SEE}`, undefined];
  });
  await examine('session from the token', async () => {
    made.push({ name: 'a browser session', child: { cookie: await cluster.makeSession(needed(parent, 'gettoken')) } });
    return [`a browser session, which no broker knows of ${SEE}`, undefined];
  });

  const dead = await revokeParent();

  await examine('what outlives the revoked token', async () => {
    needed(dead, 'revoked token is refused');
    if (made.length === 0) throw new Skipped('nothing was made of the token');
    const living: string[] = [];
    for (const { name, child } of made) if (await cluster.isAlive(child)) living.push(name);
    if (living.length === 0) return ['nothing: what was made of it ended with it', undefined];
    return [`${living.join(' and ')}: neither validity nor revocation bounds them ${SEE}`, undefined];
  });
  await examine('what was made of it is ended', async () => {
    if (made.length === 0) throw new Skipped('nothing was made of the token');
    const left: string[] = [];
    for (const { name, child } of made) if (!(await isEnded(cluster, child))) left.push(name);
    if (left.length === 0) return ['ended', undefined];
    throw new Finding(
      `${left.join(' and ')} could not be ended`,
      'Deactivate the user in ThoughtSpot until they have run out by themselves, or ask ThoughtSpot support.',
    );
  });
}

/** No answer is no proof that no token was made, and nobody can end one that nobody has. */
function notKnown(error: unknown): never {
  if (!(error instanceof Finding)) throw error;
  const cause = `${error.message}; if it made a token all the same, that one lives for 24 hours`;
  throw new Finding(cause, error.cure, error.code);
}

async function isEnded(cluster: Cluster, child: Made): Promise<boolean> {
  try {
    if (await cluster.isAlive(child)) await cluster.end(child);
    return !(await cluster.isAlive(child));
  } catch (error) {
    if (error instanceof Finding) return false;
    throw error;
  }
}
