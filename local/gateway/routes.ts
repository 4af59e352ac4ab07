/** The routes of the HTTP API, from the same contract that the stack is made of. */
import { FUNCTIONS, type FunctionName, type Trigger } from '../../functions/contract/functions.ts';
import type { LocalFunction } from '../lambda/local-function.ts';
import type { Route } from './gateway.ts';

export interface ScopeNames {
  readonly token: string;
  readonly revoke: string;
}

/** One route per http trigger of the functions given. A scope named `none` is not asked for. */
export function routesOf(functions: ReadonlyMap<FunctionName, LocalFunction>, scopes: ScopeNames): readonly Route[] {
  return [...functions].flatMap(([name, local]) => {
    const triggers: readonly Trigger[] = FUNCTIONS[name].triggers;
    return triggers.flatMap((trigger): Route[] => {
      if (trigger.kind !== 'http') return [];
      const scope = scopes[trigger.scope];
      const { method, path } = trigger;
      return [{ method, path, scopes: scope === 'none' ? [] : [scope], invoke: (event) => local.invoke(event) }];
    });
  });
}
