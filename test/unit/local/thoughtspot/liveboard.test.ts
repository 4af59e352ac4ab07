import { NO_ENTITLEMENTS, type Entitlements } from '../../../../local/thoughtspot/entitlements.ts';
import { visibleRows } from '../../../../local/thoughtspot/liveboard.ts';

const rows = (entitlements: Partial<Entitlements>, org = 'acme') =>
  visibleRows(org, { ...NO_ENTITLEMENTS, ...entitlements });
const regions = (entitlements: Partial<Entitlements>): string[] => [
  ...new Set(rows(entitlements).map((row) => row.region)),
];
const filter = (operator: string, ...values: string[]) => ({ filters: [{ column: 'region', operator, values }] });

test.each<[string, Partial<Entitlements>, string[]]>([
  ['no attributes', {}, ['north', 'east', 'south', 'west']],
  ['a variable', { variables: { region: ['West'] } }, ['west']],
  ['a variable with a longer name', { variables: { sales_region: ['west', 'east'] } }, ['east', 'west']],
  ['the wildcard for all', { variables: { region: ['TS_WILDCARD_ALL'] } }, ['north', 'east', 'south', 'west']],
  ['the wildcard for none', { variables: { region: ['TS_WILDCARD_NONE'] } }, []],
  ['a variable on another column', { variables: { tier: ['gold'] } }, ['north', 'east', 'south', 'west']],
  ['EQ', filter('EQ', 'west'), ['west']],
  ['NOT_IN', filter('NOT_IN', 'west', 'east'), ['north', 'south']],
  ['an operator without a use here', filter('LIKE', 'w%'), []],
])('%s', (_what, entitlements, expected) => {
  expect(regions(entitlements)).toEqual(expected);
});

test('each Org has data of its own, always the same', () => {
  expect(rows({})).toEqual(rows({}));
  expect(rows({})).not.toEqual(rows({}, 'globex'));
});
