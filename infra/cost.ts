import { ALARM_HEADINGS } from '../functions/contract/alarms.ts';
import { FUNCTIONS } from '../functions/contract/functions.ts';

/**
 * `npm run cost`: what a million tokens cost, from stated prices and stated assumptions. Prices are AWS's list prices
 * for us-east-1, without free tiers. Those of Lambda and DynamoDB were compared with published lists in November 2026. The
 * others are from memory: check them before you rely on them.
 */

/** US dollars. */
export const PRICES = {
  apiRequest: 1.0 / 1e6,
  lambdaRequest: 0.2 / 1e6,
  lambdaGbSecondArm: 0.0000133334,
  dynamoWriteUnit: 0.625 / 1e6,
  dynamoReadUnit: 0.125 / 1e6,
  kmsRequest: 0.03 / 1e4,
  secretRequest: 0.05 / 1e4,
  logGigabyte: 0.5,
  trace: 5.0 / 1e6,
  schedulerInvocation: 1.0 / 1e6,
  monthly: {
    kmsKey: 1.0,
    secret: 0.4,
    alarm: 0.1,
    metric: 0.3,
    dashboard: 3.0,
    natGateway: 32.9,
    provisionedGbSecond: 0.0000033334,
  },
} as const;

/** The work that one token causes. Replace these values with your own measurements. */
export const ASSUMPTIONS = {
  memoryGb: FUNCTIONS.gettoken.memoryMb / 1_024,
  /** A mint waits for ThoughtSpot; Lambda bills the waiting. */
  mintSeconds: 0.4,
  reuseSeconds: 0.03,
  revokeSeconds: 0.3,
  /** Reserve, live, revoking, revoked. A row is under 1 kB, one unit, if its token has up to 250 characters. */
  writesPerToken: 4,
  /**
   * Index of due rows: 1 to enter, 2 for each of two changes of the due time, 1 to leave. Indexes by caller and of
   * unfinished rows: 1 to enter and 1 to leave each.
   */
  indexWritesPerToken: 10,
  /** Units, strongly consistent: one for the query of the generations (up to 4 kB), one for each of the two cut-offs. */
  readsPerRequest: 3,
  logKilobytesPerRequest: 2,
  sampledTraces: 0.05,
  metricsInUse: 60,
  alarms: ALARM_HEADINGS.length,
} as const;

export interface CostLine {
  readonly what: string;
  readonly dollars: number;
}

/** Dollars for a million requests of which `mints` are mints that are later revoked or expire. */
export function costOfMillion(mintShare: number): CostLine[] {
  const a = ASSUMPTIONS;
  const p = PRICES;
  const requests = 1e6;
  const mints = requests * mintShare;
  const seconds = mints * (a.mintSeconds + a.revokeSeconds) + (requests - mints) * a.reuseSeconds;
  return [
    { what: 'API Gateway', dollars: requests * p.apiRequest },
    { what: 'Lambda requests', dollars: (requests + mints * 0.1) * p.lambdaRequest },
    { what: 'Lambda time', dollars: seconds * a.memoryGb * p.lambdaGbSecondArm },
    { what: 'DynamoDB writes', dollars: mints * (a.writesPerToken + a.indexWritesPerToken) * p.dynamoWriteUnit },
    { what: 'DynamoDB reads', dollars: requests * a.readsPerRequest * p.dynamoReadUnit },
    { what: 'Logs', dollars: ((requests * a.logKilobytesPerRequest) / 1e6) * p.logGigabyte },
    { what: 'Traces', dollars: requests * a.sampledTraces * p.trace },
  ];
}

/** Dollars per month, with or without requests. */
export function fixedMonthly(): CostLine[] {
  const { monthly } = PRICES;
  const sweeps = 30 * 24 * 60;
  return [
    { what: 'Keys (3)', dollars: 3 * monthly.kmsKey },
    { what: 'Secret', dollars: monthly.secret },
    { what: `Alarms (${ASSUMPTIONS.alarms})`, dollars: ASSUMPTIONS.alarms * monthly.alarm },
    { what: `Metrics (about ${ASSUMPTIONS.metricsInUse})`, dollars: ASSUMPTIONS.metricsInUse * monthly.metric },
    { what: 'Dashboard', dollars: monthly.dashboard },
    {
      what: 'Sweep by the minute',
      dollars:
        sweeps *
        (PRICES.lambdaRequest +
          PRICES.schedulerInvocation +
          (0.2 * FUNCTIONS.sweep.memoryMb * PRICES.lambdaGbSecondArm) / 1_024 +
          16 * 0.5 * PRICES.dynamoReadUnit),
    },
  ];
}

const sum = (lines: readonly CostLine[]): number => lines.reduce((total, { dollars }) => total + dollars, 0);

/** The report as text. */
export function costReport(): string {
  const table = (title: string, lines: readonly CostLine[]) =>
    [
      title,
      ...lines.map(({ what, dollars }) => `  ${what.padEnd(28)}${dollars.toFixed(2).padStart(8)}`),
      `  ${'total'.padEnd(28)}${sum(lines).toFixed(2).padStart(8)}`,
    ].join('\n');
  return [
    'US dollars, list prices without free tiers; assumptions and prices are in infra/cost.ts.',
    table('A million tokens, each newly minted and revoked:', costOfMillion(1)),
    table('A million answers, one mint in ten (the others reused):', costOfMillion(0.1)),
    table('Every month, with or without requests:', fixedMonthly()),
    `fixedEgress adds ${PRICES.monthly.natGateway.toFixed(2)} a month for the NAT gateway and 0.05 per gigabyte.`,
  ].join('\n\n');
}

if (process.argv[1] === import.meta.filename) console.log(costReport());
