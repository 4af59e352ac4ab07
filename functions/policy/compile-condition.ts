import type { Condition } from '../broker/entitlement.ts';
import { claimRef } from './compile-values.ts';
import type { Faults } from './faults.ts';
import { safePattern } from './pattern.ts';
import type { ConditionDocument } from './schema.ts';

export function compileCondition(document: ConditionDocument, path: readonly PropertyKey[], faults: Faults): Condition {
  if (document === 'always') return { test: 'always' };
  if ('not' in document) return { test: 'not', condition: compileCondition(document.not, [...path, 'not'], faults) };
  if ('all' in document) return { test: 'all', conditions: several(document.all, 'all') };
  if ('any' in document) return { test: 'any', conditions: several(document.any, 'any') };
  const claim = claimRef(document.claim);
  if ('equals' in document) return { test: 'equals', claim, value: document.equals };
  if ('oneOf' in document) return { test: 'one-of', claim, values: new Set(document.oneOf) };
  if ('contains' in document) return { test: 'contains', claim, value: document.contains };
  if ('present' in document) return { test: 'present', claim, present: document.present };
  const safe = safePattern(document.matches);
  if ('regExp' in safe) return { test: 'matches', claim, pattern: safe.regExp };
  faults.add([...path, 'matches'], safe.fault);
  return { test: 'always' };

  function several(conditions: readonly ConditionDocument[], name: string): readonly Condition[] {
    return conditions.map((condition, index) => compileCondition(condition, [...path, name, index], faults));
  }
}
