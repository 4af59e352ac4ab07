import type { EnvironmentInput } from './environment.ts';

/**
 * For developers: local front ends may call the API, and `npm run destroy -- dev` removes everything. It reserves no
 * concurrency, so that an account with a limit of 10 can deploy it.
 */
export default {
  purpose: 'development',
  logLevel: 'DEBUG',
  thoughtSpot: { host: 'https://dev.thoughtspot.example', dialect: 'auth-2.0' },
  issuers: [
    {
      url: 'https://login.dev.example.com/',
      audiences: ['thoughtspot-token-broker'],
      scopes: { token: 'broker:token', revoke: 'broker:revoke' },
    },
  ],
  allowedOrigins: ['http://localhost:5173', 'https://app.dev.example.com'],
  policyFile: 'policy.dev.json',
  secret: { create: 'thoughtspot-broker/dev' },
  revocationSchedules: [
    { name: 'end-of-day', expression: 'cron(0 20 ? * MON-FRI *)', timeZone: 'Europe/Berlin', select: { all: true } },
  ],
  sweepRate: 5,
  dueShards: 16,
  throttle: { ratePerSecond: 10, burst: 20 },
  deployment: 'all-at-once',
  logRetentionDays: 7,
  alarms: { email: 'broker-dev@example.com' },
  runbookUrl: 'https://git.example.com/token-broker/docs/runbook.md',
} satisfies EnvironmentInput;
