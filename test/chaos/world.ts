/** The local broker with as many users as a run needs, and what the audit must know about it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { personOf } from '../../functions/broker/lease.ts';
import type { Limits } from '../../functions/broker/mint-counts.ts';
import { SECRET_ID } from '../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker } from '../../local/local-broker.ts';
import { DEFAULT_POLICY } from '../../local/settings.ts';
import type { Simulator } from '../../local/thoughtspot/simulator.ts';
import { readCluster } from '../../local/thoughtspot/cluster.ts';
import { chance } from '../support/seeded.ts';
import { beforeDynamoDb, type Unsteadiness } from '../support/unsteady-store.ts';
import type { When } from './history.ts';

const TENANTS = [
  { tenant: 'acme', org: 1, group: 'analysts' },
  { tenant: 'globex', org: 2, group: 'viewers' },
] as const;

export interface ChaosWorld {
  readonly broker: LocalBroker;
  readonly simulator: Simulator;
  /** Names at ThoughtSpot, by index. */
  readonly users: readonly string[];
  readonly orgOf: (user: string) => number;
  /** The access token that somebody has now. */
  accessTokenOf(user: string): Promise<AccessToken>;
  /** From then on somebody has a new one, as after a renewal; epoch ms of all participants. */
  signInAgain(user: string, at: number): void;
  /** Everything that must never be printed, with a name that may be printed. */
  readonly secrets: Map<string, string>;
  /** Everything that the functions and the platform print. */
  readonly printed: string[];
  /** Tokens that ThoughtSpot rightly accepts now: without those that live longer or again because its clock was set back. */
  liveTokens(): LiveToken[];
  /** When the tokens that were handed out end, as the broker promised, epoch ms. */
  readonly promisedEnds: Map<string, number>;
  readonly limits: Limits;
  /** Every mint that ThoughtSpot carried out, by the time of all participants. */
  readonly minted: { readonly user: string; readonly at: number; readonly token: string; readonly when: When }[];
  /** The time of all participants, epoch ms: this machine's time plus all jumps. */
  now(): number;
  /** Makes time jump ahead, for sandboxes and cluster. There must be no work in progress that has read a clock. */
  passTime(ms: number): void;
  /** Sets the cluster's clock to this many ms ahead of all other clocks. */
  setClusterClock(aheadMs: number): void;
  /** How far that clock is ahead now, ms. */
  readonly clusterAheadMs: number;
  /** How far it has been set back altogether, ms. */
  readonly setBackMs: number;
  /** Creates a new key at the cluster and, immediately after that, stores it in the secret. */
  rotateKey(org: number | undefined): void;
  /** Changes the policy document and replaces all sandboxes. */
  redeploy(): Promise<void>;
  close(): Promise<void>;
}

export interface AccessToken {
  readonly jwt: string;
  /** Its `iat`, epoch ms of all participants. */
  readonly issuedAt: number;
}

export interface LiveToken {
  readonly text: string;
  readonly user: string;
  /** By the cluster's clock. */
  readonly expiresAt: number;
}

/** How old what an index shows may be, ms by the clock of all participants. */
const LONGEST_LAG_MS = 3_000;
const LAG_SEED = 11;

/** The policy's own if it names none (infra/policy/limits-schema.ts). */
const USUAL: Limits = { caller: { mintsPerMinute: 30, liveLeases: 20 }, org: { mintsPerMinute: 600 } };

export async function startWorld(userCount: number, limits = USUAL): Promise<ChaosWorld> {
  const users = Array.from({ length: userCount }, (_, index) => `user-${String(index + 1).padStart(3, '0')}`);
  const tenantOf = (user: string) => TENANTS[users.indexOf(user) % 2] ?? TENANTS[0];
  const cluster = readCluster();
  users.forEach((name, index) => {
    const { org, group } = tenantOf(name);
    const id = `0c4a0500-6a55-4c1f-8a8e-${String(index).padStart(12, '0')}`;
    cluster.users.push({ name, id, orgs: [org], groups: [group] });
  });
  const people = Object.fromEntries([
    ...users.map((name) => [name, claimsOf(name, tenantOf(name), 'broker:token')] as const),
    ['operator', claimsOf('operator', TENANTS[0], 'broker:token broker:revoke')] as const,
  ]);

  let passedMs = 0;
  const now = () => Date.now() + passedMs;
  const folder = await mkdtemp(join(tmpdir(), 'broker-chaos-'));
  const policyFile = join(folder, 'policy.json');
  await writeFile(policyFile, await policyDocument(1, limits));
  const random = chance(LAG_SEED);
  const unsteady: Unsteadiness = {
    now,
    ageOf: () => random() * LONGEST_LAG_MS,
    inTwoPlaces: () => random.maybe(0.5),
    // DynamoDB throttles a part of every tenth batch.
    leaves: (keys) => (random.maybe(0.1) ? random.below(keys) : 0),
  };
  const broker = await startLocalBroker({
    simulator: { cluster, switches: { rateLimitBurst: 100 } },
    users: { audience: 'thoughtspot-token-broker', users: people },
    policy: policyFile,
    sweepEveryMs: 2_000,
    sessionClaim: 'sid',
    now,
    beforeDynamoDb: beforeDynamoDb(unsteady),
  });
  const { simulator } = broker;
  if (simulator === undefined) throw new Error('A chaos run needs the simulator.');

  const minted: ChaosWorld['minted'][number][] = [];
  const seen = new Set<string>();
  const arrived: number[] = [];
  simulator.onCall(({ phase, endpoint }) => {
    if (!endpoint.includes('/auth/token/')) return;
    if (phase === 'arrived') return void arrived.push(performance.now());
    // Which of those that are under way this is, nobody says: it has not arrived before the first.
    const from = arrived.shift() ?? 0;
    const texts = simulator.tokens();
    for (const [index, { user }] of simulator.state().tokens.entries()) {
      const text = texts[index] ?? '';
      if (!seen.has(text))
        minted.push({ user: personOf(user), at: now(), token: text, when: { from, to: performance.now() } });
      seen.add(text);
    }
  });
  const keys = { own: simulator.secretKey(), globex: simulator.secretKey(2) };
  const secrets = new Map<string, string>();
  const storeKeys = () => {
    secrets.set(keys.own, 'a secret key').set(keys.globex, 'a secret key of an org');
    const document = { secretKey: keys.own, orgs: { 2: { secretKey: keys.globex } } };
    broker.aws.secrets.put(SECRET_ID, JSON.stringify(document));
  };
  storeKeys();

  const signIns = new Map<string, Promise<AccessToken>>();
  const renewals = new Map<string, number>();
  const signIn = async (name: string): Promise<AccessToken> => {
    const iat = Math.floor(now() / 1_000);
    const jwt = await broker.issuer.accessToken(name, { iat, exp: iat + JWT_LIFE_SECONDS });
    secrets.set(jwt, 'a JWT');
    return { jwt, issuedAt: iat * 1_000 };
  };
  for (const name of Object.keys(people)) signIns.set(name, signIn(name));
  const printed: string[] = broker.output.lines().map(({ text }) => text);
  broker.output.listen(({ text }) => printed.push(text));
  const promisedEnds = new Map<string, number>();
  let policies = 1;
  let aheadMs = 0;
  let setBackMs = 0;
  /** The latest time that the cluster's clock has shown before it was set back. */
  let latestShown = -Infinity;

  return {
    broker,
    limits,
    minted,
    simulator,
    users,
    orgOf: (user) => tenantOf(user).org,
    accessTokenOf(user) {
      if (now() >= (renewals.get(user) ?? Infinity)) {
        renewals.delete(user);
        signIns.set(user, signIn(user));
      }
      return signIns.get(user) ?? signIn(user);
    },
    signInAgain: (user, at) => void renewals.set(user, Math.min(at, renewals.get(user) ?? Infinity)),
    secrets,
    printed,
    promisedEnds,
    get setBackMs() {
      return setBackMs;
    },
    now,
    passTime(ms) {
      passedMs += ms;
      simulator.set({ clockOffsetMs: passedMs + aheadMs });
      for (const local of broker.functions.values()) local.replace({ clockOffsetMs: passedMs });
    },
    setClusterClock(ms) {
      latestShown = Math.max(latestShown, now() + aheadMs);
      setBackMs += Math.max(0, aheadMs - ms);
      aheadMs = ms;
      simulator.set({ clockOffsetMs: passedMs + aheadMs });
    },
    get clusterAheadMs() {
      return aheadMs;
    },
    liveTokens() {
      const texts = simulator.tokens();
      const live = simulator.state().tokens.map(({ user, expiresAt }, index) => {
        return { text: texts[index] ?? '', user, expiresAt };
      });
      return live.filter(({ text, expiresAt }) => {
        const lives = expiresAt > latestShown;
        const beyondPromise = setBackMs > 0 && (promisedEnds.get(text) ?? Infinity) <= now();
        return lives && !beyondPromise;
      });
    },
    rotateKey(org) {
      if (org === undefined) keys.own = simulator.rotateKey();
      else keys.globex = simulator.rotateKey(org);
      storeKeys();
    },
    async redeploy() {
      policies += 1;
      await writeFile(policyFile, await policyDocument(policies, limits));
      await broker.rebuild();
    },
    async close() {
      await broker.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Longer than any run by its simulated clocks. */
const JWT_LIFE_SECONDS = 86_000;

/** The local policy, a little different each time. */
async function policyDocument(edition: number, limits: Limits): Promise<string> {
  const document = JSON.parse(await readFile(DEFAULT_POLICY, 'utf8')) as {
    rules: { grants: { validity: object }[] }[];
  };
  for (const { grants } of document.rules) {
    for (const grant of grants) {
      const validity = { ...grant.validity, defaultSeconds: 300 + (edition % 30) };
      Object.assign(grant, { validity });
    }
  }
  return JSON.stringify({ ...document, limits });
}

function claimsOf(name: string, { tenant, group }: (typeof TENANTS)[number], scope: string) {
  const person = {
    sub: `sub-${name}`,
    sid: `sid-${name}`,
    preferred_username: name,
    name,
    email: `${name}@${tenant}.example`,
  };
  const claims = { ...person, groups: [group], 'https://broker.example/tenant': tenant, scope };
  return { about: 'somebody in a run of chaos', claims };
}
