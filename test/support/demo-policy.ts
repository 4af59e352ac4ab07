import { readFileSync } from 'node:fs';
import { DEFAULT_POLICY } from '../../local/settings.ts';

/** The policy of `npm start`, once for each issuer. */
export function demoPolicyFor(issuers: readonly string[]): object {
  const document = JSON.parse(readFileSync(DEFAULT_POLICY, 'utf8')) as { readonly rules: readonly { name: string }[] };
  const rules = issuers.flatMap((issuer, index) =>
    document.rules.map((rule) => ({ ...rule, name: `${rule.name}-${index}`, issuer })),
  );
  return { ...document, rules };
}
