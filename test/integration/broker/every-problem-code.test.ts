import type { ProblemCode } from '../../../functions/contract/problems.ts';
import { PROBLEMS } from '../../../functions/contract/problems.ts';
import { SECRET_ID } from '../../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import type { Switches } from '../../../local/thoughtspot/switches.ts';
import { type Answered, witness, type Witness } from '../../support/broker-witness.ts';
import { crowd } from '../../support/crowd.ts';
import { withOneTeam } from '../../support/one-team.ts';
import { operatorEvent } from '../../../local/operator/operator-event.ts';

const { names, ...many } = crowd(40);
const { policy, users, cluster } = withOneTeam(many.users, many.cluster);
const people = [...names];
const somebody = () => people.pop() ?? '';
/** For people whom nothing else lets in. */
const auditors = {
  name: 'auditors',
  when: {
    all: [
      { claim: 'auditor', equals: true },
      { claim: 'auth_time', withinSeconds: 3_600 },
    ],
  },
  user: { claim: 'sub' },
  org: 1,
  grants: [{ name: 'full', kind: 'full', validity: { defaultSeconds: 300, minSeconds: 30, maxSeconds: 900 } }],
};
let broker: LocalBroker;
let seen: Witness;

beforeAll(async () => {
  broker = await startLocalBroker({
    sweepEveryMs: null,
    policy: { ...policy, rules: [auditors, ...policy.rules] },
    users,
    simulator: { cluster },
  });
  broker.simulator?.set({ rateLimit: false });
  seen = witness(broker);
});
afterAll(() => broker.close());
afterEach(async () => {
  for (const { faults } of [broker.aws.secrets, broker.aws.kms, broker.aws.dynamodb]) faults.clear();
  broker.simulator?.set({ ...MENDED });
  expect(await seen.unaccounted()).toEqual([]);
});

const MENDED: Partial<Switches> = {
  outage: 'none',
  maintenancePage: false,
  maintenanceStatus: 503,
  latencyMs: 0,
  wrongUser: null,
  trustedAuth: true,
  rateLimit: false,
};

const upstream = (patch: Partial<Switches>) => {
  broker.simulator?.set(patch);
  return seen.ask(somebody());
};
const dynamodb = (type: string) => {
  broker.aws.dynamodb.faults.inject(() => ({ kind: 'error', type }));
  return seen.ask(somebody());
};
/** New sandboxes, which have read nothing yet. */
const afresh = async (ask: () => Promise<Answered>) => {
  for (const local of broker.functions.values()) local.replace({});
  return ask();
};
/** New sandboxes, whose invocations may last so long. */
async function within(timeoutMs: number, ask: () => Promise<Answered>): Promise<Answered> {
  const gettoken = broker.functions.get('gettoken');
  const usual = gettoken?.timeoutMs ?? 0;
  gettoken?.replace({ timeoutMs });
  const answer = await ask();
  gettoken?.replace({ timeoutMs: usual });
  return answer;
}
const secret = () => broker.aws.secrets.values(SECRET_ID)[0] ?? '';

/** A way to meet each code, from outside, through the real bundles. A code without one does not compile. */
const PROVOKE: Record<ProblemCode, () => Promise<Answered>> = {
  'invalid-request': () => seen.ask('alice', '/gettoken', { body: { userName: 'bob' } }),
  'unsupported-media-type': () =>
    seen.ask('alice', '/gettoken', { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
  // The gateway lets an ID token with the scope pass.
  'invalid-token': async () => {
    const idToken = await broker.issuer.accessToken('alice', { token_use: 'id' });
    return seen.ask('alice', '/gettoken', { authorization: `Bearer ${idToken}` });
  },
  'sign-in-again': async () => {
    const signedInAt = Math.floor(Date.now() / 1_000) - 4_000;
    const jwt = await broker.issuer.accessToken('mallory', { auditor: true, auth_time: signedInAt });
    const answer = await seen.ask('mallory', '/gettoken', { authorization: `Bearer ${jwt}` });
    expect(answer.json['max_age']).toBe(3_600);
    expect(answer.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_user_authentication", max_age="3600"',
    );
    return answer;
  },
  suspended: async () => {
    const user = somebody();
    expect((await seen.ask('ops', '/suspend', { body: { userName: user } })).status).toBe(200);
    return seen.ask(user);
  },
  'not-entitled': () => seen.ask('mallory'),
  'insufficient-scope': () => seen.ask('alice', '/revoketoken', { body: { all: true } }),
  'user-not-provisioned': () => seen.ask('erin'),
  'entitlement-conflict': async () => {
    expect((await seen.ask('mia')).status).toBe(200);
    return seen.ask('mona');
  },
  'lease-not-found': () => seen.ask('bob', '/revoketoken', { body: { leaseId: 'AAAA' } }),
  'object-not-available': () =>
    seen.ask(somebody(), '/gettoken', {
      body: { grant: 'liveboard', objectId: '00000000-0000-4000-8000-000000000000' },
    }),
  'mint-limit': async () => {
    const user = somebody();
    const fresh = () => seen.ask(user, '/gettoken', { body: { fresh: true } });
    for (let mint = 0; mint < 5; mint += 1) expect((await fresh()).status).toBe(200);
    return fresh();
  },
  'mint-in-progress': async () => {
    const user = somebody();
    const { asked, release } = await seen.heldMint(user);
    // Too short for a mint of its own, however long the first has lasted by then.
    const other = await within(4_400, () => seen.ask(user));
    release();
    await asked;
    return other;
  },
  'superseded-by-revocation': async () => {
    const user = somebody();
    const { asked, release } = await seen.heldMint(user);
    // The revocation itself calls nobody: there is no token in the row yet.
    await broker.invoke('operator', operatorEvent('POST', '/leases/revoke', { userName: user, keepSignIn: true }));
    release();
    return asked;
  },
  'upstream-credential-refused': async () => {
    const key = broker.simulator?.rotateKey();
    const answer = await seen.ask(somebody());
    const current = JSON.parse(broker.aws.secrets.values(SECRET_ID).at(-1) ?? '{}') as object;
    broker.aws.secrets.put(SECRET_ID, JSON.stringify({ ...current, secretKey: key }));
    for (const local of broker.functions.values()) local.replace({});
    return answer;
  },
  'upstream-trusted-auth-disabled': () => upstream({ trustedAuth: false }),
  'upstream-mismatch': () => upstream({ wrongUser: 'bob' }),
  'upstream-invalid': () => upstream({ maintenancePage: true, maintenanceStatus: 200 }),
  'upstream-refused': () => upstream({ outage: 'error', outageStatus: 400 }),
  'upstream-conflict': () => within(7_000, () => upstream({ outage: 'error', outageStatus: 409 })),
  'upstream-busy': () => upstream({ outage: 'error', outageStatus: 429 }),
  'upstream-unavailable': () => upstream({ outage: 'error', outageStatus: 503 }),
  'upstream-timeout': () => within(7_000, () => upstream({ latencyMs: 60_000 })),
  'ledger-unavailable': () => dynamodb('InternalServerError'),
  'ledger-denied': () => dynamodb('AccessDeniedException'),
  'key-unavailable': () => {
    broker.aws.kms.faults.inject(() => ({ kind: 'error', type: 'DisabledException' }));
    return afresh(() => seen.ask(somebody()));
  },
  'secret-unavailable': () => {
    broker.aws.secrets.faults.inject(() => ({ kind: 'error', type: 'InternalServiceError', status: 500 }));
    return afresh(() => seen.ask(somebody()));
  },
  'issuer-unavailable': async () => {
    const gettoken = broker.functions.get('gettoken');
    const [issuer] = JSON.parse(gettoken?.variables['ISSUERS'] ?? '[]') as object[];
    const ISSUERS = JSON.stringify([{ ...issuer, jwksUri: 'http://127.0.0.1:9/jwks' }]);
    const variables = gettoken?.variables ?? {};
    gettoken?.replace({ variables: { ...variables, ISSUERS } });
    const answer = await seen.ask(somebody());
    gettoken?.replace({ variables });
    return answer;
  },
  'not-set-up': () => {
    const message = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
    broker.aws.secrets.faults.inject(() => ({ kind: 'error', type: 'ResourceNotFoundException', message }));
    return afresh(() => seen.ask(somebody()));
  },
  misconfigured: async () => {
    const good = broker.aws.secrets.values(SECRET_ID).at(-1) ?? secret();
    broker.aws.secrets.put(SECRET_ID, '{"sercetKey":"a misspelt field"}');
    const answer = await afresh(() => seen.ask(somebody()));
    broker.aws.secrets.put(SECRET_ID, good);
    return answer;
  },
  'internal-error': () => dynamodb('ValidationException'),
};

test.each(Object.entries(PROVOKE))('%s is what its documentation says', async (code, provoke) => {
  const problem = PROBLEMS[code as ProblemCode];
  const answer = await provoke();
  expect({ code: answer.code, status: answer.status }).toEqual({ code, status: problem.status });
  expect(answer.json).toMatchObject({ title: problem.title, detail: problem.detail, status: problem.status });
  expect(answer.json['type']).toBe(`urn:thoughtspot-token-broker:problem:${code}`);
  expect(answer.json['correlationId']).toEqual(expect.any(String));
  expect(Number(answer.headers.get('retry-after') ?? 0) > 0).toBe(problem.retry);
  expect(answer.json['token']).toBeUndefined();
});

test('the broker is well again after all of it', async () => {
  for (const local of broker.functions.values()) local.replace({});
  expect((await seen.ask(somebody())).status).toBe(200);
});

test('nothing that was printed or refused holds a secret, a token or a JWT, in any form', async () => {
  expect(await seen.leaks()).toEqual([]);
});
