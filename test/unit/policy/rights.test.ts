import type { Claims } from '../../../functions/broker/ports.ts';
import type {
  ClaimText,
  CustomRights,
  ProvisioningSource,
  RightsSource,
  Values,
} from '../../../functions/policy/document.ts';
import { provisioningFrom, rightsFrom } from '../../../functions/policy/rights.ts';

const GUID = '11111111-aaaa-4bbb-8ccc-000000000001';
const OTHER = '22222222-aaaa-4bbb-8ccc-000000000002';

const text = (name: string): ClaimText => ({ claim: [name], lowerCase: false });
const list = (name: string): Values => ({ claim: [name], lowerCase: false, unlisted: 'refuse' });
const fixed = (...values: string[]): Values => values;

const custom = (changes: Partial<CustomRights> = {}): CustomRights => ({
  kind: 'custom',
  persist: 'APPEND',
  variables: [],
  filters: [],
  parameters: [],
  groups: fixed(),
  objects: [],
  ...changes,
});
const object = (...ids: string[]): RightsSource => ({ kind: 'object', objects: ids });
const anyObject: RightsSource = { kind: 'object', objects: 'any' };

const REQUIRED = { fault: { field: 'objectId', detail: 'is required: this grant is for one object' } };
const NO_GUID = { fault: { field: 'objectId', detail: 'must be a GUID' } };
const LEFT_OUT = { fault: { field: 'objectId', detail: 'must be left out: this grant is not for one object' } };
const OFF_LIST = { refusal: 'the object asked for is not on the list of the grant' };
const one = (objectId: string) => ({ value: { kind: 'object', objectId } });

test.each<[string, RightsSource, string | undefined, object]>([
  ['full ones', { kind: 'full' }, undefined, { value: { kind: 'full' } }],
  ['full ones, with an object asked for', { kind: 'full' }, GUID, LEFT_OUT],
  ['custom ones, with an object asked for', custom(), GUID, LEFT_OUT],
  ['the only object', object(GUID), undefined, one(GUID)],
  ['the only object, asked for in capitals', object(GUID), GUID.toUpperCase(), one(GUID)],
  ['one of two objects, unnamed', object(GUID, OTHER), undefined, REQUIRED],
  ['the second of two', object(GUID, OTHER), OTHER, one(OTHER)],
  ['an object off the list', object(GUID), OTHER, OFF_LIST],
  ['an object of an empty list', object(), GUID, OFF_LIST],
  ['any object', anyObject, OTHER, one(OTHER)],
  ['any object, unnamed', anyObject, undefined, REQUIRED],
  ['any object, by no GUID', anyObject, 'x', NO_GUID],
  ['a GUID with something before it', anyObject, `x${GUID}`, NO_GUID],
  ['a GUID with something behind it', anyObject, `${GUID}0`, NO_GUID],
  ['a GUID with other letters', anyObject, GUID.replaceAll('a', 'g'), NO_GUID],
])('rights to %s', (_, source, objectId, expected) => {
  expect(rightsFrom(source, {}, {}, objectId)).toEqual(expected);
});

const claims: Claims = { regions: ['b', 'a', 'b'], none: [], plan: 'gold' };

test('custom rights hold what each source gives: sets sorted, bounds and single values in their order', () => {
  const source = custom({
    variables: [{ name: 'region', values: list('regions') }],
    filters: [{ column: 'Day', operator: 'BW', values: list('regions') }],
    parameters: [{ name: 'plan', values: list('plan') }],
    groups: list('regions'),
    objects: [{ type: 'LOGICAL_TABLE', identifiers: list('regions') }, { identifiers: list('plan') }],
  });
  expect(rightsFrom(source, claims, {}, undefined)).toStrictEqual({
    value: {
      kind: 'custom',
      persist: 'APPEND',
      variables: [{ name: 'region', values: ['a', 'b'] }],
      filters: [{ column: 'Day', operator: 'BW', values: ['b', 'a', 'b'] }],
      parameters: [{ name: 'plan', values: ['gold'] }],
      groups: ['a', 'b'],
      objects: [
        { type: 'LOGICAL_TABLE', identifier: 'a' },
        { type: 'LOGICAL_TABLE', identifier: 'b' },
        { identifier: 'gold' },
      ],
    },
  });
});

const filter = (values: Values) => ({ column: 'Day', operator: 'IN', values });
const ABSENT = { refusal: 'claim "gone" is absent' };
test.each<[string, Partial<CustomRights>, object]>([
  ['a variable of an absent claim', { variables: [{ name: 'v', values: list('gone') }] }, ABSENT],
  [
    'a variable of an empty list',
    { variables: [{ name: 'v', values: list('none') }] },
    { refusal: 'variable "v" has no value: it would not restrict' },
  ],
  ['a parameter of an absent claim', { parameters: [{ name: 'p', values: list('gone') }] }, ABSENT],
  [
    'a parameter of an empty list',
    { parameters: [{ name: 'p', values: list('none') }] },
    { refusal: 'parameter "p" has no value: it would not restrict' },
  ],
  [
    'a parameter with several values',
    {
      parameters: [
        { name: 'q', values: list('plan') },
        { name: 'p', values: list('regions') },
      ],
    },
    { refusal: 'parameter "p" takes one value, the claim has several' },
  ],
  ['a filter of an absent claim', { filters: [filter(list('gone'))] }, ABSENT],
  [
    'a filter of an empty list',
    { filters: [filter(list('none'))] },
    { refusal: 'filter on "Day" has no value: it would not restrict' },
  ],
  ['groups of an absent claim', { groups: list('gone') }, ABSENT],
  ['objects of an absent claim', { objects: [{ identifiers: list('gone') }] }, ABSENT],
  [
    'objects of an empty list',
    { objects: [{ identifiers: list('none') }] },
    { refusal: 'a list of objects is empty: it would not restrict' },
  ],
])('custom rights with %s are refused, with the reason', (_, changes, expected) => {
  expect(rightsFrom(custom(changes), claims, {}, undefined)).toEqual(expected);
});

const provisioning = (changes: Partial<ProvisioningSource> = {}): ProvisioningSource => ({
  groups: fixed('g'),
  ...changes,
});
const NO_GROUP = { refusal: 'the claim gives no group for provisioning, and ThoughtSpot would keep the old ones' };
const NO_ADDRESS = { refusal: 'the e-mail address for provisioning is malformed' };
test.each<[string, ProvisioningSource | null, Claims, object]>([
  ['none', null, {}, { value: null }],
  ['fixed groups', provisioning(), {}, { value: { groups: ['g'] } }],
  ['no groups, by the document', provisioning({ groups: fixed() }), {}, { value: { groups: [] } }],
  ['no groups, by the claim', provisioning({ groups: list('c') }), { c: [] }, NO_GROUP],
  ['groups of an absent claim', provisioning({ groups: list('c') }), {}, { refusal: 'claim "c" is absent' }],
  ['groups of a claim', provisioning({ groups: list('c') }), { c: ['b', 'a'] }, { value: { groups: ['a', 'b'] } }],
  [
    'a display name',
    provisioning({ displayName: text('c') }),
    { c: 'Al' },
    { value: { groups: ['g'], displayName: 'Al' } },
  ],
  [
    'a display name whose parts hold what stands between them: it is a label',
    provisioning({ displayName: { template: [text('c'), ' ', text('d')] } }),
    { c: 'Anna Maria', d: 'Ang' },
    { value: { groups: ['g'], displayName: 'Anna Maria Ang' } },
  ],
  [
    'an address whose parts hold what stands between them',
    provisioning({ email: { template: [text('c'), '.', text('d'), '@acme.example'] } }),
    { c: 'a.m', d: 'ang' },
    { refusal: 'claim "c" holds the character that ends its part of the template' },
  ],
  ['an absent display name', provisioning({ displayName: text('c') }), {}, { refusal: 'claim "c" is absent' }],
  ['an address', provisioning({ email: text('c') }), { c: 'a@b' }, { value: { groups: ['g'], email: 'a@b' } }],
  ['an absent address', provisioning({ email: text('c') }), {}, { refusal: 'claim "c" is absent' }],
  ['an address without a name', provisioning({ email: text('c') }), { c: '@b' }, NO_ADDRESS],
  ['an address without a host', provisioning({ email: text('c') }), { c: 'a@' }, NO_ADDRESS],
  ['an address with two signs', provisioning({ email: text('c') }), { c: 'a@b@c' }, NO_ADDRESS],
  ['an address with a space', provisioning({ email: text('c') }), { c: 'a b@c' }, NO_ADDRESS],
  ['an address with a space at its end', provisioning({ email: text('c') }), { c: 'a@b c' }, NO_ADDRESS],
])('provisioning with %s', (_, source, held, expected) => {
  expect(provisioningFrom(source, held, {})).toStrictEqual(expected);
});
