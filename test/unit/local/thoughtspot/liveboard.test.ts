import { NO_ENTITLEMENTS, type Entitlements } from '../../../../local/thoughtspot/entitlements.ts';
import { SALES_TABLE, visibleRows } from '../../../../local/thoughtspot/liveboard.ts';

const rows = (entitlements: Partial<Entitlements>, org = 'acme') =>
  visibleRows(org, { ...NO_ENTITLEMENTS, ...entitlements });
const regions = (entitlements: Partial<Entitlements>): string[] => [
  ...new Set(rows(entitlements).map((row) => row.region)),
];
const filter = (operator: string, ...values: string[]) => ({ filters: [{ column: 'region', operator, values }] });

test.each<[string, Partial<Entitlements>, string[]]>([
  ['no attributes', {}, ['amer', 'apac', 'emea', 'latam']],
  ['a variable', { variables: { region: ['Emea'] } }, ['emea']],
  ['a variable with a longer name', { variables: { region_var: ['emea', 'amer'] } }, ['amer', 'emea']],
  ['the wildcard for all', { variables: { region: ['TS_WILDCARD_ALL'] } }, ['amer', 'apac', 'emea', 'latam']],
  ['the wildcard for none', { variables: { region: ['TS_WILDCARD_NONE'] } }, []],
  ['a variable on another column', { variables: { tier: ['gold'] } }, ['amer', 'apac', 'emea', 'latam']],
  ['a variable for this table', { variables: { region: ['emea'] }, objects: ['x', SALES_TABLE] }, ['emea']],
  [
    'a variable for another table',
    { variables: { region: ['emea'] }, objects: ['x'] },
    ['amer', 'apac', 'emea', 'latam'],
  ],
  ['EQ', filter('EQ', 'emea'), ['emea']],
  ['NOT_IN', filter('NOT_IN', 'emea', 'amer'), ['apac', 'latam']],
  ['an operator without a use here', filter('LIKE', 'e%'), []],
])('%s', (_what, entitlements, expected) => {
  expect(regions(entitlements)).toEqual(expected);
});

test('each Org has data of its own, always the same', () => {
  expect(rows({})).toEqual(rows({}));
  expect(rows({})).not.toEqual(rows({}, 'globex'));
});
