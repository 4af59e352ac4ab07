import { readFileSync } from 'node:fs';
import path from 'node:path';
import { WARNINGS } from '../../../infra/policy/schema.ts';
import { compilePolicy, policy } from '../../support/policy-documents.ts';

const text = readFileSync(path.join(__dirname, '..', '..', '..', 'docs', 'policy.md'), 'utf8');
const examples = [...text.matchAll(/^```json\n(.*?)^```/gms)].map(([, json = '']) => JSON.parse(json) as object);

describe('docs/policy.md', () => {
  it('shows examples that compile', () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
    for (const example of examples) {
      const part = 'limits' in example ? { ...policy, ...example } : { version: 1, rules: [example] };
      const document = 'rules' in example ? example : part;
      expect(() => compilePolicy(document)).not.toThrow();
    }
  });

  it('has a row for every warning', () => {
    for (const warning of WARNINGS) expect(text).toMatch(new RegExp(`^\\| \`${warning}\` +\\|`, 'm'));
  });
});
