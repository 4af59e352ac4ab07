/* Whose the entitlements of a custom mint are, and what 26.9 answers to two mints at once (wire facts 3.8). */
import { SALES_TABLE } from '../../../local/thoughtspot/liveboard.ts';
import type { Simulator } from '../../../local/thoughtspot/simulator.ts';
import { call, debugOf, start, tokenFor, type Reply } from './cluster-client.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await start();
});
beforeEach(() => simulator.reset());
afterAll(() => simulator.close());

interface Asked {
  readonly region?: readonly string[];
  readonly tier?: readonly string[];
  readonly filter?: readonly string[];
  readonly objects?: readonly string[];
}
type Mint = readonly [persist_option: string, asked?: Asked];

const sent = ([persist_option, asked = {}]: Mint) => ({
  persist_option,
  variable_values: (['region', 'tier'] as const).flatMap((name) => {
    const values = asked[name];
    return values ? [{ name, values }] : [];
  }),
  ...(asked.filter && { filter_rules: [{ column_name: 'region', operator: 'IN', values: asked.filter }] }),
  ...(asked.objects && { objects: asked.objects.map((identifier) => ({ identifier })) }),
});

const mint = (asked: Mint, more: object = {}, of = simulator): Promise<Reply> =>
  call(of.url, 'POST /api/rest/2.0/auth/token/custom', {
    body: { username: 'alice', org_identifier: 'acme', secret_key: of.secretKey(), ...sent(asked), ...more },
  });

async function tokenOf(asked: Mint, more: object = {}): Promise<string> {
  const { status, json } = await mint(asked, more);
  expect(status).toBe(200);
  return (json as { token: string }).token;
}

async function regionsOf(bearer: string): Promise<string> {
  const { json } = await call(simulator.url, 'GET /simulator/sales', { bearer });
  const { rows } = json as { rows: { region: string }[] };
  return [...new Set(rows.map((row) => row.region))].sort().join(' ');
}
const ALL = 'amer apac emea latam';

/** What session/user tells of the bearer. */
const userOf = async (bearer: string) =>
  (await call(simulator.url, 'GET /api/rest/2.0/auth/session/user', { bearer })).json;

describe('a custom mint changes, at once, every session of its user in its Org:', () => {
  test('tokens minted before, full ones and cookie sessions show its rows, and session/user says so', async () => {
    const full = await tokenFor(simulator, 'alice');
    const regional = await tokenOf(['REPLACE', { region: ['emea'] }]);
    const login = await call(simulator.url, 'POST /api/rest/2.0/auth/session/login', { bearer: full });
    const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    expect([await regionsOf(full), await regionsOf(regional)]).toEqual(['emea', 'emea']);
    await tokenOf(['REPLACE', { region: ['apac'] }]);
    expect([await regionsOf(full), await regionsOf(regional)]).toEqual(['apac', 'apac']);
    expect(await userOf(regional)).toMatchObject({ variable_values: { region: ['apac'] } });
    const byCookie = await call(simulator.url, 'GET /api/rest/2.0/auth/session/user', { cookie });
    expect(byCookie.json).toMatchObject({ variable_values: { region: ['apac'] } });
    for (const token of simulator.state().tokens) expect(token.entitlements.variables).toEqual({ region: ['apac'] });
  });

  test('a revocation takes nothing away', async () => {
    const [full, regional] = [await tokenFor(simulator, 'alice'), await tokenOf(['REPLACE', { region: ['emea'] }])];
    const body = { user_identifier: 'alice', token: regional };
    await call(simulator.url, 'POST /api/rest/2.0/auth/token/revoke', { bearer: regional, body });
    expect(await regionsOf(full)).toBe('emea');
  });

  test('other users, and the same user in another Org, keep theirs', async () => {
    const bob = await tokenFor(simulator, 'bob');
    const elsewhere = await tokenFor(simulator, 'svc-broker', 2);
    await tokenOf(['REPLACE', { region: ['emea'] }], { username: 'svc-broker' });
    expect([await regionsOf(bob), await regionsOf(elsewhere)]).toEqual([ALL, ALL]);
    const { entitlements } = simulator.state().users.find(({ name }) => name === 'svc-broker') ?? {};
    expect(Object.keys(entitlements ?? {})).toEqual(['1']);
  });

  test('with the switch entitlements at "token", a token keeps what was in force when it was made', async () => {
    simulator.set({ entitlements: 'token' });
    const before = await tokenFor(simulator, 'alice');
    const regional = await tokenOf(['REPLACE', { region: ['emea'] }]);
    await tokenOf(['REPLACE', { region: ['apac'] }]);
    const after = await tokenFor(simulator, 'alice');
    expect(await Promise.all([before, regional, after].map(regionsOf))).toEqual([ALL, 'emea', 'apac']);
  });
});

/** Of the last token and of a full one from before, after these mints. */
const ROWS: readonly [what: string, mints: readonly Mint[], last: string, full: string][] = [
  [
    'REPLACE replaces',
    [
      ['REPLACE', { region: ['emea'] }],
      ['REPLACE', { region: ['apac'] }],
    ],
    'apac',
    'apac',
  ],
  [
    'REPLACE takes the variables away that it does not name',
    [
      ['REPLACE', { region: ['emea'] }],
      ['REPLACE', { tier: ['gold'] }],
    ],
    ALL,
    ALL,
  ],
  [
    'REPLACE with an empty array clears nothing',
    [
      ['REPLACE', { region: ['emea'] }],
      ['REPLACE', { region: [] }],
    ],
    'emea',
    'emea',
  ],
  [
    'APPEND piles up',
    [
      ['APPEND', { region: ['emea'] }],
      ['APPEND', { region: ['apac'] }],
    ],
    'apac emea',
    'apac emea',
  ],
  ['NONE leaves the user alone', [['REPLACE', { region: ['emea'] }], ['NONE']], 'emea', 'emea'],
  ['NONE gives its filter to its own token only', [['NONE', { filter: ['emea'] }]], 'emea', ALL],
  ['a filter that persists holds for all', [['REPLACE', { filter: ['emea'] }]], 'emea', 'emea'],
  ['RESET clears filters', [['REPLACE', { filter: ['emea'] }], ['RESET']], ALL, ALL],
  ['RESET leaves variables', [['REPLACE', { region: ['emea'] }], ['RESET']], 'emea', 'emea'],
  ['variables for another table change nothing here', [['REPLACE', { region: ['emea'], objects: ['x'] }]], ALL, ALL],
  [
    'APPEND adds its table',
    [
      ['REPLACE', { region: ['emea'], objects: ['x'] }],
      ['APPEND', { region: ['apac'], objects: [SALES_TABLE] }],
    ],
    'apac emea',
    'apac emea',
  ],
];

test.each(ROWS)('%s', async (_what, mints, last, full) => {
  const before = await tokenFor(simulator, 'alice');
  let token = '';
  for (const asked of mints) token = await tokenOf(asked);
  expect([await regionsOf(token), await regionsOf(before)]).toEqual([last, full]);
});

describe('two mints that update one variable at once (26.9 and later):', () => {
  /** A simulator where the update of the given mint goes on until it is closed, so nothing here depends on speed. */
  async function updating(...first: Mint[]): Promise<Simulator> {
    const busy = await start({ switches: { variableConflictMs: 3_600_000 } });
    for (const asked of first) void mint(asked, {}, busy).catch(() => undefined);
    while (busy.state().mints < first.length) await new Promise(setImmediate);
    return busy;
  }

  test('the second is 409, whoever it is for, and applies nothing: no token, no entitlement, no user', async () => {
    const busy = await updating(['REPLACE', { region: ['emea'] }]);
    const { tokens, users } = busy.state();
    const reply = await mint(['REPLACE', { region: ['apac'] }], { username: 'new' }, busy);
    expect(reply.status).toBe(409);
    expect(debugOf(reply.json)).toContain('concurrent update of the variable region');
    expect(busy.state()).toMatchObject({ tokens, users });
    await busy.close();
  });

  test('the next one, after the first is answered, is granted', async () => {
    simulator.set({ variableConflictMs: 1 });
    for (const region of ['emea', 'apac']) expect((await mint(['REPLACE', { region: [region] }])).status).toBe(200);
  });

  test('mints of other variables, of none and full ones do not collide', async () => {
    const busy = await updating(['REPLACE', { region: ['emea'] }], ['APPEND', { tier: ['gold'] }]);
    expect((await mint(['NONE', { filter: ['emea'] }], {}, busy)).status).toBe(200);
    await tokenFor(busy, 'alice');
    await busy.close();
  });

  test('by default no update takes any time', async () => {
    const replies = await Promise.all(['emea', 'apac', 'amer'].map((one) => mint(['REPLACE', { region: [one] }])));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});
