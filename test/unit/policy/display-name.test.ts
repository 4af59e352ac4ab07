import type { Claims } from '../../../functions/broker/ports.ts';
import { decide } from '../../../functions/policy/decide.ts';
import { callerWith, compilePolicy, FACTS, policyWith } from '../../support/policy-documents.ts';

const alice = { tenant: 'acme', name: 'alice' };

function provisioningFor(document: object, claims: Claims) {
  const decision = decide(compilePolicy(document), callerWith(claims), {}, FACTS);
  if (!decision.allowed) throw new Error(decision.code);
  return decision.grant.provisioning;
}

describe('a display name', () => {
  const provision = { displayName: { claim: 'full' } };
  it.each([
    ['a Persian name with a joiner', '\u0646\u06cc\u200c\u0645\u0627', '\u0646\u06cc\u200c\u0645\u0627'],
    ['an emoji of several', 'Al \u{1f469}\u200d\u{1f4bb}\u2764\ufe0f', 'Al \u{1f469}\u200d\u{1f4bb}\u2764\ufe0f'],
    ['space around it', ' \u00a0Alice A.\t', 'Alice A.'],
  ])('keeps what a label may have: %s', (_, full, displayName) => {
    expect(provisioningFor(policyWith({ provision }), { ...alice, full })).toEqual({ groups: [], displayName });
  });

  it.each(['', '  ', '\u00a0', '\u200d', ' \u200c\ufe0f '])('that is blank is left out: %j', (full) => {
    expect(provisioningFor(policyWith({ provision }), { ...alice, full })).toEqual({ groups: [] });
  });

  it.each([
    ['of two blank parts is left out', { first: ' ', last: '' }, {}],
    ['of one blank part is the other', { first: 'Alice', last: ' ' }, { displayName: 'Alice' }],
  ])('%s', (_, names, expected) => {
    const template = { template: '{a} {b}', parts: { a: { claim: 'first' }, b: { claim: 'last' } } };
    const document = policyWith({ provision: { displayName: template } });
    expect(provisioningFor(document, { ...alice, ...names })).toEqual({ groups: [], ...expected });
  });

  it('does not loosen what a user name must be', () => {
    for (const name of ['\u0646\u06cc\u200c\u0645\u0627', ' alice', '  '])
      expect(() => provisioningFor(policyWith({}), { ...alice, name })).toThrow('not-entitled');
  });
});
