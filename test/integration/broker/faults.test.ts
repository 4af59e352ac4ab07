import { SECRET_ID } from '../../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import type { Switches } from '../../../local/thoughtspot/switches.ts';
import { leaksIn } from '../../support/canaries.ts';
import { crowd, unaccounted, unfinishedRows } from '../../support/crowd.ts';
import { faultsOf } from '../../support/openapi.ts';

/** Short enough that a case which has to run into its deadline does so soon. */
const TIMEOUT_MS = 9_000;
const { names, users, cluster } = crowd(60);
const nextUser = names[Symbol.iterator]();
const jwts = new Set<string>();
const provoked = new Set<string>();
let broker: LocalBroker;

beforeAll(async () => {
  broker = await startLocalBroker({
    sweepEveryMs: null,
    users,
    simulator: { cluster },
    limits: { timeoutMs: TIMEOUT_MS },
  });
});
afterAll(() => broker.close());
afterEach(async () => {
  broker.aws.secrets.faults.clear();
  broker.aws.kms.faults.clear();
  broker.aws.dynamodb.faults.clear();
  broker.simulator?.set(QUIET);
  expect(await unaccounted(broker)).toEqual([]);
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
  clockOffsetMs: 0,
  faultCount: null,
  faultScope: 'all',
  rateLimit: false,
};

function somebody(): string {
  const { value, done } = nextUser.next();
  if (done === true) throw new Error('The crowd is too small.');
  return value;
}

async function ask(user: string, path = '/gettoken', body: unknown = {}) {
  const jwt = await broker.issuer.accessToken(user);
  jwts.add(jwt);
  const response = await fetch(broker.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  const contentType = response.headers.get('content-type') ?? '';
  const answer = { status: response.status, contentType, body: text, headers: response.headers };
  // Answers of the gateway itself carry only a message.
  const json = JSON.parse(text) as Record<string, unknown>;
  if (json['code'] !== undefined || response.ok) expect(faultsOf(path, 'POST', answer)).toEqual([]);
  if (typeof json['code'] === 'string') provoked.add(json['code']);
  return { ...answer, json, code: json['code'], retryAfter: response.headers.get('retry-after') };
}

const statesOf = async (user: string) =>
  (await unfinishedRows(broker)).filter((row) => row.user === user).map(({ state }) => state);
const tokensOf = (user: string) => (broker.simulator?.state().tokens ?? []).filter((token) => token.user === user);

describe('when ThoughtSpot misbehaves, no token leaves and none is unrecorded', () => {
  test.each<[name: string, patch: Partial<Switches>, status: number, code: string, states: readonly string[]]>([
    ['shows its maintenance page', { maintenancePage: true }, 503, 'upstream-unavailable', []],
    ['shows it as a success', { maintenancePage: true, maintenanceStatus: 200 }, 502, 'upstream-invalid', []],
    ['does not answer in time', { latencyMs: 60_000 }, 504, 'upstream-timeout', ['orphaned']],
    ['never ends its answer', { slowBodyMs: 60_000 }, 504, 'upstream-timeout', ['orphaned']],
    ['loses the reply of a mint', { lostReplies: 1 }, 503, 'upstream-unavailable', ['orphaned']],
    ['fails without a word', { outage: 'error', outageStatus: 500 }, 503, 'upstream-unavailable', ['orphaned']],
    ['has trusted authentication off', { trustedAuth: false }, 502, 'upstream-trusted-auth-disabled', []],
  ])('it %s', async (_name, patch, status, code, states) => {
    const user = somebody();
    broker.simulator?.set(patch);
    const answer = await ask(user);
    broker.simulator?.set(QUIET);
    expect({ status: answer.status, code: answer.code, states: await statesOf(user) }).toEqual({
      status,
      code,
      states,
    });
    expect(answer.json['token']).toBeUndefined();
    if (status === 503) expect(Number(answer.retryAfter)).toBeGreaterThan(0);
  });

  test.each<[name: string, patch: Partial<Switches>]>([
    ['user', { wrongUser: 'bob' }],
    ['organisation', { wrongOrg: 0 }],
    ['kind', { wrongKind: true }],
  ])('it answers for another %s: the token is withheld and dead or being revoked', async (_name, patch) => {
    const user = somebody();
    broker.simulator?.set(patch);
    const answer = await ask(user);
    broker.simulator?.set(QUIET);
    expect({ status: answer.status, code: answer.code }).toEqual({ status: 502, code: 'upstream-mismatch' });
    expect(broker.output.text()).toContain('"upstream-mismatch":1');
    expect(answer.json['token']).toBeUndefined();
    expect(tokensOf(user).length === 0 || (await statesOf(user)).includes('revoking')).toBe(true);
  });

  test('it limits its callers for as long as a request lasts: 503 with Retry-After', async () => {
    const user = somebody();
    broker.simulator?.set({ rateLimit: true, rateLimitPerSecond: 1, rateLimitBurst: 1 });
    let answered = false;
    const draining = (async () => {
      while (!answered)
        await fetch(`${broker.simulator?.url}/callosum/v1/session/isactive`).then((reply) => reply.text());
    })();
    const answer = await ask(user);
    answered = true;
    await draining;
    broker.simulator?.set(QUIET);
    expect({ status: answer.status, code: answer.code, states: await statesOf(user) }).toEqual({
      status: 503,
      code: 'upstream-busy',
      states: [],
    });
    expect(Number(answer.retryAfter)).toBeGreaterThan(0);
  });

  test('an orphan is counted for the alarm', () => {
    expect(broker.output.text()).toContain('"orphan-seen":1');
  });
});

describe('when AWS misbehaves, the answer says what failed and nothing is released', () => {
  test.each([
    ['DynamoDB throttles', 'dynamodb', 'ProvisionedThroughputExceededException', 503, 'ledger-unavailable'],
    ['DynamoDB denies', 'dynamodb', 'AccessDeniedException', 503, 'ledger-denied'],
  ] as const)('%s', async (_name, service, type, status, code) => {
    const user = somebody();
    broker.aws[service].faults.inject(() => ({ kind: 'error', type }));
    const answer = await ask(user);
    broker.aws[service].faults.clear();
    expect({ status: answer.status, code: answer.code, tokens: tokensOf(user) }).toEqual({ status, code, tokens: [] });
  });

  test('DynamoDB stalls: the caller hears within its time, and the next request works', async () => {
    const user = somebody();
    broker.aws.dynamodb.faults.inject(() => ({ kind: 'hang' }));
    expect(await ask(user)).toMatchObject({ status: 503, code: 'ledger-unavailable' });
    broker.aws.dynamodb.faults.clear();
    expect((await ask(user)).status).toBe(200);
  });

  test('the live write fails after the mint: the token is revoked before the caller hears', async () => {
    const user = somebody();
    let writes = 0;
    broker.aws.dynamodb.faults.inject(({ operation, input }) => {
      const toLive = operation === 'UpdateItem' && JSON.stringify(input).includes('"live"');
      if (!toLive) return undefined;
      writes += 1;
      return { kind: 'error', type: 'AccessDeniedException' };
    });
    const answer = await ask(user);
    expect({ status: answer.status, code: answer.code }).toEqual({ status: 503, code: 'ledger-denied' });
    expect(writes).toBeGreaterThan(0);
    expect(tokensOf(user)).toEqual([]);
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
    expect(await ask(user)).toMatchObject({ status: 503, code: 'secret-unavailable' });
    broker.aws.secrets.faults.clear();
    expect((await ask(user)).status).toBe(200);
  });

  test('Secrets Manager goes down while warm: the cached credential serves', async () => {
    broker.aws.secrets.faults.inject(() => ({ kind: 'error', type: 'InternalServiceError', status: 500 }));
    expect((await ask(somebody())).status).toBe(200);
  });

  test('KMS denies: 503 key-unavailable, and nothing was minted', async () => {
    const user = somebody();
    broker.aws.kms.faults.inject(() => ({ kind: 'error', type: 'AccessDeniedException' }));
    await restart();
    expect(await ask(user)).toMatchObject({ status: 503, code: 'key-unavailable' });
    expect(tokensOf(user)).toEqual([]);
  });

  test('a sandbox is killed in mid-request: the gateway says so, the mint is accounted for, the next request works', async () => {
    const user = somebody();
    const release = broker.simulator?.hold();
    const minting = new Promise<void>((resolve) => {
      const stop = broker.simulator?.onCall(() => {
        stop?.();
        resolve();
      });
    });
    const asked = ask(user);
    await minting;
    for (const pid of broker.functions.get('gettoken')?.pids() ?? []) process.kill(pid, 'SIGKILL');
    expect(await asked).toMatchObject({ status: 500, json: { message: 'Internal Server Error' } });
    release?.();
    expect(await statesOf(user)).toEqual(['reserved']);
    expect((await ask(somebody())).status).toBe(200);
  });
});

describe('the secret key is rotated at ThoughtSpot', () => {
  test('a key that is in the store already costs one more read and no failed request', async () => {
    const [first, second] = [somebody(), somebody()];
    await ask(first);
    const key = broker.simulator?.rotateKey();
    const secret = JSON.stringify({ secretKey: key, digestKey: Buffer.alloc(32, 7).toString('base64') });
    broker.aws.secrets.put(SECRET_ID, secret, ['AWSPENDING']);
    const refusedBefore = JSON.stringify(broker.simulator?.state().refused);
    expect((await ask(second)).status).toBe(200);
    expect((await ask(somebody())).status).toBe(200);
    const mint = (text: string | undefined) =>
      (JSON.parse(text ?? '{}') as Record<string, Record<string, number>>)['POST /api/rest/2.0/auth/token/full']?.[
        '401'
      ] ?? 0;
    expect(mint(JSON.stringify(broker.simulator?.state().refused)) - mint(refusedBefore)).toBe(1);
    broker.aws.secrets.promotePending(SECRET_ID);
  });

  test('a key that is nowhere in the store is one clear code, and an alarm', async () => {
    broker.simulator?.rotateKey();
    expect(await ask(somebody())).toMatchObject({ status: 502, code: 'upstream-credential-refused' });
    expect(broker.output.text()).toContain('"upstream-credential-refused":1');
  });
});

test('every way to fail that was broken here was told by its own code', () => {
  expect([...provoked].sort()).toEqual([
    'key-unavailable',
    'ledger-denied',
    'ledger-unavailable',
    'secret-unavailable',
    'upstream-busy',
    'upstream-credential-refused',
    'upstream-invalid',
    'upstream-mismatch',
    'upstream-timeout',
    'upstream-trusted-auth-disabled',
    'upstream-unavailable',
  ]);
});

test('nothing that was printed holds a secret, a token or a JWT, in any form', () => {
  const tokens = broker.simulator?.tokens() ?? [];
  const secrets = Object.fromEntries(
    [...tokens, ...jwts, broker.simulator?.secretKey() ?? 'none'].map((text, at) => [`secret ${at}`, text]),
  );
  expect(jwts.size).toBeGreaterThan(10);
  expect(leaksIn(broker.output.text(), secrets)).toEqual([]);
});
