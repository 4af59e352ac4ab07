/**
 * Metric names, and how people respond to each: CloudWatch EMF with the dimensions `environment` and `function`. One alarm
 * per signal that pages or opens a ticket, named `<function>/<signal>`, which is also its heading in docs/runbook.md.
 */
export const METRIC_NAMESPACE = 'ThoughtSpotBroker';

export type Response = 'none' | 'ticket' | 'page';
export interface Signal {
  readonly response: Response;
  readonly unit: 'Count' | 'Milliseconds' | 'Seconds';
  readonly meaning: string;
}

const signal = (response: Response, unit: Signal['unit'], meaning: string): Signal => ({ response, unit, meaning });

export const SIGNALS = {
  minted: signal('none', 'Count', 'a token was minted and released'),
  reused: signal('none', 'Count', 'a live token was served again'),
  denied: signal('none', 'Count', 'the policy refused a caller, or the caller is shut out'),
  'mint-limited': signal('ticket', 'Count', 'a mint was refused: its caller, grant or org had reached a limit'),
  revoked: signal('none', 'Count', 'a lease ended by revocation'),
  'revoked-late': signal('none', 'Count', 'a revocation took over two minutes, or the token expired before it'),
  expired: signal('none', 'Count', 'a lease ended because its token expired'),
  'unmatched-name': signal(
    'none',
    'Count',
    'a revocation named a user of whom no token lives; the name may be misspelt',
  ),
  retried: signal('none', 'Count', 'a revocation was not confirmed and will be retried'),
  compensated: signal('none', 'Count', 'a token was withheld and revoked because a step after the mint failed'),
  'mint-latency': signal('none', 'Milliseconds', 'time ThoughtSpot took to mint'),
  'upstream-clock-offset': signal('none', 'Seconds', "ThoughtSpot's clock minus ours, seen at a mint, from one second"),
  'upstream-busy': signal('ticket', 'Count', 'ThoughtSpot answered 429'),
  'upstream-unavailable': signal('page', 'Count', 'ThoughtSpot could not be reached or failed'),
  'credential-reloaded': signal('none', 'Count', 'the secret was read again after a refusal'),
  'secret-stale': signal('ticket', 'Count', 'Secrets Manager is unreachable; an older credential is in use'),
  'issuer-unavailable': signal('ticket', 'Count', "an issuer's keys cannot be read; older ones count for a while"),
  'upstream-credential-refused': signal(
    'page',
    'Count',
    'ThoughtSpot refuses the credential, and the store has no other',
  ),
  'upstream-mismatch': signal('page', 'Count', 'ThoughtSpot returned a token for another user, organisation or kind'),
  'entitlement-conflict': signal(
    'page',
    'Count',
    'the policy let two callers with different entitlements meet in one ThoughtSpot user; nothing was minted',
  ),
  'orphan-seen': signal('ticket', 'Count', 'the reply to a mint was lost: a token may live that cannot be revoked'),
  'access-denied': signal('page', 'Count', 'KMS, DynamoDB or Secrets Manager denies the broker'),
  'not-set-up': signal('none', 'Count', 'a secret has never had a value: a function waits for its first'),
  misconfigured: signal('page', 'Count', 'the broker is not set up correctly'),
  'internal-error': signal('page', 'Count', 'the broker failed in an unexpected way'),
  'schedule-failed': signal('page', 'Count', 'a revocation schedule or deprovision event could not be processed'),
  'logout-failed': signal('page', 'Count', 'a logout that an issuer had signed could not be put on record'),
  'oldest-due-age': signal('page', 'Seconds', 'age of the oldest work that the sweep has not done'),
  'sweep-failed': signal('page', 'Count', 'a sweep failed completely'),
  'probe-failed': signal('page', 'Count', 'the broker did not do what it promises to a caller from outside'),
  'probe-latency': signal('none', 'Milliseconds', 'time a probe waited for a new token'),
  'key-unavailable': signal('page', 'Count', 'KMS does not give a data key: tokens cannot be sealed or opened'),
  'index-lag': signal(
    'ticket',
    'Seconds',
    'how long after a mass revocation the due index first showed a row that it covers',
  ),
  due: signal('none', 'Count', 'rows that a sweep found due'),
  stuck: signal('ticket', 'Count', 'revocations that have failed five times or more and are still retried'),
  'cold-start': signal('none', 'Milliseconds', 'time from module load to ready'),
} as const satisfies Record<string, Signal>;

export type SignalName = keyof typeof SIGNALS;
