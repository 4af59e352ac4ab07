import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Media {
  readonly schema: object;
  readonly examples?: Readonly<Record<string, { readonly $ref?: string; readonly value?: unknown }>>;
}
interface Answer {
  readonly $ref?: string;
  readonly headers?: Readonly<Record<string, { readonly $ref?: string }>>;
  readonly content?: Readonly<Record<string, Media>>;
}
export interface Operation {
  readonly operationId: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Answer>>;
}
export interface OpenApi {
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly responses: Readonly<Record<string, Answer>>;
    readonly schemas: Readonly<Record<string, { readonly properties?: Readonly<Record<string, { enum?: string[] }>> }>>;
    readonly examples: Readonly<Record<string, { readonly value: Readonly<Record<string, unknown>> }>>;
  };
}

/** docs/openapi.yaml, parsed. Tests check both the contract and real answers against it. */
export const openapi = parse(readFileSync(join(import.meta.dirname, '../../docs/openapi.yaml'), 'utf8')) as OpenApi;

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(openapi, 'openapi');

/** A validator for one schema of the document, named as a JSON pointer such as `/components/schemas/Token`. */
export function schemaAt(pointer: string): ValidateFunction {
  return ajv.compile({ $ref: `openapi#${pointer}` });
}

const escaped = (part: string) => encodeURIComponent(part.replace(/~/g, '~0').replace(/\//g, '~1'));

/** The answers that an operation documents, with references resolved. */
export function documented(path: string, method: string, status: number): Answer | undefined {
  const answer = openapi.paths[path]?.[method.toLowerCase()]?.responses[String(status)];
  if (answer?.$ref === undefined) return answer;
  return openapi.components.responses[answer.$ref.split('/').at(-1) ?? ''];
}

/** Where an answer of the broker differs from the document; empty if it does not. */
export function mismatchesOf(
  path: string,
  method: string,
  answer: { readonly status: number; readonly contentType: string; readonly body: string; readonly headers: Headers },
): string[] {
  const expected = documented(path, method, answer.status);
  if (expected === undefined) return [`${method} ${path} does not document status ${answer.status}`];
  const type = answer.contentType.split(';')[0]?.trim() ?? '';
  const media = expected.content?.[type];
  if (media === undefined) return [`${method} ${path} ${answer.status} does not document ${type}`];
  // The gateway's own answers are plain JSON, without the headers that the functions set.
  const ofGateway = answer.status >= 400 && type === 'application/json';
  const required = ofGateway ? [] : ['cache-control', 'x-content-type-options', 'x-correlation-id'];
  const missing = required.filter((name) => !answer.headers.has(name)).map((name) => `header ${name} is missing`);
  const own = `/paths/${escaped(path)}/${method.toLowerCase()}/responses/${answer.status}`;
  const place = answer.status === 401 ? '/components/responses/Unauthorized' : own;
  const validate = schemaAt(`${place}/content/${escaped(type)}/schema`);
  const value: unknown = type.endsWith('json') ? JSON.parse(answer.body) : answer.body;
  if (validate(value)) return missing;
  return [...missing, ...(validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`)];
}
