/** Brings the sources of texts, lists, users and orgs of a rule into normal form, and reports their faults. */
import { isPerEntitlement } from '../../functions/broker/lease.ts';
import { ALWAYS_REFUSED } from '../../functions/policy/decide.ts';
import type {
  Claim,
  ClaimText,
  Condition,
  Org,
  Template,
  Text,
  User,
  Values,
} from '../../functions/policy/document.ts';
import { fold } from '../../functions/policy/fold.ts';
import { isPlainText } from '../../functions/policy/values.ts';
import { normalPattern } from './pattern.ts';
import type { Faults } from './policy-error.ts';
import type { Authored } from './schema.ts';

type Path = readonly PropertyKey[];
/** How a table is used: for org numbers, for one text, or for several. */
type Use = 'org' | 'text' | 'texts';

export class Normaliser {
  readonly #tables: Authored['policy']['tables'];
  readonly #faults: Faults;
  /** Tables that were checked for a use, since many rules share one. */
  readonly #checked = new Set<string>();

  constructor(tables: Authored['policy']['tables'], faults: Faults) {
    this.#tables = tables;
    this.#faults = faults;
  }

  /** `absent`: as the rule says, or what is around the condition. `negated`: there is a `not` around it. */
  condition(authored: Authored['condition'], path: Path, absent?: 'allowed', negated = false): Condition {
    if (authored === 'always') return authored;
    if ('not' in authored)
      return { not: this.condition(authored.not, [...path, 'not'], authored.absent ?? absent, true) };
    const several = (conditions: readonly Authored['condition'][], name: string) =>
      conditions.map((condition, index) => this.condition(condition, [...path, name, index], absent, negated));
    if ('all' in authored) return { all: several(authored.all, 'all') };
    if ('any' in authored) return { any: several(authored.any, 'any') };
    const claim = claimOf(authored.claim);
    if ('present' in authored) return { claim, present: authored.present };
    const { absent: own, ...asked } = authored;
    if (own !== undefined && !negated)
      this.#faults.add([...path, 'absent'], 'says nothing here: it is for conditions within `not`');
    const about = { claim, ...(negated && (own ?? absent) === 'allowed' && ({ absent: 'allowed' } as const)) };
    if ('oneOf' in asked) return { ...about, oneOf: [...new Set(asked.oneOf)] };
    if (!('matches' in asked)) return { ...asked, ...about };
    return { ...about, matches: this.#pattern(asked.matches, [...path, 'matches']) };
  }

  user(authored: Authored['rule']['user'], path: Path): User {
    if (!('serviceAccount' in authored)) return this.text(authored, path);
    const { serviceAccount: name } = authored;
    const at = [...path, 'serviceAccount'];
    if (!isPlainText(name) || name.normalize('NFKC') !== name)
      this.#faults.add(at, 'is not plain text in Unicode form NFKC');
    if (ALWAYS_REFUSED.some((refused) => refused === fold(name)))
      this.#faults.add(at, `must not be ${name}: it is always refused`);
    if (isPerEntitlement(name)) this.#faults.add(at, 'must not end like the name of a user per entitlement');
    return { serviceAccount: name };
  }

  text(authored: Authored['claimText'] | Authored['template'], path: Path): Text {
    return 'template' in authored ? this.#template(authored, path) : this.#claimText(authored, path, 'text');
  }

  /** `mapped`: a claim's items must go through a pattern or table. `listed`: only a table, since unknown ones do harm. */
  values(authored: Authored['values'], path: Path, need: 'mapped' | 'listed'): Values {
    if (Array.isArray(authored)) {
      this.#requirePlain(authored, path);
      return authored;
    }
    const source = this.#claimText(authored, path, 'texts');
    if ((source.pattern ?? source.table ?? source.allow) === undefined) {
      const ways = `${need === 'listed' ? '' : '`pattern`, '}\`table\` or \`allow\``;
      this.#faults.add(path, `needs ${ways}: a claim as it is gives no rights`);
    } else if (need === 'listed' && source.pattern !== undefined) {
      this.#faults.add(path, 'must use `table` or `allow`: ThoughtSpot creates groups that it does not know');
    }
    return { ...source, unlisted: authored.unlisted };
  }

  org(authored: Authored['rule']['org'], path: Path): Org {
    if (typeof authored === 'number') return authored;
    this.#requireTable(authored.table, 'org', [...path, 'table']);
    return { claim: claimOf(authored.claim), table: authored.table };
  }

  #claimText(authored: Authored['claimText'], path: Path, use: Use): ClaimText {
    const { pattern, table, allow, lowerCase = false } = authored;
    if ([pattern, table, allow].filter((mapping) => mapping !== undefined).length > 1) {
      this.#faults.add(path, 'has more than one of `pattern`, `table` and `allow`');
    }
    if (table !== undefined) this.#requireTable(table, use, [...path, 'table']);
    if (allow !== undefined) this.#requirePlain(allow, [...path, 'allow']);
    const keys = allow ?? (table === undefined ? [] : Object.keys(this.#tables[table] ?? {}));
    for (const key of lowerCase ? keys : []) {
      if (key !== key.toLowerCase())
        this.#faults.add(path, `lower-cases the claim: it never equals ${JSON.stringify(key)}`);
    }
    return {
      claim: claimOf(authored.claim),
      lowerCase,
      ...(pattern !== undefined && { pattern: this.#pattern(pattern, [...path, 'pattern']) }),
      ...(table !== undefined && { table }),
      ...(allow !== undefined && { allow }),
    };
  }

  #pattern(source: string, path: Path): string {
    const normal = normalPattern(source);
    if ('pattern' in normal) return normal.pattern;
    this.#faults.add(path, normal.fault);
    return '^$';
  }

  /** A fixed character must follow every part, so that the function can refuse a part that contains it. */
  #template(authored: Authored['template'], path: Path): Template {
    const texts = authored.template.split(/\{([^{}]*)\}/);
    const at = [...path, 'template'];
    const template: (string | ClaimText)[] = [];
    for (const [index, text] of texts.entries()) {
      if (index % 2 === 0) {
        if (/[{}]/.test(text)) this.#faults.add(at, 'has a { or } that is not around the name of a part');
        if (text !== '') template.push(text);
        continue;
      }
      const part = Object.hasOwn(authored.parts, text) ? authored.parts[text] : undefined;
      if (part === undefined) {
        this.#faults.add(at, `uses {${text}}, which is not in \`parts\``);
        continue;
      }
      template.push(this.#claimText(part, [...path, 'parts', text], 'text'));
      const last = index + 2 >= texts.length;
      if (!last && texts[index + 1] === '')
        this.#faults.add(at, `is ambiguous: {${text}} must be followed by a fixed text, or be the last`);
    }
    for (const name of Object.keys(authored.parts)) {
      if (!texts.some((text, index) => index % 2 === 1 && text === name))
        this.#faults.add([...path, 'parts', name], 'is not in the template');
    }
    return { template };
  }

  #requireTable(name: string, use: Use, path: Path): void {
    if (this.#checked.has(`${use} ${name}`)) return;
    this.#checked.add(`${use} ${name}`);
    const table = Object.hasOwn(this.#tables, name) ? this.#tables[name] : undefined;
    if (table === undefined) this.#faults.add(path, `names a table that is not in \`tables\`: ${JSON.stringify(name)}`);
    for (const [key, value] of Object.entries(table ?? {})) {
      const at = ['tables', name, key];
      if (use !== 'org') this.#requireTexts(value, use, at);
      else if (typeof value !== 'number' || value < 0)
        this.#faults.add(at, 'must be an org number from 0: the table is used for orgs');
    }
  }

  #requireTexts(value: number | string | readonly string[], use: 'text' | 'texts', at: Path): void {
    const texts = typeof value === 'string' ? [value] : value;
    if (typeof texts === 'number') this.#faults.add(at, 'must be a text: the table is used for texts');
    else if (texts.length > 1 && use === 'text')
      this.#faults.add(at, 'must be one text: the table is used where one is needed');
    else if (texts.length === 0) this.#faults.add(at, 'must not be empty');
    else this.#requirePlain(texts, at);
  }

  #requirePlain(texts: readonly string[], path: Path): void {
    const bad = texts.findIndex((text) => !isPlainText(text));
    if (bad >= 0) this.#faults.add(path, `has a text that is padded or holds unprintable characters (item ${bad})`);
  }
}

export function claimOf(claim: string | readonly string[]): Claim {
  return typeof claim === 'string' ? [claim] : claim;
}
