import { randomUUID } from 'node:crypto';
import type { Credential, MintedToken } from '../../functions/broker/ports.ts';
import { outcomeOf } from '../../functions/thoughtspot/dialects/dialect.ts';
import type { GettokenInput, Operation } from '../../functions/thoughtspot/dialects/dialect.ts';
import { DIALECTS } from '../../functions/thoughtspot/issuer.ts';
import type { DialectName } from '../../functions/thoughtspot/rejection.ts';
import { Client, SessionController } from '../../functions/thoughtspot/session-controller.ts';
import type { Configuration } from '../../functions/thoughtspot/session-controller.ts';
import type { Exchange } from '../../functions/thoughtspot/transport.ts';
import { Finding, needed, Skipped } from './checklist.ts';
import type { Examine } from './checklist.ts';
import { examineChildren, sessionToken } from './children.ts';
import type { Made } from './children.ts';
import { examineCors } from './cors.ts';
import { findingOf } from './cures.ts';
import type { Asked } from './cures.ts';
import { untilDead } from './dead.ts';
import type { IsAlive } from './dead.ts';
import { cookiesOf, exchangeOf, unlessBusy } from './exchanges.ts';

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
/** Long enough for the checks, short enough that this token is soon dead if the doctor is killed. */
const VALIDITY_SECONDS = 60;
const WITHOUT_SCOPE =
  'names no org or no kind: the broker needs thoughtSpot.repliesWithoutScope to release such tokens';

/**
 * The five session operations with the very requests that the broker sends, what a token can be turned into, then what
 * has to be refused, then CORS. Every token and session that it makes is ended, whatever fails. `then` runs last, while the connection is open.
 */
export async function examineCluster(
  examine: Examine,
  target: ClusterTarget,
  then: (isAlive: IsAlive) => Promise<void>,
): Promise<void> {
  const client = new Client({ baseUrl: target.host, dialect: target.dialect, timeout: CALL_MS });
  try {
    await then(await examineOperations(examine, target, client));
  } finally {
    await client.close();
  }
}

async function examineOperations(examine: Examine, target: ClusterTarget, client: Client): Promise<IsAlive> {
  const { credential, user, orgId, host } = target;
  const dialect = DIALECTS[target.dialect];
  const asked: Asked = { credential: credential.kind, user, orgId };
  const { transport } = client;
  /** Sends all but what it has no place for: a secret key, and a login by token. */
  const controller = (changes: Partial<Configuration> = {}) => new SessionController(client.withConfiguration(changes));

  /** What the broker would make of an answer. Throws Finding if that is no result. */
  async function judged<Input, Value>(operation: Operation<Input, Value>, input: Input, send: () => Promise<Exchange>) {
    const exchange = await unlessBusy(send);
    const outcome = outcomeOf(target.dialect, operation, input, exchange, Date.now());
    if (!outcome.ok) throw findingOf(outcome.failure, asked);
    return { value: outcome.value, headers: exchange.kind === 'reply' ? exchange.reply.headers : {} };
  }
  async function whoseToken(accessToken: string, session?: Configuration['session']) {
    const sent = () => exchangeOf(controller({ accessToken, session }).sessionInfo());
    const { value } = await judged(dialect.sessionInfo, { bearer: accessToken }, sent);
    return value === 'not-accepted' ? undefined : value;
  }
  const isAlive: IsAlive = async (token) => (await whoseToken(token)) !== undefined;

  /** Signs in with the password, or exchanges a token for a browser session. */
  async function login(token: string | undefined): Promise<readonly [string, Session]> {
    const withPassword = credential.kind === 'password';
    if (!withPassword && dialect.name !== 'auth-2.0')
      throw new Skipped('session-v2 signs in with a password only: set THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD');
    const { value, headers } = withPassword
      ? await loginByPassword(user, credential.password(), orgId)
      : await loginByToken(needed(token, 'gettoken'));
    const cookie = cookiesOf(headers);
    if (cookie === '' && value.token === undefined)
      throw new Finding('the answer holds neither a cookie nor a token', 'Check that the host is the cluster itself.');
    if (cookie !== '') sessions.add(cookie);
    const session = { cookie, ...(value.token === undefined ? {} : { token: value.token }) };
    return [`a session of ${user}, by ${withPassword ? 'password' : 'token'}`, session];
  }
  function loginByPassword(userName: string, password: string, org?: number) {
    const sent = () => exchangeOf(controller({ orgId: org }).login({ userName, password }));
    return judged(dialect.login, { userName, password, orgId: org }, sent);
  }
  function loginByToken(token: string) {
    const input = { userName: '', password: '' };
    const { headers, ...parts } = dialect.login.encode(input);
    const byToken = { ...parts, headers: { ...headers, authorization: `Bearer ${token}` }, body: '{}' };
    return judged(dialect.login, input, () => transport.exchange(byToken, CALL_MS));
  }

  async function mint(proof: GettokenInput['proof'], bearer: string | undefined): Promise<MintedToken> {
    const input: GettokenInput = {
      user,
      proof,
      bearer,
      orgId,
      validitySeconds: VALIDITY_SECONDS,
      rights: { kind: 'full' },
      provisioning: null,
    };
    const body = { userName: user, tokenExpiryDuration: VALIDITY_SECONDS };
    const sent = () =>
      'password' in proof
        ? exchangeOf(controller({ accessToken: bearer ?? '', orgId }).gettoken({ ...body, password: proof.password }))
        : transport.exchange(dialect.gettoken.encode(input), CALL_MS);
    const { value } = await judged(dialect.gettoken, input, sent);
    owners.set(value.token, value.userName);
    return value;
  }
  const proof =
    credential.kind === 'password'
      ? { password: credential.password() }
      : { secretKey: credential.secretKeyFor(orgId ?? 0) };

  /** Cookies of the sessions that were not ended yet. */
  const sessions = new Set<string>();
  async function logout(session: Session): Promise<void> {
    await judged(dialect.logout, { bearer: '' }, () =>
      exchangeOf(controller({ session: sessionHeaders(session) }).logout()),
    );
    sessions.delete(session.cookie);
  }

  /** The owner of each token, as ThoughtSpot reports it. A revocation that names another user may do nothing. */
  const owners = new Map<string, string>();
  const revoke = async (token: string) => {
    const userName = owners.get(token) ?? user;
    const sent = () => exchangeOf(controller({ accessToken: token, userName }).revoketoken());
    const { value } = await judged(dialect.revoketoken, { bearer: token, userName }, sent);
    if (value === 'not-accepted')
      throw new Finding('ThoughtSpot does not take its own new token', 'Check its clock and ours.');
    owners.delete(token);
  };

  const newToken = sessionToken((bearer) => dialect.sessionInfo.encode({ bearer }).headers);
  async function makeToken(bearer: string) {
    if (dialect.name !== 'auth-2.0') throw new Skipped('an operation of REST API v2.0: see --dialect auth-2.0');
    const { value } = await judged(newToken, { bearer }, () =>
      transport.exchange(newToken.encode({ bearer }), CALL_MS),
    );
    if (value !== 'none' && !owners.has(value.token))
      owners.set(value.token, value.userName ?? owners.get(bearer) ?? user);
    return value;
  }
  async function makeSession(bearer: string): Promise<string> {
    if (dialect.name !== 'auth-2.0') throw new Skipped('session-v2 signs in with a password only');
    const cookie = cookiesOf((await loginByToken(bearer)).headers);
    if (cookie === '') throw new Finding('the answer sets no cookie', 'Check that the host is the cluster itself.');
    sessions.add(cookie);
    return cookie;
  }
  const children = {
    makeToken,
    makeSession,
    isAlive: async (made: Made) =>
      'token' in made ? isAlive(made.token) : (await whoseToken('', { cookie: made.cookie })) !== undefined,
    end: (made: Made) => ('token' in made ? revoke(made.token) : logout(made)),
  };

  try {
    let session = credential.kind === 'password' ? await examine('login', () => login(undefined)) : undefined;
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
      const found = `a token for ${user}${orgId === undefined ? '' : ` in org ${orgId}`}, ${VALIDITY_SECONDS} s`;
      const minted = await mint(proof, bearer);
      const scoped = minted.orgId !== undefined && minted.kind !== undefined;
      return [scoped ? found : `${found}; the reply ${WITHOUT_SCOPE}`, minted.token];
    });

    await examine('sessionInfo', async () => {
      const info = await whoseToken(needed(token, 'gettoken'));
      if (info === undefined)
        throw new Finding('ThoughtSpot does not take its own new token', 'Check its clock and ours.');
      const wrongOrg = orgId !== undefined && info.orgId !== undefined && info.orgId !== orgId;
      if (info.userName !== user || wrongOrg)
        throw new Finding(
          `the token belongs to ${info.userName} in org ${info.orgId ?? 'unknown'}; requested was ${user} in org ${orgId ?? 'any'}`,
          'Do not go live: the broker would withhold such tokens. Ask ThoughtSpot support.',
        );
      return [`the token belongs to ${info.userName}${info.orgId === undefined ? '' : ` in org ${info.orgId}`}`, info];
    });

    if (credential.kind === 'secret-key') session = await examine('login', () => login(needed(token, 'gettoken')));

    await examine('logout', async () => {
      const open = needed(session, 'login');
      await logout(open);
      const still = await whoseToken('', sessionHeaders(open));
      if (still === undefined) return ['the session is over', undefined];
      throw new Finding('the session outlives its logout', 'Rely on revoketoken; report it to ThoughtSpot support.');
    });

    await examineChildren(examine, children, token, async () => {
      await examine('revoketoken', async () => {
        await revoke(needed(token, 'gettoken'));
        return ['confirmed', undefined];
      });
      return examine('revoked token is refused', async () => {
        const ended = needed(token, 'gettoken');
        if (owners.has(ended)) throw new Skipped('needs the result of revoketoken, which is missing');
        const waited = await untilDead(() => isAlive(ended));
        return [waited === 0 ? 'at once' : `after ${waited} ms`, true];
      });
    });

    await examine(`wrong ${credential.kind === 'password' ? 'password' : 'secret key'} is refused`, async () => {
      const refused = await isRefused(async () => {
        if (credential.kind === 'secret-key' && !dialect.mintsWithSession)
          await mint({ secretKey: randomUUID() }, undefined);
        // Of a user who does not exist: wrong passwords lock accounts.
        else await loginByPassword(`doctor-${randomUUID()}`, randomUUID());
      });
      if (refused) return ['refused', undefined];
      throw new Finding(
        'ThoughtSpot accepted a made-up credential',
        'Do not go live: anybody can become any user there.',
      );
    });
  } finally {
    for (const left of [...owners.keys()]) await revoke(left).catch(ignoreFinding);
    for (const cookie of [...sessions]) await logout({ cookie }).catch(ignoreFinding);
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

interface Session {
  readonly cookie: string;
  readonly token?: string;
}

const sessionHeaders = ({ cookie, token: bearer = '' }: Session) =>
  cookie === '' ? { authorization: `Bearer ${bearer}` } : { cookie };

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
