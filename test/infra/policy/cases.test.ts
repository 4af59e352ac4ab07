import { casesIn, parseCases, runCases } from '../../../infra/policy/cases.ts';
import { explain, parseQuestion } from '../../../infra/policy/explain.ts';
import { compilePolicy, policy, rule } from '../../support/policy-documents.ts';

const trial = { ...rule, name: 'trial', mode: 'audit', when: { claim: 'tenant', present: true } };
const compiled = compilePolicy({ ...policy, rules: [trial, rule] });
const alice = { tenant: 'acme', name: 'alice' };
const granted = {
  rule: 'members',
  name: 'full',
  user: 'alice',
  orgId: 1,
  rights: { kind: 'full' },
  validitySeconds: 300,
};

function report(...cases: object[]) {
  return runCases(compiled, parseCases({ cases: cases.map((one, index) => ({ name: `case ${index}`, ...one })) }));
}

describe('the cases of a policy', () => {
  it('pass where the policy gives exactly what they expect', () => {
    const { results, untestedRules } = report(
      { claims: alice, expect: { ...granted, share: false, serviceAccount: false, provisioning: null } },
      { claims: {}, expect: { refused: 'not-entitled' } },
      { claims: alice, request: { validitySeconds: 1 }, expect: { refused: 'invalid-request', rule: 'members' } },
    );
    expect(results.map(({ passed }) => passed)).toEqual([true, true, true]);
    expect(untestedRules).toEqual([]);
  });

  it.each<[object, string]>([
    [{ ...granted, user: 'bob' }, 'user: expected "bob", got "alice"'],
    [{ ...granted, orgId: 2 }, 'orgId: expected 2, got 1'],
    [{ ...granted, rights: { kind: 'object' } }, 'rights: expected {"kind":"object"}, got {"kind":"full"}'],
    [{ ...granted, validitySeconds: 301 }, 'validitySeconds: expected 301, got 300'],
    [{ ...granted, share: true }, 'share: expected true, got false'],
    [{ refused: 'not-entitled' }, 'expected refusal not-entitled, got grant "full" for alice'],
  ])('fail where it gives something else: %j', (expected, difference) => {
    expect(report({ claims: alice, expect: expected }).results).toEqual([
      { name: 'case 0', passed: false, differences: [difference] },
    ]);
  });

  it('fail where it refuses instead, or for another reason', () => {
    const { results } = report(
      { claims: {}, expect: granted },
      { claims: {}, expect: { refused: 'invalid-request' } },
      { claims: {}, expect: { refused: 'not-entitled', rule: 'members' } },
    );
    expect(results.map(({ passed }) => passed)).toEqual([false, false, false]);
    expect(results[0]?.differences.join()).toContain('rule "members" does not match');
  });

  it('name the rules that no case reaches', () => {
    expect(report({ claims: {}, expect: { refused: 'not-entitled' } }).untestedRules).toEqual(['trial', 'members']);
    expect(report({ claims: { tenant: 'x' }, expect: { refused: 'not-entitled' } }).untestedRules).toEqual(['members']);
  });

  it.each<[string, string]>([
    ['', 'The file is empty: write { "cases": [...] }'],
    ['\ufeff \n', 'The file is empty: write { "cases": [...] }'],
    ['// cases', 'The cases are not JSON'],
    ['null', 'the document must be an object'],
    ['{}', 'cases must be a list'],
    ['{ "cases": [] }', 'cases has no case; write at least one'],
    ['{ "case": [] }', 'the document has unknown names: case'],
    [
      '{ "cases": [{}] }',
      'cases.0.name must be a text, cases.0.claims must be an object, cases.0.expect must have the',
    ],
    ['{ "cases": [{ "name": "x", "claims": {}, "expect": {} }] }', 'cases.0.expect must have the members of a grant'],
  ])('must be well formed: %j is not, in words', (text, fault) => {
    expect(() => casesIn(text)).toThrow(fault);
  });
});

describe('an explanation', () => {
  it('shows every rule, which one decides, and what the caller may pick', () => {
    const explanation = explain(compiled, parseQuestion(alice, {}));
    expect(explanation.rules).toEqual([
      { rule: 'trial', mode: 'audit', holds: true, decides: false, why: 'holds' },
      { rule: 'members', mode: 'enforce', holds: true, decides: true, why: 'holds' },
    ]);
    expect(explanation.decision).toMatchObject({
      allowed: true,
      grant: { user: 'alice', policyVersion: compiled.version },
    });
    expect(explanation.grants.map(({ name }) => name)).toEqual(['full']);
  });

  it('says why for each rule where none decides, and which were not asked where one does', () => {
    const later = { ...rule, name: 'later', when: { claim: 'name', equals: 'alice' } };
    const three = compilePolicy({ ...policy, rules: [trial, rule, later] });
    expect(explain(three, parseQuestion({}, {})).rules.map(({ why }) => why)).toEqual([
      'claim "tenant" (absent) must be present',
      'claim "tenant" (absent) does not equal the value required',
      'claim "name" (absent) does not equal the value required',
    ]);
    expect(explain(three, parseQuestion(alice, {})).rules[2]?.why).toBe('not evaluated: an earlier rule decides');
  });

  it('takes claims and a request as JSON, and says which is malformed', () => {
    expect(() => parseQuestion([], {})).toThrow('The claims must be a JSON object.');
    expect(() => parseQuestion({}, { userName: 'tsadmin' })).toThrow('The request may have');
  });
});
