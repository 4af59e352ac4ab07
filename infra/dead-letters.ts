/** `npm run schedules -- replay`: the revocations that failed after all retries, from their queue to revoketoken again. */
import { z } from 'zod';
import { stackName } from './deployed-stack.ts';
import type { Environment } from './environments/environment.ts';
import { signedFetch } from './signed-fetch.ts';

/** How long a message is kept from others while its revocation runs, s: longer than any function may take. */
const HIDDEN_SECONDS = 120;

const queue = z.object({ QueueUrl: z.string() });
const received = z.object({
  Messages: z.array(z.object({ MessageId: z.string(), Body: z.string(), ReceiptHandle: z.string() })).optional(),
});
/** What Lambda wraps around an event that it gave up; EventBridge and its Scheduler leave theirs as they are. */
const givenUp = z.looseObject({ requestPayload: z.unknown(), requestContext: z.unknown() });
const schedule = z.looseObject({ source: z.literal('schedule'), name: z.string(), scheduledTime: z.string() });
const event = z.looseObject({ 'detail-type': z.string(), time: z.string() });

export interface Replayed {
  readonly replayed: number;
  readonly failed: number;
}

/**
 * Sends each message of the dead-letter queue to `send`, with the date that it had, and deletes those that it takes. What
 * it refuses stays in the queue. `say` gets a line for each.
 */
export async function replayDeadLetters(
  environment: Environment,
  send: (event: object) => Promise<string>,
  say: (line: string) => void,
): Promise<Replayed> {
  const { QueueUrl } = queue.parse(
    await ask(environment, 'GetQueueUrl', { QueueName: deadLetterQueue(environment.name) }),
  );
  let replayed = 0;
  const failed = new Set<string>();
  for (;;) {
    const question = { QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: HIDDEN_SECONDS, WaitTimeSeconds: 1 };
    const { Messages = [] } = received.parse(await ask(environment, 'ReceiveMessage', question));
    // What has failed comes again once it is no longer hidden.
    const fresh = Messages.filter(({ MessageId }) => !failed.has(MessageId));
    if (fresh.length === 0) return { replayed, failed: failed.size };
    for (const { MessageId, Body, ReceiptHandle } of fresh) {
      let title = 'something else';
      try {
        const letter = eventIn(Body);
        title = titleOf(letter) ?? title;
        const answer = await send(letter);
        await ask(environment, 'DeleteMessage', { QueueUrl, ReceiptHandle });
        replayed += 1;
        say(`replayed  ${title}: ${answer}`);
      } catch (error) {
        failed.add(MessageId);
        say(`FAILED    ${title}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}

/** The name of the queue of an environment. */
const deadLetterQueue = (environment: string): string => `${stackName(environment)}-revoketoken-dead-letters`;

function eventIn(body: string): object {
  const parsed = JSON.parse(body) as object;
  const { data } = givenUp.safeParse(parsed);
  return data === undefined ? parsed : (data.requestPayload as object);
}

function titleOf(letter: object): string | undefined {
  const { data: run } = schedule.safeParse(letter);
  if (run !== undefined) return `schedule ${run.name} of ${run.scheduledTime}`;
  const { data: said } = event.safeParse(letter);
  return said && `${said['detail-type']} of ${said.time}`;
}

/** Asks SQS. Rejects with words where it refuses. */
async function ask({ name, region }: Environment, operation: string, question: object): Promise<unknown> {
  const { AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL } = process.env;
  const own = `https://sqs.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const answer = await signedFetch({
    url: new URL('/', AWS_ENDPOINT_URL_SQS ?? AWS_ENDPOINT_URL ?? own),
    method: 'POST',
    service: 'sqs',
    region,
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${operation}` },
    body: JSON.stringify(question),
  }).catch(({ message, cause }: Error) => {
    const reason = cause instanceof Error ? cause.message : message;
    throw new Error(`SQS cannot be asked in ${region} (${reason}). Sign in to AWS, and name the region of ${name}.`);
  });
  const text = await answer.text();
  if (answer.ok) return text === '' ? {} : JSON.parse(text);
  if (text.includes('NonExistentQueue') || text.includes('QueueDoesNotExist'))
    throw new Error(`There is no queue ${deadLetterQueue(name)} in ${region}. Is ${name} deployed there?`);
  throw new Error(`SQS refuses ${operation} (${answer.status}): ${text}`);
}
