/** What a request costs at DynamoDB, as the client of the bundles calls it: reads and writes, whoever may be shut out. */
import { readFileSync } from 'node:fs';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { DEFAULT_POLICY } from '../../../local/settings.ts';

interface Document {
  readonly rules: readonly { readonly name: string; readonly grants: readonly object[] }[];
}
const demo = JSON.parse(readFileSync(DEFAULT_POLICY, 'utf8')) as Document;
const [guests] = demo.rules;
/** All that may call share the token of a service account. */
const shared = {
  name: 'wallboards',
  when: { claim: 'groups', contains: 'wallboards' },
  share: true,
  grants: guests?.grants,
};
/** No grant leaves anything on a user at ThoughtSpot. */
const plain = { ...demo, refuse: [], rules: [{ ...shared, user: { serviceAccount: 'svc-broker' }, org: 0 }, guests] };

const REUSE = ['BatchGetItem', 'Query'];
const MINT = ['BatchGetItem', 'BatchGetItem', 'PutItem', 'Query', 'UpdateItem', 'UpdateItem'];
const isWrite = (operation: string) => /^(Put|Update|Delete)/.test(operation);

describe.each<[string, object, string, readonly string[]]>([
  ['of its own', plain, 'guests', MINT],
  ['that it shares', plain, 'wallboards', MINT],
  ['whose entitlements stay on the user', demo, 'analysts', [...MINT, 'UpdateItem']],
])('for a token %s', (name, policy, group, mint) => {
  let broker: LocalBroker;
  beforeAll(async () => {
    broker = await startLocalBroker({ sweepEveryMs: null, sessionClaim: 'sid', policy });
    // Keys and connections are there from now on.
    await ask('carol', 'guests');
  });
  afterAll(() => broker.close());

  /** The operations of a request, in alphabetical order. */
  async function ask(user: string, groups = group): Promise<readonly string[]> {
    const claims = { sid: `sid-${user}`, groups: [groups] };
    const headers = { authorization: `Bearer ${await broker.issuer.accessToken(user, claims)}` };
    const before = broker.aws.dynamodb.calls.length;
    const answer = await fetch(`${broker.url}/gettoken`, { method: 'POST', headers });
    expect([answer.status, await answer.json()]).toEqual([200, expect.any(Object)]);
    return broker.aws.dynamodb.calls
      .slice(before)
      .map(({ operation }) => operation)
      .sort();
  }

  test('a mint reads three times and writes as often as before there were blocks, and a reuse reads twice', async () => {
    for (const [deed, expected] of [
      ['mint', mint],
      ['reuse', REUSE],
    ] as const) {
      const operations = await ask('alice');
      const writes = operations.filter(isWrite).length;
      process.stdout.write(`${deed} of a token ${name}: ${operations.length - writes} reads, ${writes} writes\n`);
      expect(operations).toEqual(expected);
    }
  });
});
