import { SECRET_ID } from '../../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import type { Switches } from '../../../local/thoughtspot/switches.ts';
import { type Answered, witness, type Witness } from '../../support/broker-witness.ts';
import { crowd } from '../../support/crowd.ts';

/** Short enough that a case which has to run into its deadline does so soon. */
const TIMEOUT_MS = 9_000;
const HOUR_MS = 3_600_000;
const { names, users, cluster } = crowd(80);
const nextUser = names[Symbol.iterator]();
let broker: LocalBroker;
let seen: Witness;

beforeAll(async () => {
  broker = await startLocalBroker({
    sweepEveryMs: null,
    users,
    simulator: { cluster },
    limits: { timeoutMs: TIMEOUT_MS },
  });
  broker.simulator?.set(QUIET);
  seen = witness(broker);
});
afterAll(() => broker.close());
afterEach(async () => {
  mendAll();
  expect(await seen.unaccounted()).toEqual([]);
});

const QUIET: Partial<Switches> = {
  outage: 'none',
  maintenancePage: false,
  latencyMs: 0,
  slowBodyMs: 0,
  wrongUser: null,
  wrongOrg: null,
  wrongKind: false,
  trustedAuth: true,
  lostReplies: 0,
  faultCount: null,
  faultScope: 'all',
  rateLimit: false,
};

function mendAll(): void {
  for (const { faults } of [broker.aws.secrets, broker.aws.kms, broker.aws.dynamodb]) faults.clear();
  broker.simulator?.set(QUIET);
}

function somebody(): string {
  const { value, done } = nextUser.next();
  if (done === true) throw new Error('The crowd is too small.');
  return value;
}

/** What the caller saw: status, code, and whether they were told when to come again. */
const told = ({ status, code, headers }: Answered) => ({
  status,
  code,
  again: Number(headers.get('retry-after') ?? 0) > 0,
});
const retry = (status: number, code: string) => ({ status, code, again: true });
const final = (status: number, code: string) => ({ status, code, again: false });

interface Case {
  readonly name: string;
  /** Breaks something; the answer mends what has to be mended before the ledger is looked at. */
  readonly breaks: () => void | (() => void | Promise<void>);
  readonly caller: ReturnType<typeof told>;
  /** States of the user's rows when the caller has been answered, and after the sweep has done all it can. */
  readonly rows: readonly string[];
  readonly swept?: readonly string[];
}

const upstream = (patch: Partial<Switches>) => () => void broker.simulator?.set(patch);
const aws = (service: 'dynamodb' | 'kms' | 'secrets', fault: object) => () =>
  broker.aws[service].faults.inject(() => fault as never);

function tryCase(get: () => Case): () => Promise<void> {
  return async () => {
    const { breaks, caller, rows, swept = rows } = get();
    const user = somebody();
    const mend = breaks();
    const answer = await seen.ask(user);
    await mend?.();
    mendAll();
    expect(told(answer)).toEqual(caller);
    expect(answer.json['token']).toBeUndefined();
    expect(await seen.statesOf(user)).toEqual(rows);
    await seen.sweepToRest();
    expect(await seen.statesOf(user)).toEqual(swept);
    // What is left alive has a row of its own that waits it out, and the user gets a token again.
    expect(seen.liveTokens(user).length).toBeLessThanOrEqual(swept.filter((state) => state === 'orphaned').length);
    expect((await seen.ask(user)).status).toBe(200);
  };
}

const UPSTREAM: readonly Case[] = [
  {
    name: 'shows its maintenance page',
    breaks: upstream({ maintenancePage: true }),
    caller: retry(503, 'upstream-unavailable'),
    rows: ['failed'],
  },
  {
    name: 'shows it as a success',
    breaks: upstream({ maintenancePage: true, maintenanceStatus: 200 }),
    caller: final(502, 'upstream-invalid'),
    rows: ['failed'],
  },
  {
    name: 'does not answer in time',
    breaks: upstream({ latencyMs: 60_000 }),
    caller: retry(504, 'upstream-timeout'),
    rows: ['orphaned'],
  },
  {
    name: 'never ends its answer',
    breaks: upstream({ slowBodyMs: 60_000 }),
    caller: retry(504, 'upstream-timeout'),
    rows: ['orphaned'],
  },
  {
    name: 'loses the reply of a mint',
    breaks: upstream({ lostReplies: 1 }),
    caller: retry(503, 'upstream-unavailable'),
    rows: ['orphaned'],
  },
  {
    name: 'fails without a word',
    breaks: upstream({ outage: 'error', outageStatus: 500 }),
    caller: retry(503, 'upstream-unavailable'),
    rows: ['orphaned'],
  },
  {
    name: 'refuses the request as malformed',
    breaks: upstream({ outage: 'error', outageStatus: 400 }),
    caller: final(502, 'upstream-refused'),
    rows: ['failed'],
  },
  {
    name: 'has trusted authentication off',
    breaks: upstream({ trustedAuth: false }),
    caller: final(502, 'upstream-trusted-auth-disabled'),
    rows: ['failed'],
  },
  {
    name: 'answers for another user',
    breaks: upstream({ wrongUser: 'bob' }),
    caller: final(502, 'upstream-mismatch'),
    rows: ['revoked'],
  },
  {
    name: 'answers for another organisation',
    breaks: upstream({ wrongOrg: 0 }),
    caller: final(502, 'upstream-mismatch'),
    rows: ['revoked'],
  },
  {
    name: 'answers for another kind',
    breaks: upstream({ wrongKind: true }),
    caller: final(502, 'upstream-mismatch'),
    rows: ['revoked'],
  },
];

describe('when ThoughtSpot misbehaves, no token leaves and none is unrecorded', () => {
  test.each(UPSTREAM)('it $name', ({ name }) => tryCase(() => UPSTREAM.find((one) => one.name === name) as Case)());

  test('it limits its callers for as long as a request lasts: 503 with Retry-After', async () => {
    const user = somebody();
    broker.simulator?.set({ rateLimit: true, rateLimitPerSecond: 1, rateLimitBurst: 1 });
    let answered = false;
    const draining = (async () => {
      while (!answered)
        await fetch(`${broker.simulator?.url}/callosum/v1/session/isactive`).then((reply) => reply.text());
    })();
    const answer = await seen.ask(user);
    answered = true;
    await draining;
    expect(told(answer)).toEqual(retry(503, 'upstream-busy'));
    expect(await seen.statesOf(user)).toEqual(['failed']);
  });

  test('what is withheld was told to operators, and an orphan is counted for the alarm', () => {
    expect(broker.output.text()).toContain('"upstream-mismatch":1');
    expect(broker.output.text()).toContain('"orphan-seen":1');
  });
});

/** The write that makes a row live, after the mint. */
const isLiveWrite = ({ operation, input }: { readonly operation: string; readonly input: unknown }) =>
  operation === 'UpdateItem' && JSON.stringify(input).includes('":state":{"S":"live"}');
const ofLiveWrite = (fault: object) => () =>
  broker.aws.dynamodb.faults.inject((call) => (isLiveWrite(call) ? (fault as never) : undefined));

const AWS: readonly Case[] = [
  {
    name: 'DynamoDB throttles',
    breaks: aws('dynamodb', { kind: 'error', type: 'ProvisionedThroughputExceededException' }),
    caller: retry(503, 'ledger-unavailable'),
    rows: [],
  },
  {
    name: 'DynamoDB denies',
    breaks: aws('dynamodb', { kind: 'error', type: 'AccessDeniedException' }),
    caller: retry(503, 'ledger-denied'),
    rows: [],
  },
  {
    name: 'DynamoDB stalls without end',
    breaks: aws('dynamodb', { kind: 'hang' }),
    caller: retry(503, 'ledger-unavailable'),
    rows: [],
  },
  {
    name: 'DynamoDB denies the write after the mint: the token is revoked before the caller hears',
    breaks: ofLiveWrite({ kind: 'error', type: 'AccessDeniedException' }),
    caller: retry(503, 'ledger-denied'),
    rows: ['revoked'],
  },
  {
    name: 'DynamoDB throttles the write after the mint: the token is revoked before the caller hears',
    breaks: ofLiveWrite({ kind: 'error', type: 'ProvisionedThroughputExceededException' }),
    caller: retry(503, 'ledger-unavailable'),
    rows: ['revoked'],
  },
];

describe('when AWS misbehaves, the answer says what failed and nothing is released', () => {
  test.each(AWS)('$name', ({ name }) => tryCase(() => AWS.find((one) => one.name === name) as Case)());

  test('DynamoDB stalls for 5 s: the caller hears within its time and every token has its row', async () => {
    const user = somebody();
    broker.aws.dynamodb.faults.inject(() => ({ kind: 'latency', ms: 5_000 }));
    const answer = await seen.ask(user);
    mendAll();
    expect(told(answer)).toEqual(retry(503, 'ledger-unavailable'));
    expect(await seen.unaccounted()).toEqual([]);
    await seen.sweepToRest();
    expect((await seen.ask(user)).status).toBe(200);
    const left = (await seen.statesOf(user)).filter((state) => state !== 'live');
    expect(left.filter((state) => !['failed', 'revoked', 'orphaned', 'reserved'].includes(state))).toEqual([]);
  });
});

describe('sandboxes that start while AWS misbehaves', () => {
  const restart = async () => {
    for (const local of broker.functions.values()) for (const pid of local.pids()) process.kill(pid, 'SIGKILL');
    await broker.rebuild();
  };

  test('Secrets Manager is down: 503 secret-unavailable, and well again without a restart', async () => {
    const user = somebody();
    broker.aws.secrets.faults.inject(() => ({ kind: 'error', type: 'InternalServiceError', status: 500 }));
    await restart();
    expect(told(await seen.ask(user))).toEqual(retry(503, 'secret-unavailable'));
    expect(await seen.statesOf(user)).toEqual(['failed']);
    broker.aws.secrets.faults.clear();
    expect((await seen.ask(user)).status).toBe(200);
    expect([...(await seen.statesOf(user))].sort()).toEqual(['failed', 'live']);
  });

  test('Secrets Manager goes down while warm: the cached credential serves', async () => {
    const user = somebody();
    broker.aws.secrets.faults.inject(() => ({ kind: 'error', type: 'InternalServiceError', status: 500 }));
    expect((await seen.ask(user)).status).toBe(200);
    expect(await seen.statesOf(user)).toEqual(['live']);
  });

  test('KMS denies: 503 key-unavailable, and nothing was minted', async () => {
    const user = somebody();
    broker.aws.kms.faults.inject(() => ({ kind: 'error', type: 'AccessDeniedException' }));
    await restart();
    expect(told(await seen.ask(user))).toEqual(retry(503, 'key-unavailable'));
    expect([await seen.statesOf(user), seen.liveTokens(user)]).toEqual([[], []]);
  });

  test('a sandbox is killed in mid-request: the gateway says so, the mint is accounted for, the next request works', async () => {
    const user = somebody();
    const { asked, release } = await seen.heldMint(user);
    for (const pid of broker.functions.get('gettoken')?.pids() ?? []) process.kill(pid, 'SIGKILL');
    expect(await asked).toMatchObject({ status: 500, json: { message: 'Internal Server Error' } });
    release();
    expect(await seen.statesOf(user)).toEqual(['reserved']);
    expect(seen.liveTokens(user)).toHaveLength(1);
    expect((await seen.ask(somebody())).status).toBe(200);
  });
});

describe('the secret key is rotated at ThoughtSpot', () => {
  const refusedMints = () => broker.simulator?.state().refused['POST /api/rest/2.0/auth/token/full']?.['401'] ?? 0;
  const withKey = (secretKey: string | undefined) => {
    const current = JSON.parse(broker.aws.secrets.values(SECRET_ID).at(-1) ?? '{}') as object;
    return JSON.stringify({ ...current, secretKey });
  };

  test('a key that is in the store already costs one more read and no failed request', async () => {
    const [first, second] = [somebody(), somebody()];
    await seen.ask(first);
    broker.aws.secrets.put(SECRET_ID, withKey(broker.simulator?.rotateKey()), ['AWSPENDING']);
    const before = refusedMints();
    expect((await seen.ask(second)).status).toBe(200);
    expect((await seen.ask(somebody())).status).toBe(200);
    expect(refusedMints() - before).toBe(1);
    broker.aws.secrets.promotePending(SECRET_ID);
  });

  test('a key that is nowhere in the store is one clear code, and an alarm', async () => {
    const user = somebody();
    const key = broker.simulator?.rotateKey();
    expect(told(await seen.ask(user))).toEqual(final(502, 'upstream-credential-refused'));
    expect(await seen.statesOf(user)).toEqual(['failed']);
    expect(broker.output.text()).toContain('"upstream-credential-refused":1');
    broker.aws.secrets.put(SECRET_ID, withKey(key));
  });
});

test('in the end, when every token has ended by its own time, the sweep has finished every row', async () => {
  broker.simulator?.set({ clockOffsetMs: HOUR_MS });
  seen.shiftClocks(HOUR_MS);
  await seen.sweepToRest();
  const states = new Set<string>();
  for (const user of names) for (const state of await seen.statesOf(user)) states.add(state);
  expect([...states].sort()).toEqual(['expired', 'failed', 'revoked']);
  expect(seen.liveTokens()).toEqual([]);
});

test('every way to fail that was broken here was told by its own code', () => {
  expect([...seen.codes].sort()).toEqual([
    'key-unavailable',
    'ledger-denied',
    'ledger-unavailable',
    'secret-unavailable',
    'upstream-busy',
    'upstream-credential-refused',
    'upstream-invalid',
    'upstream-mismatch',
    'upstream-refused',
    'upstream-timeout',
    'upstream-trusted-auth-disabled',
    'upstream-unavailable',
  ]);
});

test('nothing that was printed or refused holds a secret, a token or a JWT, in any form', async () => {
  expect(await seen.leaks()).toEqual([]);
});
