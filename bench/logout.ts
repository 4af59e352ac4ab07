/**
 * How soon a sign-out at the issuer takes effect (OpenID Connect Back-Channel Logout), beside the user's own revocation: until
 * the session is refused, and until its token has ended at ThoughtSpot.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startLocalBroker, type LocalBroker } from '../local/local-broker.ts';
import { crowd } from '../test/support/crowd.ts';
import { logoutToken, postLogoutToken } from '../test/support/demo-logout.ts';
import { demoPolicyWith, HIGHEST_LIMITS } from '../test/support/raised-limits.ts';
import { chance } from '../test/support/seeded.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { setLatency } from './cold-start.ts';
import { holdTokens } from './held-tokens.ts';
import { median, quantile, ratios, spread, tripsIn } from './measure.ts';

const ROUNDS = { quick: 2, usual: 150 } as const;
const WARM_UP = { quick: 1, usual: 8 } as const;
/** Rounds in which everything answers after LATENCY_MS, to count round trips. */
const TRIP_ROUNDS = { quick: 2, usual: 10 } as const;
const LATENCY_MS = 100;
/** Until refused, beside the whole answer to a user's own revocation: the block is written before anything is looked for. */
const REFUSED_GOAL = 1;
/** Until ended, beside a user's own revocation ... */
const ENDED_GOAL = 1.5;
/** ... which knows no block: this reads it and writes it. */
const MORE_TRIPS = 2;
const REVOKE_PATH = 'POST /api/rest/2.0/auth/token/revoke';
const SEED = 20_261_127;

/** One end of one token, ms after the call for it was sent. */
interface End {
  readonly answered: number;
  /** Infinity: not before the answer. */
  readonly ended: number;
}

interface Person {
  readonly name: string;
  readonly jwt: string;
}

/** What may be asked of the broker for a person. Each throws where it is not answered as it must be. */
function asksOf(broker: LocalBroker) {
  const post = async (path: string, jwt: string): Promise<number> => {
    const answer = await fetch(broker.url + path, { method: 'POST', headers: { authorization: `Bearer ${jwt}` } });
    await answer.text();
    return answer.status;
  };
  /** Whether the session is given a token. 503: the sign-out came while a new one was minted, which was withheld. */
  const isServed = async ({ jwt }: Person): Promise<boolean> => {
    const status = await post('/gettoken', jwt);
    if (![200, 401, 503].includes(status)) throw new Error(`gettoken answers ${status}`);
    return status === 200;
  };
  /** The issuer's logout token of now, made before the clock starts. */
  const signOut = async ({ name }: Person): Promise<() => Promise<void>> => {
    const token = await logoutToken(broker, name, 0, { sid: sessionOf(name) });
    return async () => {
      const answer = await postLogoutToken(broker, token);
      await answer.text();
      if (answer.status !== 200) throw new Error(`the logout of ${name} answers ${answer.status}`);
    };
  };
  const revoke = async ({ name, jwt }: Person): Promise<void> => {
    const status = await post('/revoketoken', jwt);
    if (status !== 200) throw new Error(`the revocation by ${name} answers ${status}`);
  };
  return { isServed, signOut, revoke };
}

const sessionOf = (name: string) => `session-of-${name}`;

/** Nothing else is revoked meanwhile. */
async function timed({ simulator }: LocalBroker, work: () => Promise<void>): Promise<End> {
  let ended = Infinity;
  const startedAt = performance.now();
  const stop = simulator?.onCall(({ endpoint, phase, status }) => {
    if (endpoint === REVOKE_PATH && phase === 'answered' && status < 300) ended = performance.now() - startedAt;
  });
  await work();
  const answered = performance.now() - startedAt;
  stop?.();
  return { answered, ended };
}

interface Found {
  readonly revoked: End[];
  readonly signedOut: End[];
  /** From the issuer's post until the first ask is sent that is refused, by a session that asks all the time, ms. */
  readonly refused: number[];
  /** Sessions that were given a token though they asked after the issuer had its answer. */
  servedLate: number;
}

const nothing = (): Found => ({ revoked: [], signedOut: [], refused: [], servedLate: 0 });

/** A user's own revocation, a sign-out of another, and one of a third who asks for a token all the time. */
async function round(broker: LocalBroker, people: readonly Person[], found: Found, random: () => number) {
  const { isServed, signOut, revoke } = asksOf(broker);
  const [own, other, third] = people;
  if (!own || !other || !third) throw new Error('a round takes three people');
  found.revoked.push(await timed(broker, () => revoke(own)));
  found.signedOut.push(await timed(broker, await signOut(other)));
  if (await isServed(other)) found.servedLate += 1;

  const post = await signOut(third);
  const asking = (async () => {
    for (let servedFrom = 0; ;) {
      const refusedFrom = performance.now();
      if (!(await isServed(third))) return { servedFrom, refusedFrom };
      servedFrom = refusedFrom;
    }
  })();
  // At any point of an ask.
  await sleep(20 + random() * 20);
  const postedAt = performance.now();
  await post();
  const answeredAt = performance.now();
  const { servedFrom, refusedFrom } = await asking;
  // An ask that was under way may be refused already.
  found.refused.push(Math.max(0, refusedFrom - postedAt));
  if (servedFrom > answeredAt || (await isServed(third))) found.servedLate += 1;
}

async function run(context: Context): Promise<Result> {
  const profile = context.quick ? 'quick' : 'usual';
  const [rounds, warmUp, tripRounds] = [ROUNDS[profile], WARM_UP[profile], TRIP_ROUNDS[profile]];
  const { names, users, cluster } = crowd(3 * (warmUp + rounds) + 2 * tripRounds);
  const broker = await startLocalBroker({
    sweepEveryMs: null,
    policy: demoPolicyWith(HIGHEST_LIMITS),
    users,
    sessionClaim: 'sid',
    simulator: { cluster },
    limits: { reservedConcurrency: 3 },
    logoutThrottle: { ratePerSecond: 10_000, burst: 10_000 },
  });
  const random = chance(SEED);
  try {
    context.progress(0, 'signing in');
    const jwts = await holdTokens(broker, names, (name) => ({ sid: sessionOf(name) }));
    const people = names.map((name) => ({ name, jwt: jwts.get(name) ?? '' }));
    broker.simulator?.set({ rateLimit: false });
    for (let turn = 0; turn < warmUp; turn += 1) await round(broker, people.splice(0, 3), nothing(), random);
    const found = nothing();
    for (let turn = 0; turn < rounds; turn += 1) {
      await round(broker, people.splice(0, 3), found, random);
      context.progress(0.4 + (0.4 * turn) / rounds, 'signing out');
    }
    return report(found, await delayed(broker, people, tripRounds, context));
  } finally {
    await broker.close();
  }
}

/** A user's own revocations and sign-outs while every answer of AWS and ThoughtSpot takes LATENCY_MS. */
async function delayed(broker: LocalBroker, people: Person[], rounds: number, context: Context) {
  const { signOut, revoke } = asksOf(broker);
  const found = nothing();
  setLatency(broker, LATENCY_MS);
  for (let turn = 0; turn < rounds; turn += 1) {
    const [own, other] = people.splice(0, 2);
    if (!own || !other) throw new Error('a round takes two people');
    found.revoked.push(await timed(broker, () => revoke(own)));
    found.signedOut.push(await timed(broker, await signOut(other)));
    context.progress(0.8 + (0.2 * turn) / rounds, 'counting round trips');
  }
  setLatency(broker, 0);
  return found;
}

const ended = (ends: readonly End[]) => ends.map((end) => end.ended);
const answered = (ends: readonly End[]) => ends.map((end) => end.answered);

function report({ revoked, signedOut, refused, servedLate }: Found, slow: Found): Result {
  const p = (samples: readonly number[]) => `${median(samples).toFixed(1)} / ${quantile(samples, 0.99).toFixed(1)} ms`;
  const beside = {
    refused: median(ratios(refused, answered(revoked))),
    ended: median(ratios(ended(signedOut), ended(revoked))),
  };
  const left = [...signedOut, ...slow.signedOut].filter((end) => end.ended === Infinity).length;
  const trips = (of: 'revoked' | 'signedOut') =>
    tripsIn(ended(slow[of]), ended({ revoked, signedOut }[of]), LATENCY_MS);
  const [own, issuers] = [trips('revoked'), trips('signedOut')];
  const row = (what: string, samples: readonly number[]) =>
    `| ${what} | ${median(samples).toFixed(1)} | ${quantile(samples, 0.99).toFixed(1)} |`;
  return {
    goals: [
      {
        goal: 'once the issuer has its answer, the session is given no token',
        measured: `given to ${servedLate} of ${signedOut.length + refused.length}`,
        met: servedLate === 0,
      },
      {
        goal: 'once the issuer has its answer, the token has ended at ThoughtSpot: none is left to the sweep',
        measured: `${left} of ${signedOut.length + slow.signedOut.length} left`,
        met: left === 0,
      },
      {
        goal: `the session is refused after at most ${REFUSED_GOAL}x the time of the answer to a user's own revocation`,
        measured: `${beside.refused.toFixed(2)}x (p50 / p99: ${p(refused)}, spread ${(spread(refused) * 100).toFixed(0)} %)`,
        peer: `own revocation: ${p(answered(revoked))}`,
        met: beside.refused <= REFUSED_GOAL,
      },
      {
        goal: `its token has ended after at most ${ENDED_GOAL}x the time of a user's own revocation`,
        measured: `${beside.ended.toFixed(2)}x (p50 / p99: ${p(ended(signedOut))})`,
        peer: `own revocation: ${p(ended(revoked))}`,
        met: beside.ended <= ENDED_GOAL,
      },
      {
        goal: `until then it waits for at most ${MORE_TRIPS} round trips more`,
        measured: `${issuers.toFixed(1)}`,
        peer: `own revocation: ${own.toFixed(1)}`,
        met: Math.round(issuers - own) <= MORE_TRIPS,
      },
    ],
    charts: [],
    method:
      `The deployed bundles run in sandboxes behind the local gateway; access tokens name their session. ${signedOut.length} rounds, in ` +
      `turn: a user revokes their own token, the issuer signs another session out, and it signs out a third, which asks for its token ` +
      `all the time, one ask after the other: it is refused from the first ask on that is. A time begins when the call is sent, and a ` +
      `token has ended when ThoughtSpot has answered. A sign-out must not be weaker than the user's own revocation, since people ` +
      `take it for one. It does the same, but reads and writes the block of the session first: so ${MORE_TRIPS} round trips more, and ` +
      `${ENDED_GOAL}x, as 6 trips are to 4. That block is all that a refusal needs, so it comes before an own revocation would have been ` +
      `answered. Round trips: every answer of AWS and ThoughtSpot takes ${LATENCY_MS} ms, and what that adds is divided by it; ` +
      `${slow.signedOut.length} rounds.\n\n` +
      `| ms | p50 | p99 |\n| --- | --- | --- |\n` +
      [
        row('sign-out until the session is refused', refused),
        row('sign-out until the token has ended', ended(signedOut)),
        row('sign-out until the issuer has its answer', answered(signedOut)),
        row('own revocation until the token has ended', ended(revoked)),
        row('own revocation until its answer', answered(revoked)),
      ].join('\n'),
    samples: {
      'refused ms': refused,
      'ended ms': ended(signedOut),
      'answered ms': answered(signedOut),
      'own ended ms': ended(revoked),
      'own answered ms': answered(revoked),
    },
    facts: { servedLate, left, trips: { own, issuers } },
  };
}

export const logoutBenchmark: Benchmark = { name: 'logout', title: 'Sign-out at the issuer', seconds: 45, run };
