import type { FunctionName } from '../../../functions/contract/functions.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';

/** What the stack's policies refuse to every function but gettoken is refused here to all; those that need it not must not notice. */
describe.each(['auth-2.0', 'session-v2'] as const)('with the secret refused to all, in dialect %s', (dialect) => {
  let broker: LocalBroker;
  let seen: Witness;
  let reads = 0;
  const minted: Record<string, unknown>[] = [];
  beforeAll(async () => {
    broker = await startLocalBroker({ sweepEveryMs: null, thoughtspot: { kind: 'simulator', dialect } });
    seen = witness(broker);
    for (const user of ['alice', 'bob']) minted.push((await seen.ask(user)).json);
    broker.aws.secrets.faults.inject(() => ({ kind: 'error', type: 'AccessDeniedException' }));
    for (const local of broker.functions.values()) local.replace({});
    reads = broker.aws.secrets.calls.length;
  });
  afterAll(() => broker.close());
  const scheduled = (name: FunctionName, more: object = {}) =>
    broker.invoke(name, { source: 'schedule', name, scheduledTime: new Date().toISOString(), ...more });

  test('sessioninfo tells of the session', async () => {
    expect(await seen.ask('alice', '/sessioninfo', { method: 'GET' })).toMatchObject({ status: 200 });
  });

  test('leases lists, with the handles that gettoken gave out', async () => {
    const { status, text } = await seen.ask('ops', '/leases', { method: 'GET' });
    expect(status).toBe(200);
    for (const { leaseId } of minted) expect(text).toContain(leaseId);
  });

  test('revoketoken finds a token by its digest and a lease by its handle, and ThoughtSpot confirms', async () => {
    const [alices, bobs] = minted;
    const byToken = await seen.ask('ops', '/revoketoken', { body: { token: alices?.['token'] } });
    expect(byToken).toMatchObject({ status: 200, json: { revoked: 1, pending: 0 } });
    const byLease = await seen.ask('ops', '/revoketoken', { body: { leaseId: bobs?.['leaseId'] } });
    expect(byLease).toMatchObject({ status: 200 });
    for (const { token } of minted) expect(broker.simulator?.tokens()).not.toContain(token);
    const select = { userName: 'nobody' };
    expect(await scheduled('revoketoken', { select })).toMatchObject({ status: 'answered' });
  });

  test('the sweep ends what is due', async () => {
    seen.shiftClocks(25 * 3_600_000);
    await seen.sweepToRest();
    const states = (await Promise.all(['alice', 'bob', 'svc-broker'].map((user) => seen.statesOf(user)))).flat();
    expect(states.filter((state) => state !== 'revoked' && state !== 'expired')).toEqual([]);
    expect(states.length).toBeGreaterThan(0);
  });

  test('none of them has asked for it', () => {
    expect(broker.aws.secrets.calls.length).toBe(reads);
    expect(broker.output.text()).not.toMatch(/secret-unavailable|"access-denied":1/);
  });

  test('gettoken needs it, and says so', async () => {
    seen.shiftClocks(0);
    expect(await seen.ask('alice', '/gettoken', { body: { fresh: true } })).toMatchObject({
      status: 503,
      code: 'secret-unavailable',
    });
  });
});
