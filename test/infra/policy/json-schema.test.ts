import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { policyJsonSchema } from '../../../infra/policy/cli.ts';
import { PolicySchema } from '../../../infra/policy/schema.ts';
import { policyDocument, runs } from '../../support/policy-documents.ts';

const root = path.join(__dirname, '..', '..', '..');
const read = (...parts: string[]): unknown => JSON.parse(readFileSync(path.join(root, ...parts), 'utf8'));
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(policyJsonSchema());

describe('the published JSON Schema', () => {
  it('is current: npm run policy -- schema --write brings it up to date', () => {
    expect(read('docs', 'policy.schema.json')).toEqual(policyJsonSchema());
  });

  it('accepts every policy that the repository ships', () => {
    const shipped = readdirSync(path.join(root, 'infra', 'environments')).filter((file) =>
      /^policy\.[\w-]+\.json$/.test(file),
    );
    expect(shipped.length).toBeGreaterThanOrEqual(4);
    for (const file of shipped) expect([file, validate(read('infra', 'environments', file))]).toEqual([file, true]);
    expect(validate(read('local', 'policy.json'))).toBe(true);
  });

  it('accepts what the parser accepts, and refuses what it refuses', () => {
    const document = fc.oneof(
      policyDocument,
      fc
        .tuple(policyDocument, fc.constantFrom('when', 'user', 'org', 'grants', 'name', 'mode'), fc.jsonValue())
        .map(([whole, member, value]) => ({ ...whole, rules: [{ ...whole.rules[0], [member]: value }] })),
    );
    fc.assert(
      fc.property(document, (one) => {
        const json: unknown = JSON.parse(JSON.stringify(one));
        expect(validate(json)).toBe(PolicySchema.safeParse(json).success);
      }),
      runs(500, 20_000),
    );
  });
});
