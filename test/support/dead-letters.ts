/** SQS with one queue, and Lambda that runs what a test says, as a command of ours asks them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeQueue {
  readonly url: string;
  /** What is in the queue. */
  readonly bodies: () => readonly string[];
  close(): void;
}

/** `run` gets each event that revoketoken is invoked with; what it throws fails the function. */
export async function startDeadLetters(
  queue: string,
  letters: readonly string[],
  run: (event: Record<string, unknown>) => object,
): Promise<FakeQueue> {
  const messages = new Map(letters.map((body, index) => [`m${index}`, { body, hidden: false }]));
  const sqs = (operation: string, { QueueName, ReceiptHandle = '' }: Record<string, string>): [number, object] => {
    if (operation === 'GetQueueUrl')
      return QueueName === queue
        ? [200, { QueueUrl: `http://queue/${queue}` }]
        : [400, { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'The specified queue does not exist.' }];
    if (operation === 'DeleteMessage') return [200, (messages.delete(ReceiptHandle), {})];
    const seen = [...messages].filter(([, { hidden }]) => !hidden).slice(0, 2);
    for (const [, message] of seen) message.hidden = true;
    return [200, { Messages: seen.map(([id, { body }]) => ({ MessageId: id, ReceiptHandle: id, Body: body })) }];
  };
  const server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const target = String(request.headers['x-amz-target'] ?? '');
      if (target !== '') {
        const [status, answer] = sqs(target.replace('AmazonSQS.', ''), JSON.parse(text) as Record<string, string>);
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer));
        return;
      }
      try {
        response.end(JSON.stringify(run(JSON.parse(text) as Record<string, unknown>)));
      } catch (error) {
        response.setHeader('x-amz-function-error', 'Unhandled');
        response.end(JSON.stringify({ errorMessage: error instanceof Error ? error.message : '' }));
      }
    })();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies: () => [...messages.values()].map(({ body }) => body),
    close: () => server.close(),
  };
}
