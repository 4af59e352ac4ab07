/** Events that did not come through the gateway, as EventBridge and Scheduler deliver them to the bundle of revoketoken. */
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { auditOf } from '../../support/audit-lines.ts';
import { ledgerRows } from '../../support/ledger-rows.ts';

let broker: LocalBroker;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
});
afterAll(() => broker.close());

interface Answer {
  readonly code?: string;
  readonly token?: string;
}
async function ask(user: string): Promise<readonly [number, Answer]> {
  const headers = { authorization: `Bearer ${await broker.issuer.accessToken(user)}` };
  const answer = await fetch(`${broker.url}/gettoken`, { method: 'POST', headers });
  return [answer.status, (await answer.json()) as Answer];
}
/** A new token, and when its lease was reserved. */
async function mint(user: string): Promise<{ readonly token: string; readonly reservedAt: number }> {
  const [status, { token = '' }] = await ask(user);
  expect(status).toBe(200);
  const { leases } = await ledgerRows(broker);
  const reserved = leases.filter((lease) => lease.user === user).map(({ reservedAt }) => reservedAt);
  return { token, reservedAt: Math.max(...reserved) };
}
const isAlive = (token: string) => broker.simulator?.tokens().includes(token);

/** What the function returns, or `failed`. */
async function deliver(event: object): Promise<unknown> {
  const { status, payload } = { payload: '', ...(await broker.invoke('revoketoken', event)) };
  return status === 'answered' ? (JSON.parse(payload) as unknown) : status;
}
/** EventBridge has whole seconds: whatever happened in a second is dated of its beginning. */
const dated = (ms: number) => new Date(Math.floor(ms / 1_000) * 1_000).toISOString().replace('.000', '');
const left = (time: string, detail: object) => ({
  'detail-type': 'user.deprovisioned',
  source: 'idp.example',
  time,
  detail,
});
const schedule = (scheduledTime: string, select: object) => ({
  source: 'schedule',
  name: 'nightly',
  scheduledTime,
  select,
});
const reinstate = async (whom: object) => {
  const jwt = await broker.issuer.accessToken('ops');
  const headers = { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' };
  const answer = await fetch(`${broker.url}/reinstate`, { method: 'POST', headers, body: JSON.stringify(whom) });
  return (await answer.json()) as unknown;
};

describe('of the same second as a lease, which it is dated before', () => {
  test('a minter whose clock is 400 ms ahead has its lease ended, too', async () => {
    broker.functions.get('gettoken')?.replace({ clockOffsetMs: 400 });
    const { token, reservedAt } = await mint('carol');
    broker.functions.get('gettoken')?.replace({ clockOffsetMs: 0 });
    expect(await deliver(schedule(dated(reservedAt - 400), { userName: 'carol' }))).toEqual({ revoked: 1, pending: 0 });
    expect(isAlive(token)).toBe(false);
  });

  test.each<[string, string, (time: string) => object, pending: 0 | null]>([
    ['an event names the user', 'alice', (time) => left(time, { userNames: ['alice'] }), 0],
    [
      'an event names the subject',
      'carol',
      (time) => left(time, { subjects: [{ issuer: broker.issuer.url, sub: 'user-carol' }] }),
      null,
    ],
    ['a schedule names the user', 'bob', (time) => schedule(time, { userName: 'bob' }), 0],
  ])('%s: the lease ends, and the event once more changes nothing', async (_name, user, eventOf, pending) => {
    const { token, reservedAt } = await mint(user);
    const event = eventOf(dated(reservedAt));
    expect(await deliver(event)).toEqual({ revoked: 1, pending });
    expect(isAlive(token)).toBe(false);
    for (const whom of [{ userName: user }, { subject: { issuer: broker.issuer.url, sub: `user-${user}` } }])
      await reinstate(whom);
    const next = await mint(user);
    await deliver(event);
    expect(isAlive(next.token)).toBe(true);
  });
});

describe('who has left', () => {
  test('by user and by subject gets nothing until taken back, and a name that nobody has is counted', async () => {
    const { token } = await mint('bob');
    const detail = { userNames: ['bob', 'bbo'], subjects: [{ issuer: broker.issuer.url, sub: 'user-nobody' }] };
    // Of the next second: he may have been taken back in this one.
    const event = left(dated(Date.now() + 1_000), detail);
    expect(await deliver(event)).toEqual({ revoked: 1, pending: null, unmatched: 2 });
    expect([isAlive(token), (await ask('bob'))[1].code]).toEqual([false, 'suspended']);
    expect(auditOf(broker, 'suspend').map(({ user }) => user)).toEqual(expect.arrayContaining(['bob', 'bbo']));
    expect([await reinstate({ userName: 'bob' }), await reinstate({ userName: 'bob' })]).toEqual([
      { reinstated: 1 },
      { reinstated: 0 },
    ]);
    // From the dead letters, and out of order.
    const older = left(dated(Date.now() - 3_600_000), { userNames: ['bob'] });
    for (const late of [event, older])
      expect(await deliver(late)).toMatchObject({ revoked: 0, ignored: expect.any(Number) as number });
    expect((await ask('bob'))[0]).toBe(200);
  });

  test('by a sender whose clock is ahead is not shut out again by the same event, once taken back', async () => {
    await mint('bob');
    const event = left(new Date(Date.now() + 120_000).toISOString(), { userNames: ['bob'] });
    expect(await deliver(event)).toMatchObject({ pending: 0 });
    expect((await ask('bob'))[1].code).toBe('suspended');
    expect(await reinstate({ userName: 'bob' })).toEqual({ reinstated: 1 });
    broker.functions.get('revoketoken')?.replace({ clockOffsetMs: 240_000 });
    expect(await deliver(event)).toMatchObject({ ignored: 1 });
    broker.functions.get('revoketoken')?.replace({ clockOffsetMs: 0 });
    expect((await ask('bob'))[0]).toBe(200);
  });

  test.each<[string, object]>([
    ['an invisible character in a name', left(dated(Date.now()), { userNames: ['al\u200bice'] })],
    ['a blank of Braille', left(dated(Date.now()), { userNames: ['alice\u2800'] })],
    ['nobody', left(dated(Date.now()), {})],
    ['a time far ahead', left(dated(Date.now() + 3_600_000), { userNames: ['alice'] })],
    ['a subject without an issuer', left(dated(Date.now()), { subjects: [{ sub: 'user-alice' }] })],
  ])('with %s is refused as a whole, so that it is delivered again and kept', async (_name, event) => {
    const before = auditOf(broker, 'suspend').length;
    expect(await deliver(event)).toBe('failed');
    expect(auditOf(broker, 'suspend')).toHaveLength(before);
  });
});
