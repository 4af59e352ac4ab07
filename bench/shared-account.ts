/**
 * Whether it takes longer to mint, reuse or revoke a token where others hold many under the same ThoughtSpot user: a service
 * account, whose shared leases are in one partition of the ledger.
 */
import { randomBytes } from 'node:crypto';
import type { Item } from '../functions/ledger/item.ts';
import { reservedItem } from '../functions/ledger/writes.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { callerOf, fill, FLAT, ISSUER } from './growth.ts';
import { median, millisecondsOf, ratios, spread } from './measure.ts';
import { type DemoPolicy, type Setup, startSetup, unheard } from './setup.ts';
import { useCasesOn } from './use-cases.ts';

/** Shared leases of others under one account. */
const SIZES = { quick: [10, 50], usual: [100, 1_000, 10_000] } as const;
const ROUNDS = { quick: 3, usual: 60 } as const;
const WARM_UP = 3;
/** What a caller with a token of his own does, and what one does whose rule shares it: an operator alone may revoke that. */
const ACTIONS = [
  'mint',
  'reuse',
  'revoke',
  'mint of a shared token',
  'reuse of it',
  "an operator's revocation",
] as const;
type Action = (typeof ACTIONS)[number];

/** One service account with the two callers that are measured. */
interface Account {
  readonly user: string;
  readonly own: string;
  readonly sharing: string;
  readonly others: number;
}

/** The crowd's people are the accounts and the callers: ThoughtSpot knows them all. */
const accountsOf = (people: readonly string[], sizes: readonly number[]): Account[] =>
  sizes.map((others, index) => {
    const [user = '', own = '', sharing = ''] = people.slice(3 * index, 3 * index + 3);
    return { user, own, sharing, others };
  });

/** Two rules per account: with a token for each caller, and with one for all. */
function rulesOf({ user, own, sharing }: Account): readonly object[] {
  const validity = { defaultSeconds: 300, minSeconds: 30, maxSeconds: 3_600 };
  const grants = [{ name: 'full', kind: 'full', validity, reuse: { minLifeLeftSeconds: 60 } }];
  const rule = (name: string, person: string, share: boolean) => ({
    name: `${name}-${user}`,
    when: { claim: 'preferred_username', oneOf: [person] },
    user: { serviceAccount: user },
    org: 1,
    ...(share && { share }),
    grants,
  });
  return [rule('desks', own, false), rule('wallboards', sharing, true)];
}

/**
 * Shared leases that others minted: in turn one that lives, of a kind of its own, and one that is finished, of the kind that
 * is asked for.
 */
function* sharedRows({ user, others }: Account, fingerprint: string): Generator<Item> {
  for (let row = 0; row < others; row += 1) {
    const lives = row % 2 === 0;
    const at = Date.now() - (lives ? 60_000 : 86_400_000);
    const subject = `other-${row}`;
    const reservation = {
      user,
      fingerprint: lives ? `print-${user}-${row}` : fingerprint,
      // Clear of the one that showed the fingerprint.
      generation: lives ? 1 : row + 1_000,
      caller: { issuer: ISSUER, subject },
      shared: true,
      orgId: 1,
      kind: 'full',
      rule: `wallboards-${user}`,
      grant: 'full',
      policyVersion: 'bench',
      reservedAt: at,
      mintDeadlineAt: at + 14_000,
      latestEndAt: at + 3_700_000,
    } as const;
    const item = reservedItem(reservation, { shards: 16, now: at, write: 'bench' });
    const tokenDigest = `digest-${user}-${row}`;
    if (lives) yield { ...item, state: 'live', dueAt: at + 3_700_000, tokenDigest, token: randomBytes(433) };
    else yield { ...finished(item), tokenDigest };
  }
}

/** As the table keeps it for a month: in no index of what is unfinished. */
function finished(item: Item): Item {
  const unfinished = new Set(['callerDigest', 'sessionDigest', 'dueShard', 'dueAt']);
  return { ...Object.fromEntries(Object.entries(item).filter(([name]) => !unfinished.has(name))), state: 'revoked' };
}

type UseCases = Awaited<ReturnType<typeof useCasesOn>>;

/** The actions of one account, in their order. */
function actionsOn({ getToken, revokeTokens }: UseCases, { own, sharing }: Account) {
  const deadline = () => Date.now() + 10_000;
  const ask = (person: string) => getToken(callerOf(person), {}, deadline());
  let leaseId = '';
  const revoke = async (
    person: string,
    selection: Parameters<UseCases['revokeTokens']>[1],
    mayRevokeOthers: boolean,
  ) => {
    const revoker = { kind: 'caller', caller: callerOf(person), mayRevokeOthers } as const;
    const { revoked } = await revokeTokens(revoker, selection, Date.now(), deadline());
    if (revoked !== 1) throw new Error(`one token of ${person} should have been revoked, ${revoked} were`);
  };
  const must = async (person: string, reused: boolean) => {
    const issued = await ask(person);
    if (issued.reused !== reused) throw new Error(`the token of ${person} should be ${reused ? 'the same' : 'new'}`);
    return issued.lease;
  };
  const actions: Record<Action, () => Promise<unknown>> = {
    mint: () => must(own, false),
    reuse: () => must(own, true),
    revoke: () => revoke(own, { kind: 'mine' }, false),
    'mint of a shared token': async () => ({ leaseId } = await must(sharing, false)),
    'reuse of it': () => must(sharing, true),
    "an operator's revocation": () => revoke(own, { kind: 'lease', leaseId }, true),
  };
  return actions;
}

async function measure(context: Context, setup: Setup, accounts: readonly Account[]): Promise<Result> {
  const rounds = context.quick ? ROUNDS.quick : ROUNDS.usual;
  // The mint limit is not what is measured here.
  const useCases = await useCasesOn(setup, {}, { mintLimitWindowMs: 1 });
  const total = accounts.reduce((sum, { others }) => sum + others, 0);
  let written = 0;
  for (const account of accounts) {
    // A first token shows the fingerprint of the shared ones.
    const { lease } = await useCases.getToken(callerOf(account.sharing), {}, Date.now() + 10_000);
    const operator = { kind: 'caller', caller: callerOf(account.own), mayRevokeOthers: true } as const;
    const first = { kind: 'lease', leaseId: lease.leaseId } as const;
    await useCases.revokeTokens(operator, first, Date.now(), Date.now() + 10_000);
    await fill(setup, sharedRows(account, lease.fingerprint), (count) => {
      written += count;
      context.progress((0.5 * written) / total, 'filling the table');
    });
  }

  const samples = new Map(ACTIONS.map((action) => [action, accounts.map((): number[] => [])]));
  const actions = accounts.map((account) => actionsOn(useCases, account));
  for (let round = -WARM_UP; round < rounds; round += 1) {
    for (const action of ACTIONS) {
      for (const [index, on] of actions.entries()) {
        const took = await millisecondsOf(on[action]);
        if (round >= 0) samples.get(action)?.[index]?.push(took);
      }
    }
    context.progress(0.5 + (0.5 * (round + WARM_UP)) / (rounds + WARM_UP), 'measuring');
  }
  return report(
    samples,
    accounts.map(({ others }) => others),
  );
}

type Samples = ReadonlyMap<Action, readonly number[][]>;

function report(samples: Samples, sizes: readonly number[]): Result {
  const [fewest, most] = [sizes[0] ?? 0, sizes.at(-1) ?? 0].map((size) => size.toLocaleString('en'));
  return {
    goals: ACTIONS.map((action) => {
      const [least, largest] = [samples.get(action)?.[0] ?? [], samples.get(action)?.at(-1) ?? []];
      const growth = median(ratios(largest, least));
      return {
        goal: `${action} beside ${most} shared leases of others under one account takes at most ${FLAT}x as long as beside ${fewest}`,
        measured: `${growth.toFixed(2)}x (${median(largest).toFixed(1)} ms against ${median(least).toFixed(1)} ms, spread ${(spread(least) * 100).toFixed(0)} %)`,
        met: growth <= FLAT,
      };
    }),
    charts: [],
    method:
      `Service accounts with ${sizes.map((size) => size.toLocaleString('en')).join(', ')} shared leases each, minted by as many others: ` +
      `half of them live, each of a kind of its own, and half are finished generations of the kind that is asked for. Two rules give ` +
      `tokens of each account: a caller of the one gets a token of his own, a caller of the other the one that all get. In turn, for each ` +
      `account: mint, the same token again, revocation; the caller revokes his own token, and an operator the shared one, by its ` +
      `lease. Domain and real adapters over DynamoDB's protocol (the local emulator), ${samples.get('mint')?.[0]?.length} rounds, medians of their ratios.`,
    samples: Object.fromEntries(
      ACTIONS.flatMap((action) =>
        sizes.map((size, index) => [`${action} ${size}`, samples.get(action)?.[index] ?? []]),
      ),
    ),
  };
}

async function run(context: Context): Promise<Result> {
  const sizes = context.quick ? SIZES.quick : SIZES.usual;
  // Rules of service accounts come first: the crowd's own rule would match these callers too.
  const withAccounts = (policy: DemoPolicy, people: readonly string[]) => ({
    ...policy,
    rules: [...accountsOf(people, sizes).flatMap(rulesOf), ...policy.rules],
  });
  const setup = await startSetup(3 * sizes.length, { rateLimit: false }, undefined, undefined, withAccounts);
  try {
    return await unheard(() => measure(context, setup, accountsOf(setup.people, sizes)));
  } finally {
    await setup.close();
  }
}

export const sharedAccountBenchmark: Benchmark = {
  name: 'shared-account',
  title: 'Growth of a shared account',
  seconds: 30,
  run,
};
