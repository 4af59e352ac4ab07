import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wirePolicy } from '../../../functions/wiring/policy.ts';

const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.json');
const config = { POLICY_FILE: file, THOUGHTSPOT_HOST: 'https://acme.thoughtspot.cloud' };

test.each([
  ['is missing', undefined],
  ['is no JSON', '{'],
  ['is no policy', '{"rules":7}'],
])('a policy that %s is a misconfiguration', async (_name, text) => {
  if (text !== undefined) writeFileSync(file, text);
  await expect(wirePolicy(config)).rejects.toMatchObject({ name: 'Failure', code: 'misconfigured' });
});
