/**
 * What a policy document means, implemented a second time: slow, directly on the document, and without any code of the
 * product. It covers what policy-documents.ts generates.
 */
type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any
/* eslint-disable @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument */

export interface Verdict {
  readonly code: 'granted' | 'not-entitled' | 'invalid-request';
  readonly rule?: string;
  /** Without the digest, where the rule has users per entitlement: `alice~`. */
  readonly user?: string;
  readonly orgId?: number;
  readonly rights?: unknown;
  readonly validitySeconds?: number;
}

const MISSING = Symbol('missing');
class No extends Error {}
class Wrong extends Error {}

function look(claims: Json, claim: Json): Json {
  let here = claims;
  for (const step of [claim].flat()) {
    const plain = here !== null && typeof here === 'object' && !Array.isArray(here);
    if (!plain || !Object.keys(here).includes(step)) return MISSING;
    here = here[step];
  }
  return here;
}

export function conditionHolds(when: Json, claims: Json): boolean {
  if (when === 'always') return true;
  if (when.all) return !when.all.some((one: Json) => !conditionHolds(one, claims));
  if (when.any) return when.any.filter((one: Json) => conditionHolds(one, claims)).length > 0;
  if (when.not) return !conditionHolds(when.not, claims);
  const value = look(claims, when.claim);
  if ('present' in when) return (value === MISSING || value === null) !== when.present;
  if (value === MISSING) return false;
  if ('equals' in when) return typeof value === typeof when.equals && value === when.equals;
  if ('oneOf' in when) return when.oneOf.some((one: Json) => one === value);
  if ('contains' in when) return Array.isArray(value) && value.some((one) => one === when.contains);
  return typeof value === 'string' && (value.match(new RegExp(when.matches))?.[0] ?? MISSING) === value;
}

function texts(source: Json, claims: Json, tables: Json, many: boolean): string[] {
  if (Array.isArray(source)) return source;
  const value = look(claims, source.claim);
  if (value === MISSING) throw new No('absent');
  if (Array.isArray(value) && !many) throw new No('list');
  const found: string[] = [];
  for (const item of Array.isArray(value) ? value : [value]) {
    try {
      found.push(text(source, item, tables));
    } catch (error) {
      if (!(many && source.unlisted === 'skip')) throw error;
    }
  }
  return found;
}

function text(source: Json, item: Json, tables: Json): string {
  if (typeof item !== 'string' && typeof item !== 'number') throw new No('type');
  const raw = source.lowerCase === true ? `${item}`.toLowerCase() : `${item}`;
  if (source.table) {
    if (!Object.keys(tables[source.table]).includes(raw)) throw new No('table');
    return tables[source.table][raw];
  }
  if (source.allow && !source.allow.includes(raw)) throw new No('allow');
  if (!source.pattern) return raw;
  const match = raw.match(new RegExp(source.pattern));
  if (!match) throw new No('pattern');
  return match.length > 1 ? (match[1] ?? '') : raw;
}

function sorted(list: string[]): string[] {
  return list.filter((one, index) => list.indexOf(one) === index).sort();
}

function rightsOf(grant: Json, request: Json, claims: Json, tables: Json): unknown {
  if (grant.kind === 'object') {
    const asked =
      request.objectId ?? (grant.objects !== 'any' && grant.objects.length === 1 ? grant.objects[0] : undefined);
    if (asked === undefined || (!asked.includes('-aaaa-') && !asked.includes('-AAAA-'))) throw new Wrong('objectId');
    if (grant.objects !== 'any' && !grant.objects.includes(asked.toLowerCase())) throw new No('object');
    return { kind: 'object', objectId: asked.toLowerCase() };
  }
  if (request.objectId !== undefined) throw new Wrong('objectId');
  if (grant.kind === 'full') return { kind: 'full' };
  const variables = grant.variables.map((one: Json) => {
    const list = sorted(texts(one.values, claims, tables, true));
    if (list.length === 0) throw new No('empty');
    return { name: one.name, values: list };
  });
  return { kind: 'custom', persist: grant.persist, variables, filters: [], parameters: [], groups: [], objects: [] };
}

function attempt(document: Json, rule: Json, claims: Json, request: Json, secondsLeft: number): Verdict {
  const { tables, refuse, rules } = document;
  const service = rule.user.serviceAccount;
  const [user = ''] = service ? [service] : texts(rule.user, claims, tables, false);
  const plain = user.toLowerCase();
  if (['tsadmin', 'system', 'su', ...refuse.map((one: string) => one.toLowerCase())].includes(plain))
    throw new No('refused');
  if (!service && rules.some((one: Json) => one.user.serviceAccount === plain)) throw new No('service account');
  let orgId = rule.org;
  if (typeof orgId !== 'number') {
    const key = look(claims, orgId.claim);
    if (typeof key !== 'string' && typeof key !== 'number') throw new No('org');
    if (!Object.keys(tables.orgs).includes(`${key}`)) throw new No('org');
    orgId = tables.orgs[`${key}`];
  }
  const grant =
    request.grant === undefined ? rule.grants[0] : rule.grants.find((one: Json) => one.name === request.grant);
  if (!grant) throw new No('grant');
  const rights = rightsOf(grant, request, claims, tables);
  const { minSeconds, maxSeconds, defaultSeconds, withinCallerToken } = grant.validity;
  const asked = request.validitySeconds ?? defaultSeconds;
  if (!Number.isInteger(asked) || asked < minSeconds || asked > maxSeconds) throw new Wrong('validity');
  if (withinCallerToken && secondsLeft < minSeconds) throw new Wrong('caller token');
  const validitySeconds = withinCallerToken && secondsLeft < asked ? secondsLeft : asked;
  const name = rule.user.perEntitlement === true ? `${user}~` : user;
  return { code: 'granted', rule: rule.name, user: name, orgId, rights, validitySeconds };
}

export function verdictOf(document: Json, claims: Json, request: Json, secondsLeft: number): Verdict {
  const rule = document.rules.find((one: Json) => one.mode !== 'audit' && conditionHolds(one.when, claims));
  if (!rule) return { code: 'not-entitled' };
  try {
    return attempt(document, rule, claims, request, secondsLeft);
  } catch (error) {
    if (error instanceof Wrong) return { code: 'invalid-request', rule: rule.name };
    if (error instanceof No) return { code: 'not-entitled', rule: rule.name };
    throw error;
  }
}
