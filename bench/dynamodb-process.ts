/** The emulator of DynamoDB in a process of its own, which answers after a latency. Argument: the latency, ms. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startDynamoDb } from '../local/aws/dynamodb.ts';
import { createTable } from '../local/aws/local-aws.ts';
import { TABLE_NAME } from '../local/function-variables.ts';

/** Starts the process, with the ledger's table. */
export async function startDynamoDbProcess(latencyMs: number) {
  const child = spawn(process.execPath, [import.meta.filename, String(latencyMs)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [url] = (await once(child, 'message')) as [string];
  return { url, pid: child.pid ?? 0, stop: () => child.kill() };
}

if (process.argv[1] === import.meta.filename) {
  const { url, faults } = await startDynamoDb(0);
  await createTable(url, TABLE_NAME);
  faults.inject(() => ({ kind: 'latency', ms: Number(process.argv[2]) }));
  process.on('disconnect', () => process.exit());
  process.send?.(url);
}
