import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Credential, MintedToken } from '../../functions/broker/ports.ts';
import type { GettokenInput, Operation, Proof } from '../../functions/thoughtspot/dialects/dialect.ts';
import { DIALECTS } from '../../functions/thoughtspot/dialects/dialects.ts';
import { originOf } from '../../functions/thoughtspot/origin.ts';
import { lossOf } from '../../functions/thoughtspot/rejection.ts';
import type { DialectName } from '../../functions/thoughtspot/rejection.ts';
import { makeTransport } from '../../functions/thoughtspot/transport.ts';
import type { Reply, RequestParts, Transport } from '../../functions/thoughtspot/transport.ts';
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
/** How long a revoked token may go on working: ThoughtSpot documents nothing (wire facts 3.4). */
const DEAD_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;

/** Whether ThoughtSpot takes a token. Throws Finding if it does not say. */
export type IsAlive = (token: string) => Promise<boolean>;

/**
 * The five session operations with the very requests that the broker sends, then what has to be refused, then CORS.
 * Every token that it makes is ended, whatever fails. `then` runs last, while the connection is open.
 */
export async function examineCluster(
  examine: Examine,
  target: ClusterTarget,
  then: (isAlive: IsAlive) => Promise<void>,
): Promise<void> {
  const transport = makeTransport(originOf(target.host), Date.now);
  try {
    await then(await examineOperations(examine, target, transport));
  } finally {
    await transport.close();
  }
}

async function examineOperations(examine: Examine, target: ClusterTarget, transport: Transport): Promise<IsAlive> {
  const { credential, user, orgId, host } = target;
  const dialect = DIALECTS[target.dialect];
  const asked: Asked = { credential: credential.kind, user, orgId };

  async function call<Input, Value>(
    operation: Operation<Input, Value, unknown>,
    input: Input,
    change: (parts: RequestParts) => RequestParts = (parts) => parts,
  ): Promise<{ readonly value: Value; readonly reply: Reply }> {
    const parts = change(operation.encode(input));
    const exchange = await transport.exchange(parts, CALL_MS);
    if (exchange.kind === 'lost') throw findingOf(lossOf(exchange, `${parts.method} ${parts.path}`).failure, asked);
    const decoded = operation.decode(exchange.reply, input, Date.now());
    if (!decoded.ok) throw findingOf(decoded.rejection.failure, asked);
    return { value: decoded.value, reply: exchange.reply };
  }
  const whoseToken = async (bearer: string) => (await call(dialect.sessionInfo, { bearer })).value;
  const isAlive: IsAlive = async (token) => (await whoseToken(token)) !== undefined;

  /** Signs in with the password, or turns a token into a session of the browser's kind. */
  async function login(token: string | undefined): Promise<readonly [string, Session]> {
    const withPassword = credential.kind === 'password';
    if (!withPassword && dialect.name !== 'auth-2.0')
      throw new Skipped('session-v2 signs in with a password only: set THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD');
    const { value, reply } = withPassword
      ? await call(dialect.login, { userName: user, password: credential.password(), ...optionalOrg(orgId) })
      : await call(dialect.login, { userName: '', password: '' }, (parts) => ({
          ...parts,
          headers: { ...parts.headers, authorization: `Bearer ${needed(token, 'gettoken')}` },
          body: '{}',
        }));
    const cookie = cookiesOf(reply);
    if (cookie === '' && value.token === undefined)
      throw new Finding('the answer holds neither a cookie nor a token', 'Check that the host is the cluster itself.');
    const session = { cookie, ...(value.token === undefined ? {} : { token: value.token }) };
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
    const { value } = await call(dialect.gettoken, input);
    owners.set(value.token, value.userName);
    return value;
  }
  const proof: Proof =
    credential.kind === 'password'
      ? { kind: 'password', password: credential.password() }
      : { kind: 'secret-key', secretKey: credential.secretKeyFor(orgId ?? 0) };

  /** Whose each token is by ThoughtSpot's word: a revocation that names somebody else may do nothing. */
  const owners = new Map<string, string>();
  const revoke = async (token: string) => {
    await call(dialect.revoketoken, { bearer: token, userName: owners.get(token) ?? user });
    owners.delete(token);
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
          'Leave --user away, or use a secret key.',
        );
      const bearer = dialect.mintsWithSession ? needed(session?.token, 'login') : undefined;
      const { token: minted } = await mint(proof, bearer);
      return [`a token for ${user}${orgId === undefined ? '' : ` in org ${orgId}`}, ${VALIDITY_SECONDS} s`, minted];
    });

    await examine('sessionInfo', async () => {
      const info = await whoseToken(needed(token, 'gettoken'));
      if (info === undefined)
        throw new Finding('ThoughtSpot does not take its own new token', 'Check its clock and ours.');
      const wrongOrg = orgId !== undefined && info.orgId !== undefined && info.orgId !== orgId;
      if (info.userName !== user || wrongOrg)
        throw new Finding(
          `the token is that of ${info.userName} in org ${info.orgId ?? 'unknown'}, asked for ${user} in org ${orgId ?? 'any'}`,
          'Do not go live: the broker would withhold such tokens. Ask ThoughtSpot support.',
        );
      return [`the token is that of ${info.userName}${info.orgId === undefined ? '' : ` in org ${info.orgId}`}`, info];
    });

    if (credential.kind === 'secret-key') session = await examine('login', () => login(needed(token, 'gettoken')));

    await examine('logout', async () => {
      const { cookie, token: bearer } = needed(session, 'login');
      const asSession = (parts: RequestParts): RequestParts => {
        const { authorization: _none, ...headers } = parts.headers;
        return {
          ...parts,
          headers: { ...headers, ...(cookie === '' ? { authorization: `Bearer ${bearer ?? ''}` } : { cookie }) },
        };
      };
      await call(dialect.logout, {}, asSession);
      const { value: still } = await call(dialect.sessionInfo, { bearer: '' }, asSession);
      if (still === undefined) return ['the session is over', undefined];
      throw new Finding('the session outlives its logout', 'Rely on revoketoken; tell ThoughtSpot support.');
    });

    await examine('revoketoken', async () => {
      await revoke(needed(token, 'gettoken'));
      return ['confirmed', undefined];
    });

    await examine('revoked token is refused', async () => {
      const ended = needed(token, 'gettoken');
      if (owners.has(ended)) throw new Skipped('needs what revoketoken did not give');
      const waited = await untilDead(() => isAlive(ended));
      return [waited === 0 ? 'at once' : `after ${waited} ms`, undefined];
    });

    await examine(`wrong ${credential.kind === 'password' ? 'password' : 'secret key'} is refused`, async () => {
      const refused = await isRefused(async () => {
        if (credential.kind === 'secret-key' && !dialect.mintsWithSession)
          await mint({ kind: 'secret-key', secretKey: randomUUID() }, undefined);
        // Of a user who does not exist: wrong passwords lock accounts.
        else await call(dialect.login, { userName: `doctor-${randomUUID()}`, password: randomUUID() });
      });
      if (refused) return ['refused', undefined];
      throw new Finding('ThoughtSpot took a made-up credential', 'Do not go live: anybody can become any user there.');
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

interface Session {
  readonly cookie: string;
  readonly token?: string;
}

const optionalOrg = (orgId: number | undefined) => (orgId === undefined ? {} : { orgId });

/** Name and value of every cookie that an answer sets. */
function cookiesOf({ headers }: Reply): string {
  const pairs = [...(headers['set-cookie'] ?? '').matchAll(/(?:^|, )([\w.-]+=[^;,\s]+)/g)];
  return pairs.map(([, pair]) => pair).join('; ');
}

/** Waits until `isAlive` says no; ms. Throws Finding after a while. */
export async function untilDead(isAlive: () => Promise<boolean>): Promise<number> {
  const started = performance.now();
  let looked = 0;
  while (await isAlive()) {
    if (performance.now() - started > DEAD_WITHIN_MS)
      throw new Finding(
        `the revoked token still works after ${DEAD_WITHIN_MS / 1000} s`,
        'Revocation does not hold on this cluster: keep validity short, and ask ThoughtSpot support.',
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
