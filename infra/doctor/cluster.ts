import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Credential, MintedToken } from '../../functions/broker/ports.ts';
import { ApiError, type ApiResponse, ConnectionError } from '../../functions/thoughtspot/session-api.ts';
import { type GettokenInput, type Operation, outcomeOf, type Proof } from '../../functions/thoughtspot/dialect.ts';
import { DIALECTS } from '../../functions/thoughtspot/dialects.ts';
import type { DialectName } from '../../functions/thoughtspot/rejection.ts';
import { Client, type Configuration, SessionController } from '../../functions/thoughtspot/session-controller.ts';
import type { Exchange, Reply, RequestParts } from '../../functions/thoughtspot/transport.ts';
import { Finding, needed, Skipped } from './checklist.ts';
import type { Examine } from './checklist.ts';
import { examineCors } from './cors.ts';
import { findingOf } from './cures.ts';
import type { Asked } from './cures.ts';

export interface ClusterTarget {
  readonly host: string;
  readonly dialect: DialectName;
  readonly credential: Credential;
  readonly user: string;
  readonly orgId: number | undefined;
  /** Front ends that embed ThoughtSpot. */
  readonly origins: readonly string[];
}

const CALL_MS = 10_000;
/** Long enough for the checks, short enough to leave nothing behind if the doctor is killed. */
const VALIDITY_SECONDS = 60;
/** How long a revoked token may still work. ThoughtSpot documents no limit (wire facts 3.4). */
const DEAD_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;

/** Whether ThoughtSpot accepts a token. Throws Finding if it does not say. */
export type IsAlive = (token: string) => Promise<boolean>;

/**
 * Checks the five session operations with exactly the requests that the broker sends, then what must be refused, then
 * CORS. With a password the requests are those of SessionController. Every token that this creates is revoked, whatever
 * fails. `then` runs last, while the connection is still open.
 */
export async function examineCluster(
  examine: Examine,
  target: ClusterTarget,
  then: (isAlive: IsAlive) => Promise<void>,
): Promise<void> {
  const { host: baseUrl, dialect, user: userName, orgId } = target;
  const client = new Client({ baseUrl, dialect, timeout: CALL_MS, userName, ...optionalOrg(orgId) });
  try {
    await then(await examineOperations(examine, target, client));
  } finally {
    await client.close();
  }
}

async function examineOperations(examine: Examine, target: ClusterTarget, client: Client): Promise<IsAlive> {
  const { credential, user, orgId, host } = target;
  const withPassword = credential.kind === 'password';
  const dialect = DIALECTS[target.dialect];
  const asked: Asked = { credential: credential.kind, user, orgId };

  /** One call: through the controller if there is a password, otherwise with what the broker's issuer would send. */
  async function call<Input, Value>(
    operation: Operation<Input, Value>,
    input: Input,
    byController: (controller: SessionController) => Promise<ApiResponse<unknown>>,
    settings: Partial<Configuration> = {},
    change: (parts: RequestParts) => RequestParts = (parts) => parts,
  ): Promise<{ readonly value: Value; readonly headers: Reply['headers'] }> {
    const exchange = withPassword
      ? await exchangeOf(byController(new SessionController(client.withConfiguration(settings))))
      : await client.transport.exchange(change(operation.encode(input)), CALL_MS);
    const outcome = outcomeOf(operation, input, exchange, { name: dialect.name, nowMs: Date.now() });
    if ('rejection' in outcome) throw findingOf(outcome.rejection.failure, asked);
    return { value: outcome.value, headers: exchange.kind === 'reply' ? exchange.reply.headers : {} };
  }
  const sessionInfo = (controller: SessionController) => controller.sessionInfo();
  const whoseToken = async (bearer: string) =>
    (await call(dialect.sessionInfo, { bearer }, sessionInfo, { accessToken: bearer })).value;
  const isAlive: IsAlive = async (token) => (await whoseToken(token)) !== 'token-not-accepted';

  /** Signs in with the password, or exchanges a token for a browser session. */
  async function login(token: string | undefined): Promise<readonly [string, Session]> {
    if (!withPassword && dialect.name !== 'auth-2.0')
      throw new Skipped('session-v2 signs in with a password only: set THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD');
    const given = { userName: user, password: withPassword ? credential.password() : '' };
    const byToken = (parts: RequestParts): RequestParts => ({
      ...parts,
      headers: { ...parts.headers, authorization: `Bearer ${needed(token, 'gettoken')}` },
      body: '{}',
    });
    const { value, headers } = await call(
      dialect.login,
      { ...given, ...optionalOrg(orgId) },
      (controller) => controller.login(given),
      {},
      byToken,
    );
    const cookie = cookiesOf(headers);
    if (cookie === '' && value === 'cookie-session')
      throw new Finding('the answer holds neither a cookie nor a token', 'Check that the host is the cluster itself.');
    const session = { cookie, ...(value === 'cookie-session' ? {} : { token: value.token }) };
    return [`a session of ${user}, by ${withPassword ? 'password' : 'token'}`, session];
  }

  async function mint(proof: Proof, bearer: string | undefined): Promise<MintedToken> {
    const input: GettokenInput = {
      userName: user,
      proof,
      ...(bearer === undefined ? {} : { bearer }),
      ...optionalOrg(orgId),
      validitySeconds: VALIDITY_SECONDS,
      rights: { kind: 'full' },
      provisioning: null,
    };
    const password = proof.kind === 'password' ? proof.password : '';
    const { value } = await call(
      dialect.gettoken,
      input,
      (controller) => controller.gettoken({ userName: user, password, tokenExpiryDuration: VALIDITY_SECONDS }),
      { accessToken: bearer ?? '' },
    );
    owners.set(value.token, value.userName);
    return value;
  }
  const proof: Proof =
    credential.kind === 'password'
      ? { kind: 'password', password: credential.password() }
      : { kind: 'secret-key', secretKey: credential.secretKeyFor(orgId ?? 0) };

  /** The owner of each token, as ThoughtSpot reports it. A revocation that names another user may do nothing. */
  const owners = new Map<string, string>();
  const revoke = async (token: string) => {
    const userName = owners.get(token) ?? user;
    await call(dialect.revoketoken, { bearer: token, userName }, (controller) => controller.revoketoken(), {
      accessToken: token,
      userName,
    });
    owners.delete(token);
  };

  try {
    let session = withPassword ? await examine('login', () => login(undefined)) : undefined;
    if (session?.token !== undefined) owners.set(session.token, user);

    const token = await examine('gettoken', async () => {
      if (credential.kind === 'secret-key' && dialect.mintsWithSession)
        throw new Finding(
          'session-v2 mints with a user name and a password, not with a secret key',
          'Set THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD, or use --dialect auth-2.0.',
        );
      if (credential.kind === 'password' && credential.userName !== user)
        throw new Finding(
          `a password mints for its own user only, ${credential.userName}`,
          'Leave out --user, or use a secret key.',
        );
      const bearer = dialect.mintsWithSession ? needed(session?.token, 'login') : undefined;
      const { token: minted } = await mint(proof, bearer);
      return [`a token for ${user}${orgId === undefined ? '' : ` in org ${orgId}`}, ${VALIDITY_SECONDS} s`, minted];
    });

    await examine('sessionInfo', async () => {
      const info = await whoseToken(needed(token, 'gettoken'));
      if (info === 'token-not-accepted')
        throw new Finding('ThoughtSpot does not accept its own new token', 'Compare its clock with the clock here.');
      const wrongOrg = orgId !== undefined && info.orgId !== undefined && info.orgId !== orgId;
      if (info.userName !== user || wrongOrg)
        throw new Finding(
          `the token belongs to ${info.userName} in org ${info.orgId ?? 'unknown'}; requested was ${user} in org ${orgId ?? 'any'}`,
          'Do not go live: the broker would withhold such tokens. Ask ThoughtSpot support.',
        );
      return [`the token belongs to ${info.userName}${info.orgId === undefined ? '' : ` in org ${info.orgId}`}`, info];
    });

    if (!withPassword) session = await examine('login', () => login(needed(token, 'gettoken')));

    await examine('logout', async () => {
      const { cookie, token: bearer = '' } = needed(session, 'login');
      const settings = cookie === '' ? { accessToken: bearer } : { cookie };
      const asSession = (parts: RequestParts): RequestParts => {
        const { authorization: _none, ...headers } = parts.headers;
        return {
          ...parts,
          headers: { ...headers, ...(cookie === '' ? { authorization: `Bearer ${bearer}` } : { cookie }) },
        };
      };
      await call(dialect.logout, {}, (controller) => controller.logout(), settings, asSession);
      const { value: still } = await call(dialect.sessionInfo, { bearer: '' }, sessionInfo, settings, asSession);
      if (still === 'token-not-accepted') return ['the session is over', undefined];
      throw new Finding(
        'the session outlives its logout',
        'Rely on revoketoken, and report this to ThoughtSpot support.',
      );
    });

    await examine('revoketoken', async () => {
      await revoke(needed(token, 'gettoken'));
      return ['confirmed', undefined];
    });

    await examine('revoked token is refused', async () => {
      const ended = needed(token, 'gettoken');
      if (owners.has(ended)) throw new Skipped('needs the result of revoketoken, which is missing');
      const waited = await untilDead(() => isAlive(ended));
      return [waited === 0 ? 'at once' : `after ${waited} ms`, undefined];
    });

    await examine(`wrong ${credential.kind === 'password' ? 'password' : 'secret key'} is refused`, async () => {
      const refused = await isRefused(async () => {
        if (credential.kind === 'secret-key' && !dialect.mintsWithSession)
          await mint({ kind: 'secret-key', secretKey: randomUUID() }, undefined);
        // Uses a user that does not exist, because wrong passwords lock accounts.
        else {
          const madeUp = { userName: `doctor-${randomUUID()}`, password: randomUUID() };
          await call(dialect.login, madeUp, (controller) => controller.login(madeUp));
        }
      });
      if (refused) return ['refused', undefined];
      throw new Finding(
        'ThoughtSpot accepted a made-up credential',
        'Do not go live: anybody can become any user there.',
      );
    });
  } finally {
    for (const left of [...owners.keys()]) await revoke(left).catch(ignoreFinding);
  }

  await examineCors(examine, {
    url: new URL(dialect.sessionInfo.encode({ bearer: '' }).path, host).href,
    method: 'GET',
    origins: target.origins,
    cure: (origin) =>
      `Add ${origin} in Develop > Customizations > Security settings: CORS, and visual embed hosts (CSP).`,
  });
  return isAlive;
}

/** The exchange behind a call of the controller: its errors contain the answer, or say that none came. */
async function exchangeOf(answering: Promise<ApiResponse<unknown>>): Promise<Exchange> {
  const answer = await answering.catch((error: unknown) => {
    if (error instanceof ApiError || error instanceof ConnectionError) return error;
    throw error;
  });
  if (answer instanceof ConnectionError) return answer.lost;
  const { statusCode: status, headers, body } = answer;
  return { kind: 'reply', reply: { status, headers, body } };
}

interface Session {
  readonly cookie: string;
  readonly token?: string;
}

const optionalOrg = (orgId: number | undefined) => (orgId === undefined ? {} : { orgId });

/** Name and value of every cookie that an answer sets. */
function cookiesOf(headers: Reply['headers']): string {
  const pairs = [...(headers['set-cookie'] ?? '').matchAll(/(?:^|, )([\w.-]+=[^;,\s]+)/g)];
  return pairs.map(([, pair]) => pair).join('; ');
}

/** Waits until the token is dead. Resolves with the ms that took. Throws Finding if it takes too long. */
export async function untilDead(isAlive: () => Promise<boolean>): Promise<number> {
  const started = performance.now();
  let looked = 0;
  while (await isAlive()) {
    if (performance.now() - started > DEAD_WITHIN_MS)
      throw new Finding(
        `the revoked token still works after ${DEAD_WITHIN_MS / 1000} s`,
        'Revocation does not work on this cluster: keep validity short, and ask ThoughtSpot support.',
      );
    looked += 1;
    await sleep(LOOK_EVERY_MS);
  }
  return looked === 0 ? 0 : Math.round(performance.now() - started);
}

/** Whether a call was refused for its credential. Throws the Finding of any other failure. */
async function isRefused(attempt: () => Promise<unknown>): Promise<boolean> {
  try {
    await attempt();
    return false;
  } catch (error) {
    if (error instanceof Finding && error.code === 'upstream-credential-refused') return true;
    throw error;
  }
}

function ignoreFinding(error: unknown): void {
  if (!(error instanceof Finding)) throw error;
}
