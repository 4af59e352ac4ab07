import * as z from 'zod/mini';
import { PolicyDocument } from './schema.ts';

/** The JSON Schema (2020-12) of a policy document: docs/policy.schema.json, for editors. */
export function policyJsonSchema(): object {
  return z.toJSONSchema(PolicyDocument, { io: 'input', reused: 'inline' });
}
