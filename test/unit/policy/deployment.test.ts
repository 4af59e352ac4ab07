/** A deployment of another policy: who keeps the token that they hold, and who gets a new one. */
import { makeGetToken } from '../../../functions/broker/get-token.ts';
import { makeEntitlements } from '../../../functions/policy/entitlements.ts';
import { checkPolicy } from '../../../infra/policy/check.ts';
import { makeWorld, TIMEOUT_MS } from '../../support/broker-world.ts';
import { callerWith, fullGrant, NOW, policyWith, rule, sha256 } from '../../support/policy-documents.ts';

const alice = callerWith({ tenant: 'acme', name: 'alice' });
const first = policyWith({});
const note = { name: 'others', when: { claim: 'tenant', equals: 'initech' }, user: { claim: 'sub' }, org: 1 };

/** A broker whose sandboxes come to have other policies, as in a deployment. */
function broker() {
  const { ledger, issuer, clock, audit } = makeWorld({ start: NOW });
  const about = { randomness: () => 0.5, signals: { emit() {} }, log: { info() {}, warn() {}, error() {} } };
  const world = {
    ledger,
    issuer,
    clock,
    ...about,
    audit: { record: (event: (typeof audit)[number]) => audit.push(event) },
  };
  return (document: object) => {
    const { text, digest } = checkPolicy(document);
    const getToken = makeGetToken({
      ...world,
      ...makeEntitlements({ text, digest, host: 'https://ts.example', sha256 }),
    });
    return async () => {
      const { reused, lease } = await getToken(alice, {}, clock.now() + TIMEOUT_MS);
      return { reused, version: lease.policyVersion, own: digest.slice(0, 16) };
    };
  };
}

it.each<[string, object]>([
  ['a rule for other people', { ...first, rules: [rule, { ...note, grants: [fullGrant] }] }],
  ['other names of rule and grant', policyWith({ name: 'people', grants: [{ ...fullGrant, name: 'all' }] })],
  [
    'another limit for those who ask',
    policyWith({ grants: [{ ...fullGrant, validity: { ...fullGrant.validity, maxSeconds: 800 } }] }),
  ],
  ['another way to the same user', policyWith({ user: { claim: 'name', allow: ['alice'] } })],
])('a policy with %s serves the tokens of the last one, whose rows keep its version', async (_, next) => {
  const deploy = broker();
  const before = await deploy(first)();
  const ask = deploy(next);
  const after = await ask();
  expect(after.own).not.toBe(before.own);
  expect(after).toMatchObject({ reused: true, version: before.own });
  // During a canary both are asked in turn.
  expect(await deploy(first)()).toMatchObject({ reused: true });
  expect(await ask()).toMatchObject({ reused: true });
});

it.each<[string, object]>([
  ['another org', policyWith({ org: 7 })],
  ['another user', policyWith({ user: { claim: 'name', lowerCase: true, pattern: '^(al)ice$' } })],
  ['other rights', policyWith({ grants: [{ ...fullGrant, kind: 'custom', persist: 'NONE', groups: ['a'] }] })],
  ['provisioning', policyWith({ provision: {} })],
  [
    'a shorter life',
    policyWith({ grants: [{ ...fullGrant, validity: { ...fullGrant.validity, defaultSeconds: 200 } }] }),
  ],
])('a policy with %s serves no token of the last one', async (_, next) => {
  const deploy = broker();
  await deploy(first)();
  const after = await deploy(next)();
  expect(after).toMatchObject({ reused: false, version: after.own });
});

it('a policy that no longer lets somebody in does not serve the token that the last one gave', async () => {
  const deploy = broker();
  await deploy(first)();
  await expect(deploy(policyWith({ when: { claim: 'tenant', equals: 'globex' } }))()).rejects.toThrow('not-entitled');
});
