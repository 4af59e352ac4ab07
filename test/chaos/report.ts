/** Describes a run and its result as text. */
import type { ChaosReport } from './run.ts';
import { textTimeline } from './timeline.ts';

/** Answers by function and outcome, most frequent first. */
export function tallyOf({ answers }: ChaosReport): (readonly [outcome: string, count: number])[] {
  const tally = new Map<string, number>();
  for (const { status, code } of answers) {
    const outcome = status < 300 && status >= 200 ? `${status}` : `${status} ${code ?? '(the gateway)'}`;
    tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
  }
  return [...tally].sort(([, one], [, other]) => other - one);
}

export function formatReport(report: ChaosReport): string {
  const { plan, planFingerprint, checkpoints, end, violations } = report;
  const rows = Object.entries(end.rows).map(([state, count]) => `${count} ${state}`);
  const minutesOf = (ms: number) => Math.round((ms / 60_000) * 100) / 100;
  const [minutes, simulated] = [minutesOf(plan.durationMs), minutesOf(plan.simulatedMs)];
  return [
    textTimeline(report),
    '',
    `seed ${plan.seed}, plan ${planFingerprint}: ${plan.requests.length} requests of ${plan.users} users, ${plan.faults.length} faults, in ${minutes} minutes (${simulated} simulated)`,
    `${report.answers.length} answers: ${tallyOf(report)
      .map(([outcome, count]) => `${count} x ${outcome}`)
      .join(', ')}`,
    `${report.mints} tokens minted, ${report.tokens} handed out, ${report.lostReplies} lost on the way, ${report.acceptedRevokes} revocations accepted, ${report.blocks} of them sign-outs and suspensions, which ${report.refusals} answers told`,
    `${checkpoints.length} audits; rows at the end: ${rows.join(', ')}; ${end.live} tokens still live, each recorded in a row until it expired`,
    `${report.operations} operations in ${plan.users} histories, each looked at for an order in which all happened at one moment`,
    `limits that somebody met: ${report.limitsMet.join(', ') || 'none'}`,
    `${report.printedLines} printed lines searched: ${report.leaks.length === 0 ? 'no secret in them' : report.leaks.join(', ')}`,
    ...(violations.length === 0
      ? ['Every promise was kept.']
      : [`${violations.length} broken promises:`, ...violations.map((each) => `  - ${each}`)]),
    `Repeat: npm run chaos -- --seed ${plan.seed} --minutes ${minutes} --simulated ${simulated} --users ${plan.users} --rate ${plan.requestsPerSecond}`,
  ].join('\n');
}
