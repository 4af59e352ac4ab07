/**
 * The Runtime API that one sandbox talks to, on a loopback port of its own. Translates its four calls and holds
 * `invocation/next` open until there is an event. Protocol: AWS Lambda developer guide, runtime API 2018-06-01.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listen, readBody } from '../network.ts';

/** Lambda's limit on a synchronous answer: 6 MB and a little. */
const ANSWER_LIMIT_BYTES = 6 * 1024 * 1024 + 100 * 1024;

export interface RuntimeEvent {
  readonly requestId: string;
  readonly deadline: number;
  readonly functionArn: string;
  readonly traceId: string;
  readonly payload: string;
}

export interface RuntimeListener {
  /** The sandbox asks for work: it is idle from here until `send`. */
  idle(): void;
  initFailed(error: string): void;
  answered(requestId: string, payload: string): void;
  failed(requestId: string, error: string): void;
}

export interface RuntimeApi {
  readonly address: string;
  /** Answers the open `invocation/next`. Only valid while the sandbox is idle. */
  send(event: RuntimeEvent): void;
  close(): Promise<void>;
}

export async function startRuntimeApi(
  running: () => string | undefined,
  listener: RuntimeListener,
): Promise<RuntimeApi> {
  let next: ServerResponse | undefined;

  const accept = (response: ServerResponse, status = 202, body: unknown = { status: 'OK' }) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

  const finish = async (verdict: string, requestId: string, request: IncomingMessage, response: ServerResponse) => {
    const body = await readBody(request, ANSWER_LIMIT_BYTES);
    if (running() !== requestId) return accept(response, 400, { errorType: 'InvalidRequestID' });
    if (body === undefined) {
      accept(response, 413, { errorType: 'RequestEntityTooLarge' });
      const errorMessage = 'Response payload size exceeded maximum allowed payload size (6291556 bytes).';
      return listener.failed(requestId, JSON.stringify({ errorType: 'Function.ResponseSizeTooLarge', errorMessage }));
    }
    accept(response);
    if (verdict === 'response') listener.answered(requestId, body.toString());
    else listener.failed(requestId, body.toString());
  };

  const server = createServer((request, response) => {
    const path = /^\/2018-06-01\/runtime\/(.*)$/.exec(request.url ?? '')?.[1] ?? '';
    const finished = /^invocation\/([^/]+)\/(response|error)$/.exec(path);
    // A sandbox that is killed in mid-request breaks its connection: its exit says the rest.
    response.on('error', () => undefined);
    if (request.method === 'GET' && path === 'invocation/next') {
      next = response;
      listener.idle();
    } else if (request.method === 'POST' && path === 'init/error') {
      readBody(request).then((body) => {
        accept(response);
        listener.initFailed(body?.toString() ?? '');
      }, ignoreBroken);
    } else if (request.method === 'POST' && finished?.[1] !== undefined && finished[2] !== undefined) {
      finish(finished[2], finished[1], request, response).catch(ignoreBroken);
    } else {
      accept(response, 404, { errorType: 'NotFound' });
    }
  });
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  const url = await listen(server, 0, 'a Lambda Runtime API');

  return {
    address: new URL(url).host,
    send(event) {
      const response = next;
      if (response === undefined) throw new Error('The sandbox has not asked for work.');
      next = undefined;
      response
        .writeHead(200, {
          'content-type': 'application/json',
          'lambda-runtime-aws-request-id': event.requestId,
          'lambda-runtime-deadline-ms': String(event.deadline),
          'lambda-runtime-invoked-function-arn': event.functionArn,
          'lambda-runtime-trace-id': event.traceId,
        })
        .end(event.payload);
    },
    close: () => closeServer(server),
  };
}

function ignoreBroken(): void {
  // The sandbox went away while it spoke.
}
