import { checkPolicyText } from '../../../infra/policy/check.ts';
import { PolicyError } from '../../../infra/policy/policy-error.ts';
import { compilePolicy, fullGrant, policy, policyWith, rule, validity } from '../../support/policy-documents.ts';

function faultsOf(document: unknown): string[] {
  try {
    compilePolicy(document);
  } catch (error) {
    if (error instanceof PolicyError) return error.faults.map(({ path, problem }) => `${path}: ${problem}`);
    throw error;
  }
  return [];
}
const grantWith = (changes: object) => policyWith({ grants: [{ ...fullGrant, ...changes }] });
const customWith = (changes: object) =>
  policyWith({ grants: [{ name: 'cut', kind: 'custom', persist: 'REPLACE', validity, groups: ['a'], ...changes }] });
const service = { user: { serviceAccount: 'svc' } };

describe('the compiler', () => {
  it('names every fault at once: where it is, what was found, what is allowed', () => {
    const document = {
      ...policyWith({
        name: 'Bad Name',
        mode: 'loud',
        when: { claim: 'a', equal: 'x' },
        org: -1,
        grants: [{ ...fullGrant, validity: { ...validity, maxSeconds: '900' } }],
        color: 'red',
      }),
      version: 2,
    };
    expect(faultsOf(document)).toEqual([
      'version: must be 1, found 2',
      'rules[0].name: must match /^[a-z][a-z0-9-]{0,62}$/, found "Bad Name"',
      'rules[0].mode: must be "enforce" or "audit", found "loud"',
      'rules[0].when: fits none of the shapes allowed here (see docs/policy.md), found an object with claim, equal',
      'rules[0].org: must be at least 0, found -1',
      'rules[0].grants[0].validity.maxSeconds: must be a number, found "900"',
      'rules[0]: has "color", which is not a member here',
    ]);
  });

  it('says all faults in its message, and is an Error of its own name', () => {
    const attempt = () => compilePolicy({ version: 1, rules: [] });
    expect(attempt).toThrow(PolicyError);
    expect(attempt).toThrow('The policy has 1 fault:\n  rules: must have at least 1 items, found an empty array');
  });

  it.each<[string, unknown, string]>([
    ['no document', undefined, 'document: is missing'],
    ['null', null, 'document: must be an object, found null'],
    ['a list', [], 'document: must be an object, found an empty array'],
    ['a missing member', { ...policy, rules: [{ ...rule, org: undefined }] }, 'rules[0].org'],
    ['a member of the wrong type', policyWith({ when: { claim: 7, equals: 1 } }), 'rules[0].when.claim'],
    [
      'a fault deep in a condition',
      policyWith({ when: { all: [{ not: { claim: 'a', oneOf: [] } }] } }),
      'rules[0].when.all[0].not.oneOf: must have at least 1 items',
    ],
    [
      'an unknown kind',
      grantWith({ kind: 'root' }),
      'rules[0].grants[0].kind: must be "full" or "object" or "custom", found "root"',
    ],
    [
      'an object that is no GUID',
      grantWith({ kind: 'object', objects: ['x'] }),
      'rules[0].grants[0].objects[0]: must match',
    ],
    ['an org as a free claim', policyWith({ org: { claim: 'org' } }), 'rules[0].org.table: is missing'],
    ['an org as a text', policyWith({ org: '7' }), 'rules[0].org'],
    ['the org of all orgs', policyWith({ org: -1 }), 'rules[0].org'],
    [
      'a pattern without an anchor',
      policyWith({ when: { claim: 'a', matches: 'x$' } }),
      'rules[0].when.matches: must be anchored',
    ],
    [
      'a user pattern that backtracks',
      policyWith({ user: { claim: 'a', pattern: '^(?:a+)+$' } }),
      'rules[0].user.pattern: can backtrack',
    ],
    [
      'two mappings',
      policyWith({ user: { claim: 'a', pattern: '^a$', allow: ['a'] } }),
      'rules[0].user: has more than one of',
    ],
    [
      'an unknown table',
      policyWith({ org: { claim: 'a', table: 'none' } }),
      'rules[0].org.table: names a table that is not in `tables`: "none"',
    ],
    ['an inherited table', policyWith({ org: { claim: 'a', table: 'constructor' } }), 'names a table that is not in'],
    [
      'a table of texts used for orgs',
      policyWith({}, { tables: { orgs: { acme: 'one' } } }),
      'tables.orgs.acme: must be an org number',
    ],
    [
      'a table of orgs used for texts',
      policyWith({ user: { claim: 'a', table: 'orgs' } }),
      'tables.orgs.acme: must be a text',
    ],
    [
      'a list where one text is needed',
      policyWith({ user: { claim: 'a', table: 't' } }, { tables: { ...policy.tables, t: { a: ['b', 'c'] } } }),
      'tables.t.a: must be one text',
    ],
    [
      'a table key that lower-casing never meets',
      policyWith({ user: { claim: 'a', lowerCase: true, allow: ['Alice'] } }),
      'it never equals "Alice"',
    ],
    [
      'a name that JavaScript treats in its own way',
      JSON.parse('{"version":1,"rules":[],"tables":{"__proto__":{}}}'),
      'tables.__proto__: is a name that is not allowed',
    ],
    [
      'a default outside the bounds',
      grantWith({ validity: { ...validity, defaultSeconds: 901 } }),
      'rules[0].grants[0].validity.defaultSeconds: must lie from',
    ],
    [
      'bounds the wrong way round',
      grantWith({ validity: { defaultSeconds: 60, minSeconds: 90, maxSeconds: 30 } }),
      'validity.defaultSeconds',
    ],
    [
      'a life of more than a day',
      grantWith({ validity: { ...validity, maxSeconds: 86_401 } }),
      'maxSeconds: must be at most 86400',
    ],
    [
      'reuse that never happens',
      grantWith({ reuse: { minLifeLeftSeconds: 300 } }),
      'reuse.minLifeLeftSeconds: must be less than defaultSeconds (300)',
    ],
    [
      'two rules of one name',
      { ...policy, rules: [rule, { ...rule, when: { claim: 'b', equals: 1 } }] },
      'rules[1].name: is taken',
    ],
    ['two grants of one name', policyWith({ grants: [fullGrant, fullGrant] }), 'rules[0].grants[1].name: is taken'],
    ['people who share a token', policyWith({ share: true }), 'rules[0].share: needs `user.serviceAccount`'],
    [
      'a shared token bound to one caller',
      policyWith({
        ...service,
        share: true,
        grants: [{ ...fullGrant, validity: { ...validity, withinCallerToken: true } }],
      }),
      'grants[0].validity.withinCallerToken: must be false',
    ],
    [
      'a provisioned service account',
      policyWith({ ...service, provision: {} }),
      'rules[0].provision: must be left out',
    ],
    [
      'tsadmin as the service account',
      policyWith({ user: { serviceAccount: 'TSadmin' } }),
      'serviceAccount: must not be TSadmin',
    ],
    [
      'a service account on the refuse list',
      policyWith(service, { refuse: ['SVC'] }),
      'serviceAccount: is on the list `refuse`',
    ],
    [
      'variables that ThoughtSpot would not persist',
      customWith({ persist: 'NONE', variables: [{ name: 'v', values: ['a'] }] }),
      'grants[0].persist: must be "REPLACE" or "APPEND"',
    ],
    ['custom rights that restrict nothing', customWith({ groups: [] }), 'grants[0]: restricts nothing'],
    [
      'a free claim as a value',
      customWith({ variables: [{ name: 'v', values: { claim: 'a' } }] }),
      'variables[0].values: needs `pattern`, `table` or `allow`',
    ],
    [
      'an empty list of values',
      customWith({ variables: [{ name: 'v', values: [] }] }),
      'variables[0].values: must have a value',
    ],
    [
      'one variable twice',
      customWith({
        variables: [
          { name: 'v', values: ['a'] },
          { name: 'v', values: ['b'] },
        ],
      }),
      'variables[1].name: is taken',
    ],
    [
      'two values of a parameter',
      customWith({ parameters: [{ name: 'p', values: ['a', 'b'] }] }),
      'parameters[0].values: must be one value',
    ],
    [
      'groups through a pattern',
      customWith({ groups: { claim: 'a', pattern: '^a$' } }),
      'groups: must use `table` or `allow`',
    ],
    [
      'groups of provisioning as they come',
      policyWith({ provision: { groups: { claim: 'groups' } } }),
      'rules[0].provision.groups: needs `table` or `allow`',
    ],
    [
      'a fixed text with an invisible character',
      customWith({ groups: ['a\u200b'] }),
      'groups: has a text that is padded',
    ],
  ])('refuses %s', (_, document, fault) => {
    expect(faultsOf(document).join('\n')).toContain(fault);
  });

  it.each([
    ['{a}{b}', 'is ambiguous: {a} must be followed'],
    ['{a}-{c}', 'uses {c}, which is not in `parts`'],
    ['{a}-', 'parts.b: is not in the template'],
    ['{a}-{b}}', 'has a { or }'],
  ])('refuses the template %j', (template, fault) => {
    const parts = { a: { claim: 'a', pattern: '^[a-z]+$' }, b: { claim: 'b' } };
    expect(faultsOf(policyWith({ user: { template, parts } })).join('\n')).toContain(fault);
    expect(faultsOf(policyWith({ user: { template: '{a}-{b}', parts } }))).toEqual([]);
  });

  it('leaves it to the function to refuse a part that holds the character after it', () => {
    const parts = { a: { claim: 'a', pattern: '^[a-z]+$' }, b: { claim: 'b', allow: ['x-y'] } };
    for (const template of ['{a}-{b}', '{b}-{a}', '{a}x{b}', '{b}/{a}@acme'])
      expect(faultsOf(policyWith({ user: { template, parts } }))).toEqual([]);
  });
});

describe('the text of a policy', () => {
  const faultsIn = (text: string): string[] => {
    try {
      checkPolicyText(text);
    } catch (error) {
      if (error instanceof PolicyError) return error.faults.map(({ path, problem }) => `${path}: ${problem}`);
      throw error;
    }
    return [];
  };
  const text = JSON.stringify(policy, null, 2);

  it.each([
    ['in the document', text.replace('"version": 1,', '"version": 1,\n  "version": 1,'), 'line 3, column 3'],
    ['in a rule', text.replace('"name": "members",', '"name": "members", "name": "others",'), 'column 26'],
    ['spelled with an escape', text.replace('"version": 1,', '"version": 1, "v\\u0065rsion": 1,'), 'column 17'],
    ['in a table', text.replace('"acme": 1', '"acme": 1, "acme": 2'), 'repeats a name of the same object'],
    [
      'behind tabs',
      text.replace(/^ +/gm, '\t').replace('"acme": 1', '"acme": 1, "acme": 2'),
      'repeats a name of the same',
    ],
    ['on one line', JSON.stringify(policy).replace('"acme":1', '"acme":1,"acme":2'), 'line 1'],
  ])('gives no name twice: %s', (_, twice, fault) => {
    expect(JSON.parse(twice)).toBeDefined();
    expect(faultsIn(twice).join('\n')).toContain(fault);
  });

  it('may give a name once in each of several objects, and has to be JSON', () => {
    expect(faultsIn(text)).toEqual([]);
    expect(faultsIn(text.replace(/^ +/gm, '\t'))).toEqual([]);
    expect(faultsIn('{')[0]).toContain('document: is not JSON');
    expect(faultsIn('version: 1')[0]).toContain('document: is not JSON');
  });
});

describe('the version of a policy', () => {
  const version = (document: object) => compilePolicy(document).version;
  const base = version(policy);

  it('stays the same however the document is written down', () => {
    const backwards = Object.fromEntries(Object.entries(policyWith({})).reverse());
    expect(version(backwards)).toBe(base);
    expect(
      version(policyWith({ description: 'other words', mode: 'enforce' }, { $schema: 'x', description: 'y' })),
    ).toBe(base);
    expect(version(policyWith({ accept: ['names-may-collide'], grants: [{ ...fullGrant, description: 'z' }] }))).toBe(
      base,
    );
  });

  it.each<[string, object]>([
    ['a rule', policyWith({ org: 3 })],
    ['a condition', policyWith({ when: { claim: 'tenant', equals: 'globex' } })],
    ['a table', policyWith({}, { tables: { orgs: { acme: 2 } } })],
    ['the refuse list', policyWith({}, { refuse: ['root'] })],
    ['a grant', grantWith({ validity: { ...validity, maxSeconds: 901 } })],
    ['the mode', policyWith({ mode: 'audit' })],
  ])('changes with %s', (_, document) => {
    expect(version(document)).not.toBe(base);
  });
});
