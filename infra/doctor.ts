import { readFileSync } from 'node:fs';
import { payAttention } from './doctor/attention.ts';
import { examineAll } from './doctor/examination.ts';
import { parseOptions, USAGE, UsageError } from './doctor/options.ts';
import { isHealthy, reportLines } from './doctor/report.ts';

/**
 * `npm run doctor`: examines ThoughtSpot and the broker, prints a table, and resolves with the exit code. A signal that
 * would end it makes it first end the tokens and sessions that it made at ThoughtSpot.
 */
async function main(): Promise<0 | 1> {
  const options = parseOptions(process.argv.slice(2), process.env, () => readFileSync(0, 'utf8'));
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const attention = payAttention('doctor', 28);
  const examination = await examineAll(options, process.env, attention).finally(attention.end);
  const healthy = isHealthy(examination);
  console.log(
    options.json ? JSON.stringify({ healthy, ...examination }, null, 2) : reportLines(examination).join('\n'),
  );
  return healthy ? 0 : 1;
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const usage = error instanceof UsageError;
    console.error(error instanceof Error ? error.message : error);
    if (usage) console.error(`\n${USAGE}`);
    process.exitCode = usage ? 2 : 1;
  },
);
