/**
 * The runtime inside a sandbox: fetches one event at a time from the Runtime API and gives it to the handler.
 * Protocol: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01).
 * Built to one CommonJS file by infra/bundles.ts, so that a sandbox starts as fast as Lambda's own runtime.
 */
import { existsSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

type Handler = (event: unknown, context: unknown) => unknown;

const environment = process.env;
const runtimeApi = environment['AWS_LAMBDA_RUNTIME_API'] ?? '';
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

interface Reply {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

function call(method: 'GET' | 'POST', path: string, body?: string): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const headers = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const outgoing = request(
    `http://${runtimeApi}/2018-06-01/runtime/${path}`,
    { method, agent, headers },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    },
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

function describe(error: unknown): string {
  const known = error instanceof Error ? error : new Error(String(error));
  return JSON.stringify({
    errorType: known.name,
    errorMessage: known.message,
    trace: (known.stack ?? '').split('\n'),
  });
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

/** `index.handler`: the export `handler` of `index.js`, `.mjs` or `.cjs` in the task root. */
async function loadHandler(): Promise<Handler> {
  const [file = '', exported = ''] = (environment['_HANDLER'] ?? '').split('.');
  const base = join(environment['LAMBDA_TASK_ROOT'] ?? '', file);
  const found = ['.js', '.mjs', '.cjs'].map((extension) => base + extension).find((path) => existsSync(path));
  if (found === undefined) throw named('Runtime.ImportModuleError', `Error: Cannot find module '${file}'`);
  const module = (await import(pathToFileURL(found).href)) as Record<string, unknown>;
  const handler = module[exported];
  if (typeof handler !== 'function')
    throw named('Runtime.HandlerNotFound', `${environment['_HANDLER']} is undefined or not exported`);
  return handler as Handler;
}

let current: string | undefined;

/** What nobody caught ends the sandbox, after the failure of the running invocation has been reported. */
function dieOf(error: unknown): void {
  const path = current === undefined ? 'init/error' : `invocation/${current}/error`;
  console.error(error);
  void call('POST', path, describe(error)).finally(() => process.exit(129));
}

async function serve(handler: Handler): Promise<never> {
  for (;;) {
    const { headers, body } = await call('GET', 'invocation/next');
    const requestId = String(headers['lambda-runtime-aws-request-id']);
    const deadline = Number(headers['lambda-runtime-deadline-ms']);
    current = requestId;
    environment['_X_AMZN_TRACE_ID'] = String(headers['lambda-runtime-trace-id']);
    const context = {
      awsRequestId: requestId,
      functionName: environment['AWS_LAMBDA_FUNCTION_NAME'],
      functionVersion: environment['AWS_LAMBDA_FUNCTION_VERSION'],
      invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
      memoryLimitInMB: environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
      logGroupName: environment['AWS_LAMBDA_LOG_GROUP_NAME'],
      logStreamName: environment['AWS_LAMBDA_LOG_STREAM_NAME'],
      callbackWaitsForEmptyEventLoop: true,
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
    let verdict: 'response' | 'error' = 'response';
    let payload: string;
    try {
      payload = JSON.stringify(await handler(JSON.parse(body), context)) ?? 'null';
    } catch (error) {
      verdict = 'error';
      payload = describe(error);
    }
    await call('POST', `invocation/${requestId}/${verdict}`, payload);
    current = undefined;
  }
}

process.on('uncaughtException', dieOf);
process.on('unhandledRejection', dieOf);

loadHandler().then(
  // The Runtime API is gone only when the host is: nothing is left to do.
  (handler) => serve(handler).catch(() => process.exit(1)),
  (error: unknown) => call('POST', 'init/error', describe(error)).finally(() => process.exit(1)),
);
