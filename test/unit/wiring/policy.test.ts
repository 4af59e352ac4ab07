import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IssuerSettings } from '../../../functions/identity/issuers.ts';
import { wirePolicy } from '../../../functions/wiring/policy.ts';
import { sha256 } from '../../../functions/wiring/system.ts';
import { checkPolicy } from '../../../infra/policy/check.ts';
import { callerWith, NOW, policy } from '../../support/policy-documents.ts';

const ISSUER: IssuerSettings = {
  url: 'https://login.example',
  audiences: ['broker'],
  scopes: { token: 'broker:token', revoke: 'broker:revoke' },
  algorithms: ['RS256'],
};
const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.json');
const { text, digest } = checkPolicy(policy);
const config = {
  POLICY_FILE: file,
  POLICY_VERSION: digest,
  THOUGHTSPOT_HOST: 'https://acme.thoughtspot.cloud',
  ISSUERS: [ISSUER],
};

test.each([
  ['is missing', undefined],
  ['is no JSON', '{'],
  ['is the document of its author', JSON.stringify(policy)],
  ['was changed by one character after it was checked', text.replace('"acme":1', '"acme":2')],
  ['has a byte order mark', `\ufeff${text}`],
  ['has another end of line', `${text}\n`],
])('a policy that %s is a misconfiguration', async (_name, stored) => {
  if (stored !== undefined) writeFileSync(file, stored);
  await expect(wirePolicy(config)).rejects.toMatchObject({ name: 'Failure', code: 'misconfigured' });
});

test('the policy that was checked decides, and its version is a part of its digest', async () => {
  writeFileSync(file, text);
  const entitlements = await wirePolicy(config);
  const decision = entitlements.decide(callerWith({ tenant: 'acme', name: 'alice' }), {}, NOW);
  expect(decision).toMatchObject({ allowed: true, grant: { user: 'alice', policyVersion: digest.slice(0, 16) } });
  expect(entitlements.usersOf(callerWith({ tenant: 'acme', name: 'alice' }))).toEqual(['alice']);
});

test('a rule for callers of every issuer is a misconfiguration where there are several', async () => {
  writeFileSync(file, text);
  const another = { ...ISSUER, name: 'partner', url: 'https://login.partner.example' };
  await expect(wirePolicy({ ...config, ISSUERS: [ISSUER, another] })).rejects.toMatchObject({ code: 'misconfigured' });
});

test('a text that is not JSON is a misconfiguration even where its digest is right', async () => {
  writeFileSync(file, 'null');
  const empty = { ...config, POLICY_VERSION: sha256('null') };
  await expect(wirePolicy(empty)).rejects.toMatchObject({ name: 'Failure', code: 'misconfigured' });
});
