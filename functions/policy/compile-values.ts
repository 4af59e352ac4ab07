/** Compiles where the texts, lists, users and orgs of a rule come from. */
import { ALWAYS_REFUSED, isPlainText, normaliseUser } from '../broker/entitlement.ts';
import type { ClaimRef, ClaimSource, OrgSource, TextSource, UserSource, ValuesSource } from '../broker/entitlement.ts';
import { ANY, charOf, type CharSet, charsOf, common, union } from './char-set.ts';
import type { Faults } from './faults.ts';
import { safePattern } from './pattern.ts';
import type { ClaimTextDocument, PolicyDocument, RuleDocument, TemplateDocument, ValuesDocument } from './schema.ts';

type Path = readonly PropertyKey[];
type Tables = PolicyDocument['tables'];
/** A source, and every character that its result can hold. */
interface Bounded {
  readonly source: ClaimSource;
  readonly alphabet: () => CharSet;
}
type Texts = ReadonlyMap<string, readonly string[]>;

export function claimRef(claim: string | readonly string[]): ClaimRef {
  const path = typeof claim === 'string' ? [claim] : claim;
  return { path, name: path.join(' > ') };
}

export class ValueCompiler {
  readonly #tables: Tables;
  readonly #faults: Faults;
  /** Tables by name and use: many rules share one. */
  readonly #orgTables = new Map<string, ReadonlyMap<string, number>>();
  readonly #textTables = new Map<string, Texts>();

  constructor(tables: Tables, faults: Faults) {
    this.#tables = tables;
    this.#faults = faults;
  }

  user(document: RuleDocument['user'], path: Path): UserSource {
    if (!('serviceAccount' in document)) return this.text(document, path);
    const name = document.serviceAccount;
    const at = [...path, 'serviceAccount'];
    if (!isPlainText(name) || name.normalize('NFKC') !== name) this.#faults.add(at, 'is no plain text in Unicode NFKC');
    if (ALWAYS_REFUSED.has(normaliseUser(name))) this.#faults.add(at, `must not be ${name}: it is always refused`);
    return { from: 'service-account', name };
  }

  text(document: ClaimTextDocument | TemplateDocument, path: Path): TextSource {
    if ('template' in document) return this.#template(document, path);
    return { from: 'claim', source: this.#claim(document, path, 1).source };
  }

  /** `mapped`: a claim's items must go through a pattern or table. `listed`: through a table, as unknown ones do harm. */
  values(document: ValuesDocument, path: Path, need: 'mapped' | 'listed'): ValuesSource {
    if (Array.isArray(document)) {
      this.#requirePlain(document, path);
      return { from: 'fixed', values: document };
    }
    const { source } = this.#claim(document, path, Infinity);
    if (source.mapping.by === 'itself') {
      this.#faults.add(
        path,
        `needs ${need === 'listed' ? '' : '`pattern`, '}\`table\` or \`allow\`: a free claim gives no rights`,
      );
    } else if (need === 'listed' && source.mapping.by === 'pattern') {
      this.#faults.add(path, 'must use `table` or `allow`: ThoughtSpot creates groups that it does not know');
    }
    return { from: 'claim', source, skipUnlisted: document.unlisted === 'skip' };
  }

  org(document: RuleDocument['org'], path: Path): OrgSource {
    if (typeof document === 'number') return { from: 'fixed', orgId: document };
    const table = this.#orgTables.get(document.table) ?? this.#orgTable(document.table, [...path, 'table']);
    this.#orgTables.set(document.table, table);
    return { from: 'claim', claim: claimRef(document.claim), table };
  }

  #orgTable(name: string, path: Path): ReadonlyMap<string, number> {
    const table = new Map<string, number>();
    for (const [key, value] of this.#entries(name, path)) {
      if (typeof value === 'number' && value >= 0) table.set(key, value);
      else this.#faults.add(['tables', name, key], 'must be an org number from 0: the table is used for orgs');
    }
    return table;
  }

  #claim(document: ClaimTextDocument, path: Path, most: number): Bounded {
    const { pattern, table, allow, lowerCase = false } = document;
    if ([pattern, table, allow].filter((mapping) => mapping !== undefined).length > 1) {
      this.#faults.add(path, 'has more than one of `pattern`, `table` and `allow`');
    }
    const claim = claimRef(document.claim);
    if (pattern !== undefined) {
      const safe = safePattern(pattern);
      if ('fault' in safe) {
        this.#faults.add([...path, 'pattern'], safe.fault);
      } else {
        const mapping = { by: 'pattern', pattern: safe.regExp, capture: safe.capture } as const;
        return { source: { claim, lowerCase, mapping }, alphabet: safe.alphabet };
      }
    }
    const texts = this.#mappedTexts(document, path, most);
    if (texts === undefined) return { source: { claim, lowerCase, mapping: { by: 'itself' } }, alphabet: () => ANY };
    for (const key of lowerCase ? texts.keys() : []) {
      if (key !== key.toLowerCase())
        this.#faults.add(path, `lower-cases the claim: it never equals ${JSON.stringify(key)}`);
    }
    const alphabet = () => union(...[...texts.values()].flat().map(charsOf));
    return { source: { claim, lowerCase, mapping: { by: 'table', table: texts } }, alphabet };
  }

  #mappedTexts({ table, allow }: ClaimTextDocument, path: Path, most: number): Texts | undefined {
    if (allow !== undefined) {
      this.#requirePlain(allow, [...path, 'allow']);
      return new Map(allow.map((text) => [text, [text]]));
    }
    if (table === undefined) return undefined;
    const use = `${most} ${table}`;
    const texts = this.#textTables.get(use) ?? this.#textTable(table, [...path, 'table'], most);
    this.#textTables.set(use, texts);
    return texts;
  }

  #textTable(name: string, path: Path, most: number): Texts {
    const table = new Map<string, readonly string[]>();
    for (const [key, value] of this.#entries(name, path)) {
      const texts = typeof value === 'string' ? [value] : value;
      const at = ['tables', name, key];
      if (typeof texts === 'number') this.#faults.add(at, 'must be a text: the table is used for texts');
      else if (texts.length > most) this.#faults.add(at, 'must be one text: the table is used where one is needed');
      else if (texts.length === 0) this.#faults.add(at, 'must not be empty');
      else if (this.#requirePlain(texts, at)) table.set(key, texts);
    }
    return table;
  }

  #entries(name: string, path: Path) {
    const table = Object.hasOwn(this.#tables, name) ? this.#tables[name] : undefined;
    if (table === undefined) this.#faults.add(path, `names a table that is not in \`tables\`: ${JSON.stringify(name)}`);
    return Object.entries(table ?? {});
  }

  /**
   * Every part but the last must be followed by a character that it cannot contain: then the text can be read back in
   * one way only, and no two sets of claims give the same one.
   */
  #template(document: TemplateDocument, path: Path): TextSource {
    const texts = document.template.split(/\{([^{}]*)\}/);
    const parts = new Map(
      Object.entries(document.parts).map(([name, part]) => [name, this.#claim(part, [...path, 'parts', name], 1)]),
    );
    const at = [...path, 'template'];
    const pieces: (string | ClaimSource)[] = [];
    for (const [index, text] of texts.entries()) {
      if (index % 2 === 0) {
        if (/[{}]/.test(text)) this.#faults.add(at, 'has a { or } that is not around the name of a part');
        if (text !== '') pieces.push(text);
        continue;
      }
      const part = parts.get(text);
      if (part === undefined) {
        this.#faults.add(at, `uses {${text}}, which is not in \`parts\``);
        continue;
      }
      pieces.push(part.source);
      const [next] = texts[index + 1] ?? '';
      const last = index + 2 >= texts.length;
      if (!last && (next === undefined || common(part.alphabet(), charOf(next)) !== undefined)) {
        this.#faults.add(
          at,
          `is ambiguous: {${text}} must be followed by a character that it cannot contain, by its pattern or table`,
        );
      }
    }
    for (const name of parts.keys()) {
      if (!texts.some((text, index) => index % 2 === 1 && text === name))
        this.#faults.add([...path, 'parts', name], 'is not in the template');
    }
    return { from: 'template', pieces };
  }

  #requirePlain(texts: readonly string[], path: Path): boolean {
    const bad = texts.findIndex((text) => !isPlainText(text));
    if (bad >= 0) this.#faults.add(path, `has a text that is padded or holds unprintable characters (item ${bad})`);
    return bad < 0;
  }
}
