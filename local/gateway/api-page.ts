/** docs/openapi.yaml as a page that people can read, made at request: operations, fields, answers, problem codes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const OPENAPI_FILE = join(import.meta.dirname, '..', '..', 'docs', 'openapi.yaml');

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}
interface Example {
  readonly $ref?: string;
  readonly summary?: string;
  readonly value?: unknown;
}
interface Media {
  readonly schema: Schema;
  readonly examples?: Readonly<Record<string, Example>>;
}
interface Answer {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Readonly<Record<string, Media>>;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly { readonly name: string; readonly schema: Schema; readonly description?: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Answer>>;
}
interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const escaped = (text: unknown): string =>
  String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
/** Paragraphs, and code in backticks. */
const prose = (text = ''): string =>
  text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => `<p>${escaped(paragraph).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`)
    .join('');
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string => {
  const cells = (row: readonly string[]) =>
    row.map((cell, at) => (at === 0 ? `<th scope="row">${cell}</th>` : `<td>${cell}</td>`)).join('');
  const head = heads.map((name) => `<th scope="col">${name}</th>`).join('');
  const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join('');
  return `<div class="scroll" tabindex="0" role="region" aria-label="${heads.join(', ')}"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
};

/** The whole page as HTML. */
export function apiPage(yaml = readFileSync(OPENAPI_FILE, 'utf8')): string {
  const document = parse(yaml) as Document;
  const resolve = <T extends { readonly $ref?: string }>(value: T): T => {
    const [, group = '', name = ''] = /^#\/components\/(\w+)\/(.+)$/.exec(value.$ref ?? '') ?? [];
    return (document.components[group]?.[name] as T | undefined) ?? value;
  };
  const typeOf = (schema: Schema): string => {
    const { type, format, enum: values, items } = resolve(schema);
    if (values) return values.map((value) => `<code>${escaped(value)}</code>`).join(', ');
    const named = [type].flat().filter(Boolean).join(' or ') || 'object';
    if (items) return `list of ${typeOf(items)}`;
    return escaped(format ? `${named}, ${format}` : named);
  };
  const fields = (schema: Schema): string => {
    const { properties = {}, required = [], description } = resolve(schema);
    const rows = Object.entries(properties).map(([name, one]) => [
      `<code>${escaped(name)}</code>`,
      typeOf(one),
      required.includes(name) ? 'always' : '',
      prose(resolve(one).description),
    ]);
    return prose(description) + (rows.length === 0 ? '' : table(['Field', 'Type', 'There', 'Meaning'], rows));
  };
  const codesOf = (answer: Answer): string =>
    Object.keys(answer.content?.['application/problem+json']?.examples ?? {})
      .map((code) => `<a href="#${escaped(code)}"><code>${escaped(code)}</code></a>`)
      .join(' ');

  const operation = (path: string, method: string, one: Operation): string => {
    const scopes = (one.security ?? document.security).flatMap((scheme) => Object.values(scheme).flat());
    const answers = Object.entries(one.responses).map(([status, answer]) => {
      const { description } = resolve(answer);
      return [escaped(status), prose(description), codesOf(resolve(answer))];
    });
    const success = Object.values(resolve(one.responses['200'] ?? {}).content ?? {})[0];
    const body = one.requestBody?.content['application/json'];
    const example = Object.values(success?.examples ?? {})[0];
    const value = example && resolve(example).value;
    return `<section class="card" aria-labelledby="${one.operationId}">
      <h2 id="${one.operationId}"><span class="method">${method.toUpperCase()}</span> ${escaped(path)}</h2>
      <p class="note">${escaped(one.summary)}. Scope <code>${escaped(scopes.join(', '))}</code></p>
      ${prose(one.description)}
      ${
        one.parameters
          ? `<h3>Query</h3>${table(
              ['Name', 'Type', 'Meaning'],
              one.parameters.map(({ name, schema, description }) => [
                `<code>${escaped(name)}</code>`,
                typeOf(schema),
                prose(description),
              ]),
            )}`
          : ''
      }
      ${body ? `<h3>Body, may be left out</h3>${fields(body.schema)}` : ''}
      ${success ? `<h3>Answer</h3>${fields(success.schema)}` : ''}
      ${value === undefined ? '' : `<pre tabindex="0">${escaped(JSON.stringify(value, null, 2))}</pre>`}
      <h3>Statuses</h3>${table(['Status', 'Meaning', 'Codes'], answers)}
    </section>`;
  };

  const problems = Object.entries(document.components['examples'] ?? {}).map(([code, example]) => {
    const { status, title, detail } = ((example as Example).value ?? {}) as Record<string, unknown>;
    return [`<code id="${escaped(code)}">${escaped(code)}</code>`, escaped(status), escaped(title), escaped(detail)];
  });
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ path, method, one })),
  );
  const links = operations.map(({ path, one }) => `<a href="#${one.operationId}">${escaped(path)}</a>`).join('');
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escaped(document.info.title)}: API</title>
    <link rel="icon" href="/demo/mark.svg">
    <link rel="stylesheet" href="/demo/demo.css">
  </head>
  <body class="document">
    <header class="top">
      <img src="/demo/mark.svg" alt="" width="36" height="36">
      <div><h1>${escaped(document.info.title)}</h1><p>HTTP API, version ${escaped(document.info.version)}</p></div>
      <nav aria-label="Operations">${links}<a href="#problems">Problems</a><a href="/openapi.yaml">openapi.yaml</a><a href="/">Demo</a></nav>
    </header>
    <main>
      <section class="card" aria-label="About">${prose(document.info.description)}</section>
      ${operations.map(({ path, method, one }) => operation(path, method, one)).join('\n')}
      <section class="card" aria-labelledby="problems"><h2 id="problems">Problem codes</h2>${table(['Code', 'Status', 'Title', 'Detail'], problems)}</section>
    </main>
  </body>
</html>
`;
}
