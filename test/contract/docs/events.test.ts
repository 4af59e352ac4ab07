/** docs/events.md: its schema takes what the broker takes, and nothing else that a schema can see. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { revocationOf } from '../../../functions/http/revocation-events.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/events.md'), 'utf8');
const schema = JSON.parse(/```json\n([^]*?)```/.exec(page)?.[1] ?? '') as object;
const allows = new Ajv2020().compile(schema);
const takes = (detail: unknown): boolean => {
  try {
    const time = new Date(START).toISOString();
    revocationOf({ 'detail-type': 'user.deprovisioned', time, detail }, makeFakeClock());
    return true;
  } catch {
    return false;
  }
};
const one = { issuer: 'https://issuer.example', sub: 's' };
const many = (length: number) => Array.from({ length }, (_, n) => `user-${n}`);

test.each<[boolean, unknown]>([
  [true, { userNames: ['alice'] }],
  [true, { subjects: [one] }],
  [true, { userNames: ['alice', 'bob'], subjects: [one, one] }],
  [true, { userNames: many(1_000) }],
  [true, { userNames: ['a'.repeat(256)], subjects: [{ issuer: 'i'.repeat(512), sub: 's'.repeat(256) }] }],
  [false, {}],
  [false, 'alice'],
  [false, ['alice']],
  [false, { userNames: [] }],
  [false, { subjects: [] }],
  [false, { userNames: ['alice'], subjects: [] }],
  [false, { userNames: many(1_001) }],
  [false, { userNames: 'alice' }],
  [false, { userNames: [7] }],
  [false, { userNames: [''] }],
  [false, { userNames: ['a'.repeat(257)] }],
  [false, { subjects: ['s'] }],
  [false, { subjects: [{ issuer: 'i' }] }],
  [false, { subjects: [{ sub: 's' }] }],
  [false, { subjects: [{ ...one, sub: '' }] }],
  [false, { subjects: [{ ...one, sub: 's'.repeat(257) }] }],
  [false, { subjects: [{ ...one, name: 'alice' }] }],
  [false, { users: ['alice'] }],
])('%p: %j, by the schema and by the broker', (allowed, detail) => {
  expect([allows(detail), takes(detail)]).toEqual([allowed, allowed]);
});
