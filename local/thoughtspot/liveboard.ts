import { createHash } from 'node:crypto';
import type { Entitlements } from './entitlements.ts';

/** A row of the made-up sales data that the embed page charts. */
export interface SalesRow {
  region: string;
  category: string;
  month: string;
  sales: number;
}

const REGIONS = ['amer', 'apac', 'emea', 'latam'];
const CATEGORIES = ['Bags', 'Jackets', 'Shirts', 'Shoes'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Always the same figures for an Org, different ones for another. */
function figure(...key: string[]): number {
  return createHash('sha256').update(key.join('/')).digest().readUInt16BE(0) / 65_536;
}

function allRows(org: string): SalesRow[] {
  return REGIONS.flatMap((region) =>
    CATEGORIES.flatMap((category) =>
      MONTHS.map((month, at) => ({
        region,
        category,
        month,
        sales: Math.round(
          (20 + 60 * figure(org, region) + 40 * figure(org, category)) *
            (1 + 0.35 * Math.sin((at / 12) * 2 * Math.PI + 6 * figure(org, category))) +
            25 * figure(org, region, category, month),
        ),
      })),
    ),
  );
}

const ALL = 'TS_WILDCARD_ALL';

type Test = (row: SalesRow) => boolean;

const COLUMNS = ['region', 'category', 'month'] as const;

/** The column that a variable or filter is about, by a word in its name: `region`, `sales_region`, `region_var`. */
function columnOf(name: string): (typeof COLUMNS)[number] | undefined {
  const words = name.toLowerCase().split(/[^a-z]+/);
  return COLUMNS.find((column) => words.includes(column));
}

function testOf(name: string, operator: string, values: readonly string[]): Test {
  const column = columnOf(name);
  if (column === undefined || values.includes(ALL)) return () => true;
  const wanted = values.map((value) => value.toLowerCase());
  const isIn: Test = (row) => wanted.includes(row[column].toLowerCase());
  if (operator === 'EQ' || operator === 'IN') return isIn;
  if (operator === 'NE' || operator === 'NOT_IN') return (row) => !isIn(row);
  // An operator that these columns have no use for shows nothing, rather than too much.
  return () => false;
}

/** The logical table that every Liveboard of the simulator charts. */
export const SALES_TABLE = '22222222-aaaa-4bbb-8ccc-000000000001';

/**
 * The rows somebody may see: those of the Org, cut down by variables and filters on region, category and month, unless
 * these are for other logical tables only. TS_WILDCARD_ALL is all, TS_WILDCARD_NONE nothing (wire facts 3.1); attributes
 * on other columns change nothing.
 */
export function visibleRows(org: string, { variables, filters, objects }: Entitlements): SalesRow[] {
  if (objects.length > 0 && !objects.includes(SALES_TABLE)) return allRows(org);
  const tests = [
    ...Object.entries(variables).map(([name, values]) => testOf(name, 'IN', values)),
    ...filters.map(({ column, operator, values }) => testOf(column, operator, values)),
  ];
  return allRows(org).filter((row) => tests.every((test) => test(row)));
}
