import type { EnvironmentInput } from './environment.ts';

/** Like production, except in size. What passes here is deployed to production. */
export default {
  purpose: 'staging',
  logLevel: 'INFO',
  thoughtSpot: { host: 'https://staging.thoughtspot.example', dialect: 'auth-2.0' },
  issuers: [
    {
      url: 'https://login.staging.example.com/',
      audiences: ['thoughtspot-token-broker'],
      scopes: { token: 'broker:token', revoke: 'broker:revoke' },
    },
  ],
  allowedOrigins: ['https://app.staging.example.com'],
  policyFile: 'policy.staging.json',
  secret: { create: 'thoughtspot-broker/staging' },
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
  prober: { secret: { create: 'thoughtspot-broker/staging/prober' } },
  sweepRate: 10,
  dueShards: 16,
  throttle: { ratePerSecond: 20, burst: 40 },
  concurrency: {
    gettoken: { reserved: 20 },
    revoketoken: { reserved: 10 },
    sessioninfo: { reserved: 10 },
    operator: { reserved: 2 },
    backchannellogout: { reserved: 2 },
    sweep: { reserved: 1 },
    prober: { reserved: 1 },
  },
  deployment: 'canary',
  logRetentionDays: 30,
  alarms: { email: 'broker-staging@example.com' },
  runbookUrl: 'https://git.example.com/token-broker/docs/runbook.md',
} satisfies EnvironmentInput;
