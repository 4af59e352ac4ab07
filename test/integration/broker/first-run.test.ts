import type { FunctionName } from '../../../functions/contract/functions.ts';
import { PLATFORM_ALARMS, SIGNAL_ALARMS } from '../../../infra/constructs/alarm-list.ts';
import { SECRET_ID } from '../../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';

/** The stack is deployed, and nobody has stored the credential or the prober's client yet. */
let broker: LocalBroker;
let seen: Witness;
let credential: string;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  seen = witness(broker);
  credential = broker.aws.secrets.values(SECRET_ID)[0] ?? '';
  for (const secret of [SECRET_ID, 'thoughtspot-broker/local/prober']) broker.aws.secrets.empty(secret);
  for (const local of broker.functions.values()) local.replace({});
});
afterAll(() => broker.close());

const scheduled = (name: FunctionName, more: object = {}) =>
  broker.invoke(name, { source: 'schedule', name, scheduledTime: new Date().toISOString(), ...more });

test('schedules run, or wait for the first value, without failing, and no alarm fires', async () => {
  for (const invocation of [
    await scheduled('sweep'),
    await scheduled('prober'),
    await scheduled('revoketoken', { select: { userName: 'alice' } }),
  ])
    expect(invocation.status).toBe('answered');
  const printed = broker.output.text();
  // Of the prober: the sweep and revocations need no credential.
  expect(printed.match(/"not-set-up":1/g)).toHaveLength(1);
  for (const alarm of [...Object.keys(SIGNAL_ALARMS), ...Object.keys(PLATFORM_ALARMS)])
    if (alarm !== 'oldest-due-age') expect(printed).not.toContain(`"${alarm}":1`);
});

test('a caller is told to come again, and the first value ends it without a deployment', async () => {
  expect(await seen.ask('alice')).toMatchObject({ status: 503, code: 'not-set-up' });
  broker.aws.secrets.put(SECRET_ID, credential);
  expect(await seen.ask('alice')).toMatchObject({ status: 200 });
  expect((await scheduled('sweep')).status).toBe('answered');
});
