import { z } from 'zod';
import { pathFor } from '../../functions/contract/functions.ts';
import { patiently } from './attention.ts';
import { Finding, needed, Skipped } from './checklist.ts';
import type { Examine } from './checklist.ts';
import { examineCors } from './cors.ts';
import { untilDead } from './dead.ts';
import type { IsAlive } from './dead.ts';

export interface BrokerTarget {
  readonly url: string;
  /** Name of the issuer at whose routes callers ask; undefined for the first one. */
  readonly issuer: string | undefined;
  /** Access token of a caller to whom the policy grants a token. */
  readonly jwt: string | undefined;
  /** Access token of a caller to whom it grants none. */
  readonly unentitledJwt: string | undefined;
  /** Whether logout tokens of the issuer count; undefined: not known. */
  readonly logouts: boolean | undefined;
  readonly origins: readonly string[];
}

const CALL_MS = 30_000;

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

const minted = z.object({ token: z.string().min(1), leaseId: z.string(), userName: z.string(), expiresAt: z.number() });
const oauth = z.object({ error: z.string().optional() }).catch({});
const problem = z.object({ code: z.string().optional(), correlationId: z.string().optional() }).catch({});

/**
 * Examines the broker from outside: which requests it must refuse, and the whole life of a token. The token is a fresh
 * one, so that revoking it ends nobody else's token.
 */
export async function examineBroker(
  all: Examine,
  { url, issuer, jwt, unentitledJwt, logouts, origins }: BrokerTarget,
  isAlive: IsAlive | undefined,
): Promise<void> {
  const examine: Examine = (name, work) => all(issuer === undefined ? name : `${name} (${issuer})`, work);
  const ask = (method: 'GET' | 'POST', path: string, bearer: string | undefined, body?: object) =>
    askBroker(`${url}${pathFor(`/${path}`, issuer)}`, method, bearer, body);

  await examine('request without an access token is refused', async () => {
    const { status } = await ask('POST', 'gettoken', undefined);
    return [expectStatus(status, 401), undefined];
  });
  await examine('forged access token is refused', async () => {
    const { status } = await ask('POST', 'gettoken', forged(jwt));
    return [expectStatus(status, 401), undefined];
  });
  await examine('forged logout token is refused', async () => {
    const form = new URLSearchParams({ logout_token: forged(undefined) });
    const answer = await ask('POST', 'backchannel-logout', undefined, form);
    const { error } = oauth.parse(answer.json);
    if (answer.status === 400 && error === 'invalid_request') return ['400 invalid_request', undefined];
    if (answer.status === 404 && logouts !== true)
      throw new Skipped('there is no such route: the issuer has no logoutClients in the environment');
    if (answer.status === 404)
      throw new Finding('there is no such route', 'Deploy the environment: the issuer has logoutClients there.');
    throw new Finding(
      `answered ${answer.status} ${error ?? ''}`.trim(),
      answer.status < 300
        ? 'Take the broker off the network: anybody can sign people out.'
        : 'Issuers cannot say who has signed out: look into the logs of backchannellogout.',
    );
  });
  if (issuer !== undefined && jwt === undefined)
    return void (await examine('caller', () =>
      Promise.reject(
        new Skipped('needs an access token of this issuer: one more --jwt, or in BROKER_JWT after a space'),
      ),
    ));
  await examine('unentitled caller is refused', async () => {
    if (unentitledJwt === undefined)
      throw new Skipped('needs an access token of a caller without rights: --unentitled-jwt, or BROKER_UNENTITLED_JWT');
    const answer = await ask('POST', 'gettoken', unentitledJwt);
    const { code } = problem.parse(answer.json);
    if (answer.status === 403) return [`403 ${code ?? ''}`.trim(), undefined];
    throw answer.status === 200
      ? new Finding(
          'the broker gave a token to a caller that must not get one',
          'Check the policy: npm run policy -- explain.',
        )
      : refusal(answer);
  });

  const lease = await examine('gettoken', async () => {
    const answer = await ask('POST', 'gettoken', withJwt(jwt), { fresh: true });
    const result = minted.safeParse(answer.json);
    if (answer.status !== 200 || !result.success) throw refusal(answer);
    const { userName, expiresAt } = result.data;
    return [`a token for ${userName}, ${Math.round((expiresAt - Date.now()) / 1000)} s`, result.data];
  });
  await examine('sessioninfo', async () => {
    const { userName } = needed(lease, 'gettoken');
    const answer = await ask('GET', 'sessioninfo', jwt);
    const info = z.object({ userName: z.string() }).safeParse(answer.json);
    if (answer.status !== 200 || !info.success) throw refusal(answer);
    if (info.data.userName === userName) return [`the token belongs to ${userName}`, undefined];
    throw new Finding(
      `the token belongs to ${info.data.userName}, not to ${userName}`,
      'See docs/runbook.md: gettoken/upstream-mismatch.',
    );
  });
  const revoked = await examine('revoketoken', async () => {
    const { leaseId } = needed(lease, 'gettoken');
    const answer = await ask('POST', 'revoketoken', jwt, { leaseId });
    if (answer.status === 200) return ['confirmed', true];
    if (answer.status === 202)
      throw new Finding(
        'accepted, but not yet confirmed by ThoughtSpot',
        'The sweep retries every minute: run npm run doctor again.',
      );
    throw refusal(answer);
  });
  await examine('revoked token is refused', async () => {
    const { token } = needed(lease, 'gettoken');
    needed(revoked, 'revoketoken');
    if (isAlive === undefined) throw new Skipped('not checked, because ThoughtSpot itself was not examined');
    const waited = await untilDead(() => isAlive(token));
    return [waited === 0 ? 'at once' : `after ${waited} ms`, undefined];
  });

  await examineCors(examine, {
    url: `${url}${pathFor('/gettoken', issuer)}`,
    method: 'POST',
    origins,
    cure: (origin) => `Add ${origin} to allowedOrigins of the environment and deploy (locally: BROKER_ORIGINS).`,
  });
}

async function askBroker(url: string, method: string, bearer?: string, body?: object): Promise<Answer> {
  try {
    const headers = {
      accept: 'application/json',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined || body instanceof URLSearchParams ? {} : { 'content-type': 'application/json' }),
    };
    const text = body instanceof URLSearchParams ? body : body === undefined ? null : JSON.stringify(body);
    const answer = await patiently(() =>
      fetch(url, { method, headers, body: text, redirect: 'manual', signal: AbortSignal.timeout(CALL_MS) }),
    );
    return { status: answer.status, json: await answer.json().catch(() => undefined) };
  } catch {
    const { origin } = new URL(url);
    throw new Finding(
      `no broker answers at ${origin}`,
      'Check --broker: the output ApiUrl of the deployment, or npm start.',
    );
  }
}

function expectStatus(status: number, wanted: number): string {
  if (status === wanted) return String(status);
  throw new Finding(
    `answered ${status} instead of ${wanted}`,
    status < 300
      ? 'Take the broker off the network: its JWT authorizer is missing.'
      : status === 404
        ? 'Check --broker: this may not be the broker. Check --issuer: it may have no such issuer.'
        : 'Check --broker: this may not be the broker.',
  );
}

function withJwt(jwt: string | undefined): string {
  if (jwt !== undefined) return jwt;
  throw new Skipped("needs a caller's access token: --jwt <token>, --jwt - (from stdin), or BROKER_JWT");
}

/** The caller's own token with another signature, so that only the signature can be the reason for a refusal. */
function forged(jwt: string | undefined): string {
  const [header, payload, signature = ''] = jwt?.split('.') ?? ['eyJhbGciOiJSUzI1NiJ9', 'e30', 'AAAA'];
  return [header, payload, (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)].join('.');
}

/** A refusal as a finding: by its problem code, or, if API Gateway answered before any function ran, by its status. */
function refusal({ status, json }: Answer): Finding {
  const { code, correlationId } = problem.parse(json);
  if (code !== undefined)
    return new Finding(
      `${status} ${code}`,
      `See docs/errors.md#${code}${correlationId === undefined ? '' : `; in the logs: ${correlationId}`}`,
    );
  if (status === 401)
    return new Finding(
      '401: the gateway does not accept the access token',
      'It is expired, or its iss or aud differ from the environment (url and audiences in issuers).',
    );
  if (status === 403)
    return new Finding(
      '403: the access token lacks the scope',
      'Ask the issuer for the scope of the environment (scopes.token in issuers).',
    );
  return new Finding(`answered ${status}, but not as the broker does`, 'Check --broker, and the logs of the function.');
}
