import { CfnQueryDefinition } from 'aws-cdk-lib/aws-logs';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { BrokerFunction } from './broker-function.ts';

/** Where a query looks: in what the functions write, or in the API's access log. */
type Place = 'functions' | 'access';
interface SavedQuery {
  readonly place: Place;
  /** Its lines, in the language of Logs Insights. */
  readonly lines: readonly string[];
}

const query = (place: Place, ...lines: string[]): SavedQuery => ({ place, lines });
const AUDIT = 'filter audit = 1';

/** Queries of Logs Insights, each named in docs/runbook.md. A test runs them on lines that the functions have written. */
export const SAVED_QUERIES = {
  /** What failed and what was refused, with the reason. */
  failures: query(
    'functions',
    'fields @timestamp, level, service, message, correlationId, fields.code, fields.reason, fields.error.message',
    'filter level in ["ERROR", "WARN"]',
    'sort @timestamp desc',
    'limit 100',
  ),
  /** All lines of one request; put in the id that the caller reports. */
  'one-request': query(
    'functions',
    'fields @timestamp, @message',
    'filter correlationId = "<correlationId>"',
    'sort @timestamp asc',
  ),
  /** How many calls each cause of a 4xx or 5xx has made, of any function. */
  codes: query(
    'functions',
    'filter message = "request" and fields.status >= 400',
    'stats count(*) as answers by fields.route, fields.status, fields.code',
    'sort answers desc',
  ),
  /** Whom the policy refused, and why. */
  denied: query(
    'functions',
    `${AUDIT} and action = "deny"`,
    'stats count(*) as refused by code, caller.subject, reasons.0',
    'sort refused desc',
  ),
  /** Who reaches a limit of mints. */
  'mint-limits': query(
    'functions',
    `${AUDIT} and code = "mint-limit"`,
    'stats count(*) as refused by caller.subject, grant, reasons.0',
    'sort refused desc',
  ),
  /** What the gateway itself refused: the functions know nothing of it. */
  'gateway-refusals': query(
    'access',
    'filter status like /^4/ and functionLatencyMs = "-"',
    'stats count(*) as refused by status, route, authorizerError, address',
    'sort refused desc',
  ),
  /** What callers of gettoken were answered, and how fast. */
  answers: query(
    'access',
    'filter route like /gettoken$/',
    'stats count(*) as answers, pct(latencyMs, 50) as p50, pct(latencyMs, 99) as p99 by status',
    'sort answers desc',
  ),
  /** Who got what, by which rule of which policy. */
  minted: query(
    'functions',
    `${AUDIT} and action = "mint" and not ispresent(code)`,
    'stats count(*) as minted by user, lease.orgId, caller.subject, rule, grant, policyVersion',
    'sort minted desc',
  ),
  /** Orphans, with the time that each can still live. */
  orphans: query(
    'functions',
    `${AUDIT} and action = "orphan"`,
    'fields @timestamp, user, lease.leaseId, lease.orgId, rule, grant',
    'sort @timestamp desc',
  ),
  /** How long revocations took, ms; without `steps` 2 they are not confirmed yet. */
  'time-to-revoke': query(
    'functions',
    `${AUDIT} and action in ["revoke-requested", "revoke"]`,
    'stats min(@timestamp) as asked, max(@timestamp) as confirmed, count_distinct(action) as steps by lease.leaseId',
    'fields confirmed - asked as ms',
    'sort ms desc',
  ),
  /** What operators did. */
  operators: query(
    'functions',
    `${AUDIT} and function = "operator"`,
    'stats count(*) as lines by actor.arn, actor.session, actor.subject, action',
    'sort lines desc',
  ),
} as const satisfies Record<string, SavedQuery>;

export interface SavedQueriesProps {
  readonly prefix: string;
  readonly functions: readonly BrokerFunction[];
  readonly accessLog: ILogGroup;
}

/** Each as `<prefix>/<name>` in CloudWatch, Logs Insights, saved queries. */
export class SavedQueries extends Construct {
  constructor(scope: Construct, id: string, { prefix, functions, accessLog }: SavedQueriesProps) {
    super(scope, id);
    const places = { functions: functions.map(({ logGroup }) => logGroup), access: [accessLog] };
    for (const [name, { place, lines }] of Object.entries(SAVED_QUERIES))
      new CfnQueryDefinition(this, name, {
        name: `${prefix}/${name}`,
        queryString: lines.join('\n| '),
        logGroupNames: places[place].map((group) => group.logGroupName),
      });
  }
}
