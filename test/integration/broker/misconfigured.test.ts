import type { LocalBrokerOptions } from '../../../local/local-broker.ts';
import { startLocalBroker } from '../../../local/local-broker.ts';
import { SECRET_ID } from '../../../local/function-variables.ts';
import { type Answered, witness } from '../../support/broker-witness.ts';
import { leaksIn } from '../../support/canaries.ts';
import { secretText } from '../../support/secrets-manager.ts';

const CANARY = 'canary-5d3f0c2a-misplaced';

async function withBroker(
  options: LocalBrokerOptions,
  run: (broker: Awaited<ReturnType<typeof startLocalBroker>>, ask: () => Promise<Answered>) => Promise<void>,
) {
  const broker = await startLocalBroker({ sweepEveryMs: null, ...options });
  try {
    const seen = witness(broker);
    await run(broker, () => seen.ask('alice'));
    expect(await seen.unaccounted()).toEqual([]);
    expect(await seen.leaks()).toEqual([]);
  } finally {
    await broker.close();
  }
}

test('a malformed secret is 500, with the path in the log only, and its repair needs no deployment', async () => {
  await withBroker({}, async (broker, ask) => {
    const good = secretText(broker.simulator?.secretKey() ?? '');
    const faulty = [
      CANARY,
      `{"secretKey":"${CANARY}","orgs":{"acme":{}}}`,
      secretText(`${CANARY}\n`),
      `{"password":"${CANARY}"}`,
      secretText('x', { [CANARY]: 1 }),
    ];
    for (const text of faulty) {
      broker.aws.secrets.put(SECRET_ID, text);
      const answer = await ask();
      expect(answer).toMatchObject({ status: 500, code: 'misconfigured' });
      expect(answer.text).not.toContain('secretKey');
    }
    const printed = broker.output.text();
    expect(printed).toContain('the secret is malformed: $');
    expect(printed).toContain('"misconfigured":1');
    expect(leaksIn(printed, { canary: CANARY })).toEqual([]);
    expect(broker.simulator?.tokens()).toEqual([]);

    broker.aws.secrets.put(SECRET_ID, good);
    expect(await ask()).toMatchObject({ status: 200 });
  });
});

test('a function whose environment is wrong answers every request with 500, and its log names all faults', async () => {
  const variables = { ISSUERS: 'https://issuer.example', LEDGER_DUE_SHARDS: 'many' };
  await withBroker({ variables }, async (broker, ask) => {
    for (let request = 0; request < 3; request += 1) {
      expect(await ask()).toMatchObject({ status: 500, code: 'misconfigured' });
    }
    const printed = broker.output.text();
    expect(printed).toContain(
      'LEDGER_DUE_SHARDS must be a whole number, 1 to 256; ISSUERS must be a JSON list of issuers',
    );
    expect(printed.match(/Init Duration/g)).toHaveLength(1);
    expect(broker.simulator?.tokens()).toEqual([]);
  });
});

test('a function refuses a policy that was not the one checked for its version, and mints nothing', async () => {
  const variables = { POLICY_VERSION: 'another-policy'.padEnd(43, '-') };
  await withBroker({ variables }, async (broker, ask) => {
    expect(await ask()).toMatchObject({ status: 500, code: 'misconfigured' });
    expect(broker.output.text()).toContain('the policy next to the bundle is not the one that was checked');
    expect(broker.simulator?.tokens()).toEqual([]);
  });
});
