/** Where in the source text of an environment a value stands: TypeScript's own parser knows the lines. */
import { createRequire } from 'node:module';
import type * as TypeScript from 'typescript';
import type { Node, ObjectLiteralExpression } from 'typescript';

/** Loaded on demand, because it is needed only where there is a fault to report. */
const typescript = () => createRequire(import.meta.filename)('typescript') as typeof TypeScript;

/** The line (from 1) of the value at a path of the default export, or of the innermost object around it that is there. */
export function lineOf(source: string, path: readonly PropertyKey[]): number {
  const ts = typescript();
  const file = ts.createSourceFile('environment.ts', source, ts.ScriptTarget.Latest, true);
  const plain = (node: Node): Node =>
    ts.isSatisfiesExpression(node) || ts.isAsExpression(node) || ts.isParenthesizedExpression(node)
      ? plain(node.expression)
      : node;
  const property = (object: ObjectLiteralExpression, name: string) =>
    object.properties.find((one) => one.name !== undefined && ts.isPropertyName(one.name) && textOf(one.name) === name);
  const textOf = (name: Node) =>
    ts.isIdentifier(name) || ts.isStringLiteralLike(name) || ts.isNumericLiteral(name) ? name.text : '';

  let place: Node = file.statements.find((statement) => ts.isExportAssignment(statement)) ?? file;
  let value: Node | undefined = ts.isExportAssignment(place) ? plain(place.expression) : undefined;
  for (const step of path) {
    if (value === undefined) break;
    const next: Node | undefined = ts.isObjectLiteralExpression(value)
      ? property(value, String(step))
      : ts.isArrayLiteralExpression(value)
        ? value.elements[Number(step)]
        : undefined;
    if (next === undefined) break;
    place = next;
    value = plain(ts.isPropertyAssignment(next) ? next.initializer : next);
  }
  return file.getLineAndCharacterOfPosition(place.getStart(file)).line + 1;
}

/** The first thing that makes the text no TypeScript; undefined if it is TypeScript. */
export function syntaxFault(source: string): { readonly line: number; readonly problem: string } | undefined {
  const ts = typescript();
  const [fault] = ts.transpileModule(source, { reportDiagnostics: true }).diagnostics ?? [];
  if (fault?.file === undefined) return undefined;
  const { line } = fault.file.getLineAndCharacterOfPosition(fault.start ?? 0);
  return { line: line + 1, problem: ts.flattenDiagnosticMessageText(fault.messageText, ' ') };
}
