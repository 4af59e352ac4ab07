import { Failure } from '../broker/failure.ts';
import type { Clock, Log, SessionIssuer, Signals } from '../broker/ports.ts';
import { pathFor } from '../contract/functions.ts';
import { type Answered, type Ask, ProbeFailure } from './ask.ts';
import type { OidcClient, ProberCredential } from './credential.ts';

export interface ProbeDeps {
  /** Origin of the broker's API. */
  readonly brokerUrl: string;
  readonly credential: (deadline: number) => Promise<ProberCredential>;
  readonly ask: Ask;
  readonly thoughtspot: Pick<SessionIssuer, 'sessionInfo'>;
  readonly clock: Clock;
  readonly signals: Signals;
  readonly log: Log;
  /** Keeps a secret out of every line. */
  readonly conceal: (secret: string) => void;
}

export interface ProbeReport {
  readonly passed: readonly string[];
  /** `<step>: <what is wrong>`. */
  readonly failed: readonly string[];
}

/** How long ThoughtSpot may take to forget a revoked token: nothing is documented (wire facts 3.4). */
const DEAD_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 500;

/**
 * The life of one token as a caller sees it, and the callers that the broker must refuse. Anything but the promised
 * answer emits `probe-failed` and is logged; nothing is thrown then, so that one problem raises one alarm. The token is a
 * fresh one and is revoked whatever else fails. Throws Failure if the prober's own secret cannot be read, and `not-set-up`
 * while a secret has no value.
 */
export function makeProbe(deps: ProbeDeps): (deadline: number) => Promise<ProbeReport> {
  const { brokerUrl, ask, clock, signals, log, conceal } = deps;

  async function isAlive(token: string, deadline: number): Promise<boolean> {
    try {
      return (await deps.thoughtspot.sessionInfo(token, deadline)) !== undefined;
    } catch (error) {
      if (error instanceof Failure) throw new ProbeFailure(`ThoughtSpot does not say: ${error.message}`);
      throw error;
    }
  }

  async function seeDead(token: string, deadline: number): Promise<void> {
    const until = Math.min(deadline, clock.now() + DEAD_WITHIN_MS);
    while (await isAlive(token, deadline)) {
      if (clock.now() >= until) throw new ProbeFailure('ThoughtSpot still takes the revoked token');
      await clock.sleep(LOOK_EVERY_MS);
    }
  }

  return async (deadline) => {
    const credential = await deps.credential(deadline);
    const callBroker = (method: 'GET' | 'POST', path: string, bearer: string, body?: object) =>
      ask(
        `${brokerUrl}${pathFor(path, credential.issuer)}`,
        {
          method,
          headers: {
            accept: 'application/json',
            'content-type': 'application/json',
            authorization: `Bearer ${bearer}`,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        },
        deadline,
      );
    const passed: string[] = [];
    const failed: string[] = [];
    /** Undefined if the step fails. Throws on what is no failure of the broker's. */
    const step = async <Value>(name: string, work: () => Promise<Value>): Promise<Value | undefined> => {
      try {
        const value = await work();
        passed.push(name);
        return value;
      } catch (error) {
        if (!(error instanceof ProbeFailure)) throw error;
        failed.push(`${name}: ${error.message}`);
        return undefined;
      }
    };
    const signedIn = async (client: OidcClient) => {
      const token = await signIn(ask, credential, client, deadline);
      conceal(token);
      return token;
    };

    const bearer = await step('sign-in', () => signedIn(credential));
    if (bearer !== undefined) {
      await step('forged-token-refused', async () =>
        expectStatus(await callBroker('POST', '/gettoken', forged(bearer)), 401),
      );
      const lease = await step('gettoken', async () => {
        const startedAt = clock.now();
        const answer = await callBroker('POST', '/gettoken', bearer, { fresh: true });
        signals.emit('probe-latency', clock.now() - startedAt);
        expectStatus(answer, 200);
        const { token, leaseId, userName } = answer.json;
        if (typeof token !== 'string' || typeof leaseId !== 'string') throw new ProbeFailure('no token in the answer');
        conceal(token);
        return { token, leaseId, userName };
      });
      if (lease !== undefined) {
        await step('sessioninfo', async () => {
          const answer = await callBroker('GET', '/sessioninfo', bearer);
          expectStatus(answer, 200);
          if (answer.json['userName'] !== lease.userName) throw new ProbeFailure('it describes another user');
          if (!(await isAlive(lease.token, deadline)))
            throw new ProbeFailure('ThoughtSpot does not take the new token');
        });
        await step('revoketoken', async () =>
          expectStatus(await callBroker('POST', '/revoketoken', bearer, { leaseId: lease.leaseId }), 200),
        );
        await step('revoked-token-dead', () => seeDead(lease.token, deadline));
      }
    }
    const { unentitled } = credential;
    if (unentitled !== undefined)
      await step('unentitled-refused', async () =>
        expectStatus(await callBroker('POST', '/gettoken', await signedIn(unentitled)), 403),
      );

    if (failed.length > 0) {
      signals.emit('probe-failed');
      log.error('probe failed', { failed, passed });
    }
    return { passed, failed };
  };
}

/** An access token for a client, by the client credentials grant (RFC 6749, 4.4; the secret by Basic, 2.3.1). */
async function signIn(
  ask: Ask,
  { tokenUrl, scope, audience }: ProberCredential,
  { clientId, clientSecret }: OidcClient,
  deadline: number,
): Promise<string> {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  if (audience !== undefined) form.set('audience', audience);
  const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64');
  const headers = { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' };
  const { status, json } = await ask(tokenUrl, { method: 'POST', headers, body: form.toString() }, deadline);
  const token = json['access_token'];
  if (status === 200 && typeof token === 'string' && token !== '') return token;
  throw new ProbeFailure(`the issuer answered ${status} to the prober's client`);
}

function expectStatus({ status, json }: Answered, wanted: number): void {
  if (status === wanted) return;
  if (json['code'] === 'not-set-up') throw new Failure('not-set-up', { reason: 'the broker has no credential yet' });
  const code = typeof json['code'] === 'string' ? ` ${json['code']}` : '';
  throw new ProbeFailure(`answered ${status}${code} instead of ${wanted}`);
}

/** The prober's own token with another signature, so that only the signature can be the reason for a refusal. */
function forged(jwt: string): string {
  const at = jwt.lastIndexOf('.') + 1;
  return jwt.slice(0, at) + (jwt[at] === 'A' ? 'B' : 'A') + jwt.slice(at + 1);
}
