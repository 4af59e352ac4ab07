import type { ClaimValue } from '../../../functions/broker/ports.ts';
import type { ClaimText, Tables, Template, Values } from '../../../functions/policy/document.ts';
import {
  isPlainText,
  listFrom,
  LONGEST_TEXT,
  orgFrom,
  textFrom,
  valuesFrom,
} from '../../../functions/policy/values.ts';

const TABLES: Tables = {
  texts: { a: ['one'], b: ['two', 'three'], none: [], 7: 'seven', wrong: 1 },
  orgs: { acme: 1, 7: 0, wrong: 'one' },
};
type Mapping = Pick<ClaimText, 'pattern' | 'table' | 'allow'>;
const itself: Mapping = {};
const table: Mapping = { table: 'texts' };
const listed: Mapping = { allow: ['al', 'bo'] };
const capturing: Mapping = { pattern: '^(?:x-([^]*))$' };
const whole: Mapping = { pattern: '^(?:[a-z]+)$' };
const optional: Mapping = { pattern: '^(?:x(y)?)$' };

const source = (mapping: Mapping, changes: Partial<ClaimText> = {}): ClaimText => ({
  claim: ['c'],
  lowerCase: false,
  ...mapping,
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
  ['one text that the table has as such', table, 7, { value: 'seven' }],
  ['a number of a table of orgs', table, 'wrong', refusal('is not in the table')],
  ['a name that every object has', table, 'constructor', refusal('is not in the table')],
  ['a text of a list', listed, 'bo', { value: 'bo' }],
  ['a text that is not on the list', listed, 'BO', refusal('is not in the table')],
  ['a table that is not there', { table: 'gone' }, 'a', refusal('is not in the table')],
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
  ['a wildcard with a dotless i', itself, 'TS_W\u0131LDCARD_ALL', WILDCARD],
  ['a wildcard in full-width letters', itself, '\uff54\uff53_wildcard', WILDCARD],
  ['a word that holds the wildcard further on', itself, 'xts_wildcard', { value: 'xts_wildcard' }],
])('a text from %s', (_, mapping, value, expected) => {
  const claims = value === undefined ? {} : { c: value };
  expect(textFrom(source(mapping), claims, TABLES)).toEqual(expected);
});

test('a claim is put into lower case before it is mapped, where the rule says so', () => {
  const lower = source(table, { lowerCase: true });
  expect(textFrom(lower, { c: 'A' }, TABLES)).toEqual({ value: 'one' });
  expect(textFrom(source(table), { c: 'A' }, TABLES)).toEqual(refusal('is not in the table'));
});

const TEMPLATE = { refusal: 'the text made by the template is too long or malformed' };
test.each<[string, Template, object]>([
  ['joined in order', { template: ['<', source(itself), '|', source(whole), '>'] }, { value: '<al|al>' }],
  ['the refusal of a piece', { template: ['<', source(table)] }, refusal('is not in the table')],
  ['empty', { template: [] }, TEMPLATE],
  ['padded', { template: [source(itself), ' '] }, TEMPLATE],
  ['as long as can be', { template: ['x'.repeat(252), source(itself)] }, { value: `${'x'.repeat(252)}al` }],
  ['too long', { template: ['x'.repeat(253), source(itself)] }, TEMPLATE],
])('the text of a template is %s', (_, template, expected) => {
  expect(textFrom(template, { c: 'al' }, TABLES)).toEqual(expected);
});

test.each<[string, string, string, string, boolean]>([
  ['the character after it', '-', 'a-b', 'c', false],
  ['the character after it in the other case', 'x', 'aXb', 'c', false],
  ['a letter that is the same one for a user', 'i', 'a\u0130b', 'c', false],
  ['a sigma in its other form', '\u03c3', '\u03b1\u03c2', 'c', false],
  ['a later character of the fixed text only', '-z', 'azb', 'c', true],
  ['nothing of the fixed text', '-', 'ab', 'c-d', true],
])('a part of an identity with %s', (_, between, first, second, fits) => {
  const identity: Template = { template: [source(itself), between, source(itself, { claim: ['d'] })] };
  const claims = { c: first, d: second };
  expect('value' in textFrom(identity, claims, TABLES)).toBe(fits);
  expect(textFrom(identity, claims, TABLES, 'label')).toEqual({ value: `${first}${between}${second}` });
});

const fromClaim = (mapping: Mapping, unlisted: 'refuse' | 'skip' = 'refuse'): Values => ({
  ...source(mapping),
  unlisted,
});
test.each<[string, Values, ClaimValue | undefined, object, object]>([
  ['fixed ones', ['b', 'a', 'b'], undefined, { value: ['b', 'a', 'b'] }, { value: ['a', 'b'] }],
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
    fromClaim(itself, 'skip'),
    undefined,
    refusal('is absent'),
    refusal('is absent'),
  ],
  ['an unlisted item', fromClaim(table), ['a', 'z'], refusal('is not in the table'), refusal('is not in the table')],
  [
    'an unlisted item that is skipped',
    fromClaim(table, 'skip'),
    ['z', 'a', null],
    { value: ['one'] },
    { value: ['one'] },
  ],
])('values and lists of %s', (_, values, claim, inOrder, asSet) => {
  const claims = claim === undefined ? {} : { c: claim };
  expect(valuesFrom(values, claims, TABLES)).toEqual(inOrder);
  expect(listFrom(values, claims, TABLES)).toEqual(asSet);
});

test.each<[ClaimValue | undefined, object]>([
  ['acme', { value: 1 }],
  [7, { value: 0 }],
  ['globex', { refusal: 'claim "c" is absent or not in the table of orgs' }],
  [true, { refusal: 'claim "c" is absent or not in the table of orgs' }],
  ['wrong', { refusal: 'claim "c" is absent or not in the table of orgs' }],
  [undefined, { refusal: 'claim "c" is absent or not in the table of orgs' }],
])('the org of claim %j is %j, by the table alone', (claim, expected) => {
  const from = { claim: ['c'], table: 'orgs' };
  expect(orgFrom(from, claim === undefined ? {} : { c: claim }, TABLES)).toEqual(expected);
  expect(orgFrom(3, {}, TABLES)).toEqual({ value: 3 });
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
