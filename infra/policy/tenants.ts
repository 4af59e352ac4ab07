/** `npm run policy -- tenants`: which ThoughtSpot orgs a policy can give tokens in, and to whom. */
import { limitOfOrg } from '../../functions/broker/mint-counts.ts';
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
  const all = rules.flatMap(({ name: rule, org }) => {
    const entries = typeof org === 'number' ? { '*': org } : (tables[org.table] ?? {});
    return Object.entries(entries).map(([tenant, found]): Tenant => {
      const orgId = Number(found);
      return { tenant, orgId, rule, mintsPerMinute: limitOfOrg(limits, orgId).mintsPerMinute };
    });
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
