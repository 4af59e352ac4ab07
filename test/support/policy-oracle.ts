/**
 * What a policy document means, implemented a second time: slow, directly on the document, and without any code of the
 * product. It covers what policy-documents.ts generates.
 */
type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any
/* eslint-disable @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument */

export interface Verdict {
  readonly code: 'granted' | 'not-entitled' | 'invalid-request' | 'sign-in-again';
  readonly maxAge?: number;
  readonly rule?: string;
  /** Without the digest, where the rule has users per entitlement: `alice~`. */
  readonly user?: string;
  readonly orgId?: number;
  readonly rights?: unknown;
  readonly validitySeconds?: number;
}

const MISSING = Symbol('missing');
const UNKNOWN = Symbol('unknown');
class No extends Error {}
class Wrong extends Error {}

/** MISSING, or UNKNOWN where the claims do not tell. */
function look(claims: Json, claim: Json): Json {
  const path = [claim].flat();
  const [top] = path;
  if (isDict(claims._claim_names) && Object.keys(claims._claim_names).includes(top)) return UNKNOWN;
  if (top === 'groups' && ![undefined, null, false].includes(claims.hasgroups)) return UNKNOWN;
  let here = claims;
  for (const step of path) {
    if (here === null) return null;
    if (!isDict(here)) return UNKNOWN;
    if (!Object.keys(here).includes(step)) return MISSING;
    here = here[step];
  }
  return here;
}

const isDict = (value: Json): boolean => value !== null && typeof value === 'object' && !Array.isArray(value);

/** The moment, and how the age of a sign-in counts: as it is, or as if it were new. */
export interface Moment {
  readonly now: number;
  readonly asIfNew?: number[];
}

/** 1: holds; -1: certainly does not; 0: nobody can tell. `lax`: a claim that is absent is one of another value. */
function weigh(when: Json, claims: Json, moment: Moment, lax: boolean): -1 | 0 | 1 {
  if (when === 'always') return 1;
  if (when.all) return Math.min(...when.all.map((one: Json) => weigh(one, claims, moment, lax))) as -1 | 0 | 1;
  if (when.any) return Math.max(...when.any.map((one: Json) => weigh(one, claims, moment, lax))) as -1 | 0 | 1;
  if (when.not) return -weigh(when.not, claims, moment, lax || when.absent === 'allowed') as -1 | 0 | 1;
  const value = look(claims, when.claim);
  if (value === UNKNOWN) return 0;
  if ('present' in when) return (value === MISSING || value === null) !== when.present ? 1 : -1;
  if (value === MISSING) return lax || when.absent === 'allowed' ? -1 : 0;
  return weighValue(when, value, moment);
}

function weighValue(when: Json, value: Json, moment: Moment): -1 | 0 | 1 {
  if ('equals' in when) return typeof value !== typeof when.equals ? 0 : value === when.equals ? 1 : -1;
  if ('oneOf' in when) {
    const each = when.oneOf.map((equals: Json) => weighValue({ equals }, value, moment));
    return Math.max(...each) as -1 | 0 | 1;
  }
  if ('contains' in when) {
    const list = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(list) || list.some((one) => typeof one !== typeof when.contains)) return 0;
    return list.indexOf(when.contains) >= 0 ? 1 : -1;
  }
  if ('matches' in when) {
    if (typeof value !== 'string') return 0;
    return (value.match(new RegExp(when.matches))?.[0] ?? MISSING) === value ? 1 : -1;
  }
  if (typeof value !== 'number') return 0;
  if ('atLeast' in when) return value < when.atLeast ? -1 : 1;
  if ('atMost' in when) return value > when.atMost ? -1 : 1;
  const seconds = moment.now / 1_000;
  if (value > seconds + 5) return 0;
  if (value + when.withinSeconds >= seconds - 5) return 1;
  moment.asIfNew?.push(when.withinSeconds);
  return moment.asIfNew ? 1 : -1;
}

export function conditionHolds(when: Json, claims: Json, moment: Moment, rule: Json = {}): boolean {
  return weigh(when, claims, moment, rule.absent === 'allowed') === 1;
}

function texts(source: Json, claims: Json, tables: Json, many: boolean): string[] {
  if (Array.isArray(source)) return source;
  const value = look(claims, source.claim);
  if (value === MISSING || value === UNKNOWN) throw new No('absent');
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
  if (typeof item !== 'string' && !Number.isSafeInteger(item)) throw new No('type');
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
    if (typeof key !== 'string' && !Number.isSafeInteger(key)) throw new No('org');
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

export function verdictOf(document: Json, claims: Json, request: Json, secondsLeft: number, now: number): Verdict {
  const verdict = verdictAt(document, claims, request, secondsLeft, { now });
  const asIfNew: number[] = [];
  const renewed = verdictAt(document, claims, request, secondsLeft, { now, asIfNew });
  if (verdict.code === 'granted' || renewed.code !== 'granted') return verdict;
  const rule = document.rules.find(({ name }: Json) => name === renewed.rule);
  const own: number[] = [];
  conditionHolds(rule.when, claims, { now, asIfNew: own }, rule);
  // A rule that asks for no age comes up where the one before it asks that the sign-in be old.
  return { code: 'sign-in-again', rule: rule.name, maxAge: Math.min(...(own.length > 0 ? own : asIfNew)) };
}

function verdictAt(document: Json, claims: Json, request: Json, secondsLeft: number, moment: Moment): Verdict {
  const rule = document.rules.find(
    (one: Json) => one.mode !== 'audit' && conditionHolds(one.when, claims, moment, one),
  );
  if (!rule) return { code: 'not-entitled' };
  try {
    return attempt(document, rule, claims, request, secondsLeft);
  } catch (error) {
    if (error instanceof Wrong) return { code: 'invalid-request', rule: rule.name };
    if (error instanceof No) return { code: 'not-entitled', rule: rule.name };
    throw error;
  }
}
