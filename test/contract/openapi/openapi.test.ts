import { FUNCTION_NAMES, FUNCTIONS } from '../../../functions/contract/functions.ts';
import { PROBLEM_TYPE_BASE, PROBLEMS, type ProblemCode } from '../../../functions/contract/problems.ts';
import { documented, mismatchesOf, openapi, schemaAt } from '../../support/openapi.ts';

const codes = Object.keys(PROBLEMS) as ProblemCode[];

describe('docs/openapi.yaml and the contract', () => {
  test('document the same routes with the same scopes', () => {
    const routes = FUNCTION_NAMES.flatMap((name) =>
      FUNCTIONS[name].triggers.flatMap((trigger) =>
        trigger.kind === 'logout'
          ? [`${trigger.method} ${trigger.path} `]
          : trigger.kind === 'http'
            ? [`${trigger.method} ${trigger.path} ${'iam' in trigger ? 'sigv4' : `broker:${trigger.scope}`}`]
            : [],
      ),
    );
    const described = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        const [security] = operation.security ?? openapi.security;
        return `${method.toUpperCase()} ${path} ${security?.oidc?.join(' ') ?? Object.keys(security ?? {}).join(' ')}`;
      }),
    );
    expect(described.sort()).toEqual(routes.sort());
  });

  test('the enumeration of codes is the list of problems', () => {
    expect(openapi.components.schemas.Problem?.properties?.code?.enum).toEqual(codes);
    expect(Object.keys(openapi.components.examples)).toEqual(codes);
  });

  test.each(codes)('the example of %s says what the broker says', (code) => {
    const { status, title, detail } = PROBLEMS[code];
    const example = openapi.components.examples[code]?.value;
    expect(example).toMatchObject({ type: PROBLEM_TYPE_BASE + code, status, title, detail, code });
    expect(schemaAt('/components/schemas/Problem')(example)).toBe(true);
  });

  test('every answer of a function is documented with the headers that all of them carry', () => {
    const answers = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        Object.entries(responses).map(([status, { $ref, headers = {} }]) => ({
          of: `${method} ${path} ${status}`,
          refers: $ref !== undefined,
          headers: Object.keys(headers).filter((name) => name !== 'Retry-After'),
        })),
      ),
    );
    // The one that is referred to is the 401, which the gateway gives too.
    for (const { of, refers, headers } of answers) {
      const always = ['Cache-Control', 'X-Content-Type-Options', 'X-Correlation-Id'];
      expect({ of, headers }).toEqual({ of, headers: refers ? [] : always });
    }
  });

  test('every problem is documented by an operation, under its own status', () => {
    const used = new Set<string>();
    for (const [path, methods] of Object.entries(openapi.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        for (const status of Object.keys(operation.responses)) {
          const answer = documented(path, method, Number(status));
          for (const code of Object.keys(answer?.content?.['application/problem+json']?.examples ?? {})) {
            expect([code, String(PROBLEMS[code as ProblemCode].status)]).toEqual([code, status]);
            used.add(code);
          }
        }
      }
    }
    expect([...used].sort()).toEqual([...codes].sort());
  });

  test('every inline example of a request or an answer fits its schema', () => {
    const faults: string[] = [];
    for (const [path, methods] of Object.entries(openapi.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        for (const [status, answer] of Object.entries(operation.responses)) {
          for (const [contentType, media] of Object.entries(answer.content ?? {})) {
            for (const { value } of Object.values(media.examples ?? {})) {
              if (value === undefined) continue;
              const body = typeof value === 'string' ? value : JSON.stringify(value);
              const always = {
                'cache-control': 'no-store',
                'x-content-type-options': 'nosniff',
                'x-correlation-id': 'id',
              };
              const headers = new Headers(always);
              faults.push(...mismatchesOf(path, method, { status: Number(status), contentType, body, headers }));
            }
          }
        }
      }
    }
    expect(faults).toEqual([]);
  });
});
