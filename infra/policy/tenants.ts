/** `npm run policy -- tenants`: which ThoughtSpot orgs a policy can give tokens in, and to whom. */
import type { PolicyDocument } from '../../functions/policy/document.ts';

export interface Tenant {
  /** The value of the claim that says whose somebody is; `*` where the rule has one org for all. */
  readonly tenant: string;
  readonly orgId: number;
  readonly rule: string;
  /** New tokens a minute, of all callers of the org together. */
  readonly mintsPerMinute: number;
}

/** One line per tenant and rule, by org. */
export function tenantsOf({
  rules,
  tables,
  limits,
}: Pick<PolicyDocument, 'rules' | 'tables' | 'limits'>): readonly Tenant[] {
  const { mintsPerMinute } = limits.org;
  const all = rules.flatMap(({ name: rule, org }): Tenant[] => {
    if (typeof org === 'number') return [{ tenant: '*', orgId: org, rule, mintsPerMinute }];
    return Object.entries(tables[org.table] ?? {}).map(([tenant, orgId]) => ({
      tenant,
      orgId: Number(orgId),
      rule,
      mintsPerMinute,
    }));
  });
  return all.sort((one, other) => one.orgId - other.orgId || one.tenant.localeCompare(other.tenant));
}

export function tenantLines(tenants: readonly Tenant[]): readonly string[] {
  const rows = tenants.map(({ tenant, orgId, rule, mintsPerMinute }) => [
    tenant,
    `${orgId}`,
    rule,
    `${mintsPerMinute}`,
  ]);
  const table = [['tenant', 'org', 'rule', 'mints a minute'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)) + 2);
  return [
    ...table.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('')),
    `${new Set(tenants.map(({ orgId }) => orgId)).size} orgs`,
  ];
}
