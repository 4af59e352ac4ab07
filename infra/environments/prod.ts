import type { EnvironmentInput } from './environment.ts';

/** Production: data and keys outlive the stack, and new code first gets a tenth of the calls. */
export default {
  purpose: 'production',
  logLevel: 'INFO',
  thoughtSpot: { host: 'https://analytics.thoughtspot.example', dialect: 'auth-2.0' },
  issuers: [
    {
      url: 'https://login.example.com/',
      audiences: ['thoughtspot-token-broker'],
      scopes: { token: 'broker:token', revoke: 'broker:revoke' },
    },
  ],
  allowedOrigins: ['https://app.example.com'],
  policyFile: 'policy.prod.json',
  secret: { create: 'thoughtspot-broker/prod' },
  revocationSchedules: [
    { name: 'end-of-day', expression: 'cron(0 20 ? * MON-FRI *)', timeZone: 'Europe/Berlin', select: { all: true } },
    {
      name: 'older-than-40-minutes',
      expression: 'rate(5 minutes)',
      timeZone: 'UTC',
      select: { olderThanSeconds: 2_400 },
    },
  ],
  deprovisionedEvents: { source: 'com.example.identity' },
  prober: { secret: { create: 'thoughtspot-broker/prod/prober' } },
  sweepRate: 20,
  dueShards: 16,
  throttle: { ratePerSecond: 50, burst: 100 },
  concurrency: {
    gettoken: { reserved: 50 },
    revoketoken: { reserved: 20 },
    sessioninfo: { reserved: 20 },
    operator: { reserved: 5 },
    backchannellogout: { reserved: 5 },
    sweep: { reserved: 1 },
    prober: { reserved: 1 },
  },
  deployment: 'canary',
  logRetentionDays: 365,
  alarms: { page: { email: 'broker-oncall@example.com' }, ticket: { email: 'broker-team@example.com' } },
  runbookUrl: 'https://git.example.com/token-broker/docs/runbook.md',
} satisfies EnvironmentInput;
