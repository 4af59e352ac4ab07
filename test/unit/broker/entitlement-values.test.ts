import type { ClaimSource, Mapping, TextSource, ValuesSource } from '../../../functions/broker/entitlement-rules.ts';
import {
  isPlainText,
  listFrom,
  LONGEST_TEXT,
  orgFrom,
  textFrom,
  valuesFrom,
} from '../../../functions/broker/entitlement-values.ts';
import type { ClaimValue } from '../../../functions/broker/ports.ts';

const itself: Mapping = { by: 'itself' };
const table: Mapping = {
  by: 'table',
  table: new Map([
    ['a', ['one']],
    ['b', ['two', 'three']],
    ['none', []],
  ]),
};
const capturing: Mapping = { by: 'pattern', pattern: /^x-(.*)$/s, capture: true };
const whole: Mapping = { by: 'pattern', pattern: /^[a-z]+$/, capture: false };
const optional: Mapping = { by: 'pattern', pattern: /^x(y)?$/, capture: true };

const source = (mapping: Mapping, changes: Partial<ClaimSource> = {}): ClaimSource => ({
  claim: { path: ['c'], name: 'c' },
  lowerCase: false,
  mapping,
  ...changes,
});
const refusal = (what: string) => ({ refusal: `claim "c" ${what}` });
const UNFIT = refusal('is empty, too long, padded or holds unprintable characters');
const WILDCARD = refusal('is a wildcard of ThoughtSpot');

test.each<[string, Mapping, ClaimValue | undefined, object]>([
  ['a text', itself, 'al', { value: 'al' }],
  ['the longest text', itself, 'a'.repeat(LONGEST_TEXT), { value: 'a'.repeat(254) }],
  ['a text that is one longer', itself, 'a'.repeat(255), UNFIT],
  ['a whole number', itself, -7, { value: '-7' }],
  ['a number beyond the whole ones', itself, 2 ** 53, refusal('is a number, not a text')],
  ['an absent claim', itself, undefined, refusal('is absent')],
  ['null', itself, null, refusal('is a null, not a text')],
  ['a list', itself, ['al'], refusal('is a array, not a text')],
  ['an empty text', itself, '', UNFIT],
  ['a text that is padded in front', itself, ' al', UNFIT],
  ['a line separator', itself, 'a\u2028b', UNFIT],
  ['a paragraph separator', itself, 'a\u2029b', UNFIT],
  ['an invisible character', itself, 'a\u3164b', UNFIT],
  ['a lone surrogate', itself, 'a\ud800b', UNFIT],
  ['a text of the table', table, 'a', { value: 'one' }],
  ['a text that the table maps to two', table, 'b', refusal('does not map to one text')],
  ['a text that the table maps to none', table, 'none', refusal('does not map to one text')],
  ['a text that is not in the table', table, 'z', refusal('is not in the table')],
  ['what a pattern captures', capturing, 'x-al', { value: 'al' }],
  ['all that a pattern matches', whole, 'al', { value: 'al' }],
  ['a text that does not match', capturing, 'al', refusal('does not match the pattern')],
  ['a group that takes no part', optional, 'x', refusal('does not match the pattern')],
  ['a group that is empty', capturing, 'x-', refusal('has no plain text where the pattern captures')],
  ['a padded text before the pattern', capturing, 'x-al ', UNFIT],
  ['a group that is padded', capturing, 'x- al', refusal('has no plain text where the pattern captures')],
  ['a wildcard', itself, 'TS_Wildcard', WILDCARD],
  ['a wildcard that the pattern captures', capturing, 'x-ts_wildcard_all', WILDCARD],
  [
    'a wildcard behind a space',
    capturing,
    'x-\u2003ts_wildcard',
    refusal('has no plain text where the pattern captures'),
  ],
  ['a wildcard in full-width letters', itself, '\uff54\uff53_wildcard', WILDCARD],
  ['a word that holds the wildcard further on', itself, 'xts_wildcard', { value: 'xts_wildcard' }],
])('a text from %s', (_, mapping, value, expected) => {
  const claims = value === undefined ? {} : { c: value };
  expect(textFrom({ from: 'claim', source: source(mapping) }, claims)).toEqual(expected);
});

test('a claim is put into lower case before it is mapped, where the rule says so', () => {
  const lower = source(table, { lowerCase: true });
  expect(textFrom({ from: 'claim', source: lower }, { c: 'A' })).toEqual({ value: 'one' });
  expect(textFrom({ from: 'claim', source: source(table) }, { c: 'A' })).toEqual(refusal('is not in the table'));
});

const TEMPLATE = { refusal: 'the text made by the template is too long or malformed' };
test.each<[string, TextSource & { from: 'template' }, object]>([
  [
    'joined in order',
    { from: 'template', pieces: ['<', source(itself), '|', source(whole), '>'] },
    { value: '<al|al>' },
  ],
  ['the refusal of a piece', { from: 'template', pieces: ['<', source(table)] }, refusal('is not in the table')],
  ['empty', { from: 'template', pieces: [] }, TEMPLATE],
  ['padded', { from: 'template', pieces: [source(itself), ' '] }, TEMPLATE],
  [
    'as long as can be',
    { from: 'template', pieces: ['x'.repeat(252), source(itself)] },
    { value: `${'x'.repeat(252)}al` },
  ],
  ['too long', { from: 'template', pieces: ['x'.repeat(253), source(itself)] }, TEMPLATE],
])('the text of a template is %s', (_, template, expected) => {
  expect(textFrom(template, { c: 'al' })).toEqual(expected);
});

const fromClaim = (mapping: Mapping, skipUnlisted = false): ValuesSource => ({
  from: 'claim',
  source: source(mapping),
  skipUnlisted,
});
test.each<[string, ValuesSource, ClaimValue | undefined, object, object]>([
  [
    'fixed ones',
    { from: 'fixed', values: ['b', 'a', 'b'] },
    undefined,
    { value: ['b', 'a', 'b'] },
    { value: ['a', 'b'] },
  ],
  ['each item', fromClaim(itself), ['b', 'a', 'b'], { value: ['b', 'a', 'b'] }, { value: ['a', 'b'] }],
  ['one text', fromClaim(itself), 'x', { value: ['x'] }, { value: ['x'] }],
  [
    'all that the table says',
    fromClaim(table),
    ['b', 'a'],
    { value: ['two', 'three', 'one'] },
    { value: ['one', 'three', 'two'] },
  ],
  ['nothing of an empty list', fromClaim(itself), [], { value: [] }, { value: [] }],
  ['an absent claim', fromClaim(itself), undefined, refusal('is absent'), refusal('is absent')],
  [
    'an absent claim, though others are skipped',
    fromClaim(itself, true),
    undefined,
    refusal('is absent'),
    refusal('is absent'),
  ],
  ['an unlisted item', fromClaim(table), ['a', 'z'], refusal('is not in the table'), refusal('is not in the table')],
  [
    'an unlisted item that is skipped',
    fromClaim(table, true),
    ['z', 'a', null],
    { value: ['one'] },
    { value: ['one'] },
  ],
])('values and lists of %s', (_, values, claim, inOrder, asSet) => {
  const claims = claim === undefined ? {} : { c: claim };
  expect(valuesFrom(values, claims)).toEqual(inOrder);
  expect(listFrom(values, claims)).toEqual(asSet);
});

test.each<[ClaimValue | undefined, object]>([
  ['acme', { value: 1 }],
  [7, { value: 0 }],
  ['globex', { refusal: 'claim "c" is absent or not in the table of orgs' }],
  [true, { refusal: 'claim "c" is absent or not in the table of orgs' }],
  [undefined, { refusal: 'claim "c" is absent or not in the table of orgs' }],
])('the org of claim %j is %j, by the table alone', (claim, expected) => {
  const orgs = new Map([
    ['acme', 1],
    ['7', 0],
  ]);
  const from = { from: 'claim', claim: { path: ['c'], name: 'c' }, table: orgs } as const;
  expect(orgFrom(from, claim === undefined ? {} : { c: claim })).toEqual(expected);
  expect(orgFrom({ from: 'fixed', orgId: 3 }, {})).toEqual({ value: 3 });
});

test.each([
  ['a b', true],
  ['', false],
  [' a', false],
  ['a ', false],
  ['\u0000', false],
  ['a'.repeat(254), true],
  ['a'.repeat(255), false],
])('plain text: %j is %p', (text, expected) => {
  expect(isPlainText(text)).toBe(expected);
});
