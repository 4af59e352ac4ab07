import { normaliseUser } from '../../../functions/broker/lease.ts';
import type { Caller, Claims, Decision, TokenRequest } from '../../../functions/broker/ports.ts';
import { decide, usersOf } from '../../../functions/policy/decide.ts';
import {
  callerWith,
  compilePolicy,
  FACTS,
  fullGrant,
  policy,
  policyWith,
  rule,
  validity,
} from '../../support/policy-documents.ts';

const alice = { tenant: 'acme', name: 'alice' };
const LIVEBOARD = '11111111-aaaa-4bbb-8ccc-000000000001';
const OTHER = '22222222-aaaa-4bbb-8ccc-000000000002';

function ask(document: object, claims: Claims | Caller, request: TokenRequest = {}): Decision {
  const caller: Caller = isCaller(claims) ? claims : callerWith(claims);
  return decide(compilePolicy(document), caller, request, FACTS);
}
function isCaller(claims: Claims | Caller): claims is Caller {
  return 'claims' in claims;
}
function grantFor(document: object, claims: Claims | Caller, request: TokenRequest = {}) {
  const decision = ask(document, claims, request);
  if (!decision.allowed) throw new Error(`refused: ${decision.reasons.join('; ')}`);
  return decision.grant;
}
function refusalOf(document: object, claims: Claims | Caller, request: TokenRequest = {}) {
  const decision = ask(document, claims, request);
  if (decision.allowed) throw new Error('granted');
  return decision;
}
const objectGrant = (objects: unknown) => ({ name: 'one', kind: 'object', objects, validity });
const customGrant = (more: object) => ({ name: 'cut', kind: 'custom', persist: 'REPLACE', validity, ...more });

describe('the rules', () => {
  it('are tried in order, and the first that holds decides', () => {
    const second = { ...rule, name: 'second', when: 'always', org: 7 };
    const document = { ...policy, rules: [rule, second] };
    expect(grantFor(document, alice)).toMatchObject({
      rule: 'members',
      user: 'alice',
      orgId: 1,
      serviceAccount: false,
    });
    expect(grantFor(document, { ...alice, tenant: 'x' })).toMatchObject({ rule: 'second', orgId: 7 });
  });

  it('refuse a caller whom none matches, and tell operators which condition failed in each', () => {
    const second = {
      ...rule,
      name: 'second',
      when: {
        all: [
          { claim: 'tenant', present: true },
          { claim: 'a', equals: 1 },
        ],
      },
    };
    expect(refusalOf({ ...policy, rules: [rule, second] }, { tenant: 'globex' })).toEqual({
      allowed: false,
      code: 'not-entitled',
      errors: [],
      reasons: [
        'rule "members" does not match: claim "tenant" (string) does not equal the value required',
        'rule "second" does not match: claim "a" (absent) does not equal the value required',
        'no rule decides',
      ],
    });
  });

  it('do not fall through to the next where the one that holds cannot give: a later, wider rule is no way around', () => {
    const wide = { ...rule, name: 'wide', when: 'always', user: { claim: 'other' }, org: 0 };
    const refused = refusalOf({ ...policy, rules: [rule, wide] }, { tenant: 'acme', other: 'bob' });
    expect(refused).toMatchObject({ code: 'not-entitled', rule: 'members' });
    expect(refused.reasons).toEqual(['rule "members" decides: claim "name" is absent']);
  });

  it('in audit mode report what they would have decided and leave the decision to the next', () => {
    const trial = { ...rule, name: 'trial', mode: 'audit', org: 9 };
    const decision = ask({ ...policy, rules: [trial, rule] }, alice);
    expect(decision).toMatchObject({ allowed: true, grant: { rule: 'members', orgId: 1 } });
    expect(decision.reasons).toEqual([
      'rule "trial" (audit) would have decided: grant "full"',
      'rule "members" decides: grant "full"',
    ]);
    expect(refusalOf({ ...policy, rules: [trial] }, alice).code).toBe('not-entitled');
  });
});

describe('a claim', () => {
  it.each(['constructor', 'toString', '__proto__', ['app', 'constructor'], ['name', 'length']])(
    'named %j is absent unless the token itself has it: nothing is inherited',
    (claim) => {
      const document = policyWith({ when: { claim, present: true } });
      expect(refusalOf(document, { ...alice, app: {} })).toMatchObject({ code: 'not-entitled' });
      expect(refusalOf(document, { ...alice, app: {} })).not.toHaveProperty('rule');
    },
  );
});

describe('the user', () => {
  it.each([
    ['the claim as it is', { claim: 'name' }, { name: 'Alice' }, 'Alice'],
    ['the claim in lower case', { claim: 'name', lowerCase: true }, { name: 'Alice' }, 'alice'],
    ['what the pattern captures', { claim: 'mail', pattern: '^([a-z]+)@acme\\.com$' }, { mail: 'al@acme.com' }, 'al'],
    ['the whole text of a pattern without a group', { claim: 'name', pattern: '^[a-z]+$' }, { name: 'al' }, 'al'],
    ['a whole number in decimal', { claim: 'id' }, { id: 42 }, '42'],
    ['a nested claim', { claim: ['app', 'login'] }, { app: { login: 'al' } }, 'al'],
    ['a claim with a dot and a colon in its name', { claim: 'https://a.b/c:d' }, { 'https://a.b/c:d': 'al' }, 'al'],
    [
      'a template of two claims',
      {
        template: '{t}-{n}',
        parts: { t: { claim: 'tenant', allow: ['acme'] }, n: { claim: 'name', lowerCase: true } },
      },
      { name: 'AL' },
      'acme-al',
    ],
  ])('is %s', (_, user, claims, expected) => {
    expect(grantFor(policyWith({ user }), { tenant: 'acme', ...claims }).user).toBe(expected);
  });

  it.each([
    ['absent', {}],
    ['null', { name: null }],
    ['an array', { name: ['alice'] }],
    ['a boolean', { name: true }],
    ['a fraction', { name: 1.5 }],
    ['empty', { name: '' }],
    ['padded', { name: 'alice ' }],
    ['too long', { name: 'a'.repeat(255) }],
    ['broken by a control character', { name: 'ali\nce' }],
    ['broken by an invisible character', { name: 'ali\u200bce' }],
    ['written in full-width letters', { name: '\uff41lice' }],
  ])('refuses a claim that is %s', (_, claims) => {
    expect(refusalOf(policyWith({}), { tenant: 'acme', ...claims })).toMatchObject({
      code: 'not-entitled',
      rule: 'members',
    });
  });

  it.each([
    'tsadmin',
    'TSAdmin',
    'system',
    'su',
    'SU',
    'tsadmin ',
    '\uff54\uff53\uff41\uff44\uff4d\uff49\uff4e',
    't\u017fadmin',
    'tsadm\u0131n',
    'tsadm\u0130n',
    'TSADMi\u0307N',
    'TSADMI\u0307N',
  ])('is never %j, whatever the rule says', (name) => {
    const refused = refusalOf(policyWith({}), { tenant: 'acme', name });
    expect(refused.code).toBe('not-entitled');
    if (name === name.trim()) expect(refused.reasons.join()).toContain('refuse list');
  });

  it('is not one that two readers could take for two, and operators are told what one has to be', () => {
    expect(refusalOf(policyWith({}), { tenant: 'acme', name: '\uff41lice' }).reasons).toEqual([
      'rule "members" decides: the user name is malformed: at most 254 plain characters in Unicode form NFKC',
    ]);
  });

  it('is checked after mapping: a pattern or a template cannot make a refused name', () => {
    const captured = policyWith({ user: { claim: 'name', pattern: '^x-([a-z]+)$' } });
    expect(refusalOf(captured, { tenant: 'acme', name: 'x-tsadmin' }).reasons.join()).toContain('refuse list');
    const template = policyWith({ user: { template: 'ts{n}', parts: { n: { claim: 'name' } } } });
    expect(refusalOf(template, { tenant: 'acme', name: 'Admin' }).reasons.join()).toContain('refuse list');
  });

  it("is none of the environment's own refused names, nor a service account of another rule", () => {
    const service = { ...rule, name: 'screens', when: { claim: 'azp', equals: 's' }, user: { serviceAccount: 'svc' } };
    const document = { ...policy, refuse: ['Root'], rules: [rule, service] };
    expect(refusalOf(document, { tenant: 'acme', name: 'ROOT' }).reasons.join()).toContain('refuse list');
    expect(refusalOf({ ...document, refuse: ['Y\u0131ld\u0131z'] }, { ...alice, name: 'YILDIZ' }).code).toBe(
      'not-entitled',
    );
    expect(refusalOf(document, { tenant: 'acme', name: 'SVC' }).reasons.join()).toContain('service account');
    expect(grantFor(document, { azp: 's', tenant: 'globex' })).toMatchObject({ user: 'svc', serviceAccount: true });
  });

  it('comes from one claim only: another that looks alike gives nothing', () => {
    expect(grantFor(policyWith({}), { ...alice, tenant: 'acme', sub: 'bob', preferred_username: 'carol' }).user).toBe(
      'alice',
    );
  });
});

describe('a normalised name', () => {
  it.each([
    ['TSAdmin', 'tsadmin'],
    [' alice\t', 'alice'],
    ['\uff33\uff35', 'su'],
    ['\u017fystem', 'system'],
  ])('of %j is %j', (name, expected) => {
    expect(normaliseUser(name)).toBe(expected);
  });
});

describe('the org', () => {
  it('is what the table says of the claim, never the claim itself', () => {
    expect(grantFor(policyWith({ when: 'always' }), { tenant: 'globex', name: 'alice' }).orgId).toBe(2);
    for (const tenant of ['2', 2, 'initech', ['acme'], null, '__proto__', 'constructor']) {
      const refused = refusalOf(policyWith({ when: 'always' }), { tenant, name: 'alice' });
      expect(refused.reasons.join()).toContain('table of orgs');
    }
  });
});

describe('the validity', () => {
  it('is the default, or what the request asks for within the bounds', () => {
    expect(grantFor(policy, alice).validitySeconds).toBe(300);
    expect(grantFor(policy, alice, { validitySeconds: 60 }).validitySeconds).toBe(60);
    expect(grantFor(policy, alice, { validitySeconds: 900 }).validitySeconds).toBe(900);
  });

  it.each([59, 901, 0, -1, 60.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d and states the bounds', (asked) => {
    expect(refusalOf(policy, alice, { validitySeconds: asked })).toMatchObject({
      code: 'invalid-request',
      errors: [
        { field: 'validitySeconds', detail: 'must be a whole number of seconds from 60 to 900 for grant "full"' },
      ],
    });
  });

  const bound = policyWith({ grants: [{ ...fullGrant, validity: { ...validity, withinCallerToken: true } }] });

  it("is cut to what is left of the caller's own token where the rule binds to it", () => {
    const caller = callerWith(alice, 200);
    expect(grantFor(bound, caller)).toMatchObject({ validitySeconds: 200, notAfter: caller.expiresAt });
    expect(grantFor(bound, callerWith(alice, 200.9)).validitySeconds).toBe(200);
    expect(grantFor(bound, callerWith(alice, 60)).validitySeconds).toBe(60);
    expect(grantFor(bound, callerWith(alice, 3_600)).validitySeconds).toBe(300);
    expect(grantFor(policy, caller)).toMatchObject({ validitySeconds: 300 });
    expect(grantFor(policy, caller)).not.toHaveProperty('notAfter');
  });

  it.each([59.9, 0, -5, Number.NaN])('asks for a newer token where only %d s of the caller’s are left', (left) => {
    const detail = 'your access token ends in less than 60 s, the shortest life of grant "full": renew it';
    expect(refusalOf(bound, callerWith(alice, left))).toMatchObject({
      code: 'invalid-request',
      errors: [{ field: 'authorization', detail }],
      reasons: [`rule "members" decides: invalid request: authorization ${detail}`],
    });
  });
});

describe('the request', () => {
  it('picks one of the grants of the rule, the first if it names none', () => {
    const document = policyWith({
      grants: [fullGrant, { ...fullGrant, name: 'second', validity: { ...validity, defaultSeconds: 100 } }],
    });
    expect(grantFor(document, alice).name).toBe('full');
    expect(grantFor(document, alice, { grant: 'second' })).toMatchObject({ name: 'second', validitySeconds: 100 });
    for (const grant of ['third', '', '__proto__', 'Full']) {
      expect(refusalOf(document, alice, { grant })).toMatchObject({
        code: 'not-entitled',
        errors: [],
        reasons: ['rule "members" decides: the rule has no grant of the name asked for'],
      });
    }
  });

  it('names an object only where the grant is for one, and one that is on its list', () => {
    const two = policyWith({ grants: [objectGrant([LIVEBOARD, OTHER])] });
    expect(grantFor(two, alice, { objectId: OTHER.toUpperCase() }).rights).toEqual({ kind: 'object', objectId: OTHER });
    expect(refusalOf(two, alice, { objectId: OTHER.replace('2', '3') })).toMatchObject({
      code: 'not-entitled',
      errors: [],
    });
    expect(refusalOf(two, alice)).toMatchObject({ code: 'invalid-request', errors: [{ field: 'objectId' }] });
    expect(refusalOf(policy, alice, { objectId: OTHER })).toMatchObject({
      code: 'invalid-request',
      errors: [{ field: 'objectId' }],
    });
  });

  it('need not name the only object of a list, and must name one where any is allowed', () => {
    expect(grantFor(policyWith({ grants: [objectGrant([LIVEBOARD.toUpperCase()])] }), alice).rights).toEqual({
      kind: 'object',
      objectId: LIVEBOARD,
    });
    const any = policyWith({ grants: [objectGrant('any')] });
    expect(grantFor(any, alice, { objectId: OTHER })).toMatchObject({
      rights: { objectId: OTHER },
      callersObject: true,
    });
    const listed = policyWith({ grants: [objectGrant([OTHER])] });
    expect(grantFor(listed, alice, { objectId: OTHER })).not.toHaveProperty('callersObject');
    for (const objectId of ['', 'x', `${OTHER} `, `${OTHER}\n`, '../users']) {
      expect(refusalOf(any, alice, { objectId })).toMatchObject({ code: 'invalid-request' });
    }
    expect(refusalOf(any, alice)).toMatchObject({ code: 'invalid-request' });
  });
});

describe('custom rights', () => {
  const regions = { name: 'region', values: { claim: 'regions', allow: ['emea', 'amer'] } };
  const document = policyWith({ grants: [customGrant({ variables: [regions] })] });

  it('hold each mapped item of a claim once, in an order that the claim does not choose', () => {
    const ways = [
      ['emea', 'amer'],
      ['amer', 'emea', 'amer'],
    ].map((list) => grantFor(document, { ...alice, regions: list }));
    expect(ways[0]?.rights).toMatchObject({
      persist: 'REPLACE',
      variables: [{ name: 'region', values: ['amer', 'emea'] }],
    });
    expect(ways[1]).toEqual(ways[0]);
    expect(grantFor(document, { ...alice, regions: 'emea' }).rights).toMatchObject({
      variables: [{ values: ['emea'] }],
    });
  });

  it.each([
    ['an item is not known', ['emea', 'moon']],
    ['an item is no text', ['emea', { a: 1 }]],
    ['the list is empty: that would restrict nothing', []],
    ['the claim is absent', undefined],
  ])('are refused where %s', (_, list) => {
    expect(refusalOf(document, { ...alice, ...(list && { regions: list }) }).code).toBe('not-entitled');
  });

  it('leave out unknown items where the rule skips them, and still refuse an empty list', () => {
    const skipping = policyWith({
      grants: [customGrant({ variables: [{ ...regions, values: { ...regions.values, unlisted: 'skip' } }] })],
    });
    expect(grantFor(skipping, { ...alice, regions: ['emea', 'moon'] }).rights).toMatchObject({
      variables: [{ values: ['emea'] }],
    });
    expect(refusalOf(skipping, { ...alice, regions: ['moon'] }).code).toBe('not-entitled');
  });

  it.each(['TS_WILDCARD_ALL', 'ts_wildcard_all', '\uff34S_WILDCARD_ALL', 'TS_WILDCARD_NONE'])(
    "never take ThoughtSpot's wildcard %j from a claim, though a document may say it",
    (word) => {
      const free = { name: 'region', values: { claim: 'region', pattern: '^.+$' } };
      const captured = { name: 'region', values: { claim: 'region', pattern: '^x(.+)$' } };
      const mapped = (variable: object) => policyWith({ grants: [customGrant({ variables: [variable] })] });
      expect(refusalOf(mapped(free), { ...alice, region: word }).reasons.join()).toContain('wildcard');
      expect(refusalOf(mapped(captured), { ...alice, region: `x${word}` }).reasons.join()).toContain('wildcard');
      const fixed = mapped({ name: 'region', values: [word] });
      expect(grantFor(fixed, alice).rights).toMatchObject({ variables: [{ values: [word] }] });
    },
  );

  it('carry filters, parameters, groups and objects as the rule says', () => {
    const all = customGrant({
      filters: [{ column: 'Day', operator: 'BW', values: ['9', '1'] }],
      parameters: [{ name: 'p', values: { claim: 'tenant', allow: ['acme'] } }],
      groups: { claim: 'roles', allow: ['b', 'a'], unlisted: 'skip' },
      objects: [{ type: 'LOGICAL_TABLE', identifiers: [LIVEBOARD] }, { identifiers: [OTHER] }],
    });
    expect(grantFor(policyWith({ grants: [all] }), { ...alice, roles: ['b', 'z', 'a'] }).rights).toEqual({
      kind: 'custom',
      persist: 'REPLACE',
      variables: [],
      filters: [{ column: 'Day', operator: 'BW', values: ['9', '1'] }],
      parameters: [{ name: 'p', values: ['acme'] }],
      groups: ['a', 'b'],
      objects: [{ type: 'LOGICAL_TABLE', identifier: LIVEBOARD }, { identifier: OTHER }],
    });
  });
});

describe('provisioning', () => {
  const provision = {
    displayName: { claim: 'full' },
    email: { claim: 'mail' },
    groups: { claim: 'roles', allow: ['a'], unlisted: 'skip' },
  };
  const claims = { ...alice, full: 'Alice A.', mail: 'a@acme.example', roles: ['a', 'admins'] };

  it('is off unless the rule says so, and takes groups from a fixed list only', () => {
    expect(grantFor(policy, claims).provisioning).toBeNull();
    expect(grantFor(policyWith({ provision }), claims).provisioning).toEqual({
      displayName: 'Alice A.',
      email: 'a@acme.example',
      groups: ['a'],
    });
    expect(grantFor(policyWith({ provision: {} }), alice).provisioning).toEqual({ groups: [] });
  });

  it.each<[string, Claims]>([
    ['an absent display name', { ...alice, mail: 'a@acme.example', roles: [] }],
    ['no address', { ...alice, full: 'Alice A.', roles: [] }],
    ['no group on the list, which would leave the old ones', { ...claims, roles: ['admins'] }],
    ['no groups', { ...alice, full: 'Alice A.', mail: 'a@acme.example' }],
    ['an address that is none', { ...claims, mail: 'no address' }],
    ['a control character in the display name', { ...claims, full: 'a\u0000b' }],
  ])('refuses a caller with %s', (_, held) => {
    expect(refusalOf(policyWith({ provision }), held).code).toBe('not-entitled');
  });
});

describe('the users of a caller', () => {
  it('are all that a rule which holds names now, without refused ones', () => {
    const second = { ...rule, name: 'second', mode: 'audit', when: 'always', user: { claim: 'mail' } };
    const third = { ...second, name: 'third', user: { claim: 'root' } };
    const document = compilePolicy({ ...policy, rules: [second, third, rule] });
    expect(usersOf(document, callerWith({ ...alice, mail: 'a@x', root: 'tsadmin' }))).toEqual(['a@x', 'alice']);
    expect(usersOf(document, callerWith({}))).toEqual([]);
    expect(usersOf(document, callerWith({ ...alice, tenant: 'globex', mail: 'a@x' }))).toEqual(['a@x']);
  });
});
