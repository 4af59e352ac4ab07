/**
 * An endpoint that speaks AWS's JSON protocol on loopback, well enough for the real SDK clients: one POST per call,
 * the operation in X-Amz-Target, errors as `{ __type, message }`. Signatures are required but not checked.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isObject } from '../../functions/contract/shapes.ts';
import { closeServer, listen, readBody, resetConnection } from '../network.ts';
import { FaultSwitch, type AwsCall, type Fault } from './faults.ts';

/** An error as AWS answers it. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly type: string;
  readonly status: number;

  constructor(type: string, message: string, status = 400) {
    super(message);
    this.type = type;
    this.status = status;
  }
}

export type Operations = Readonly<Record<string, (input: Readonly<Record<string, unknown>>) => unknown>>;

/** Carries out a call that no fault has stopped, by writing the answer. */
export type CarryOut = (call: AwsCall, body: Buffer, request: IncomingMessage, response: ServerResponse) => void;

export interface AwsEndpoint {
  readonly url: string;
  readonly faults: FaultSwitch;
  /** Every call so far, the ones that met a fault too. */
  readonly calls: readonly AwsCall[];
  close(): Promise<void>;
}

const KEEP_CALLS = 10_000;

/** Starts an endpoint whose calls `carryOut` answers; faults come first. Throws `PortTaken`. */
export async function startAwsEndpoint(purpose: string, port: number, carryOut: CarryOut): Promise<AwsEndpoint> {
  const faults = new FaultSwitch();
  const calls: AwsCall[] = [];
  const timers = new Set<NodeJS.Timeout>();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await readBody(request)) ?? Buffer.alloc(0);
    const operation =
      String(request.headers['x-amz-target'] ?? '')
        .split('.')
        .pop() ?? '';
    const attempt = Number(/attempt=(\d+)/.exec(String(request.headers['amz-sdk-request']))?.[1] ?? 1);
    const call = { operation, input: parse(body), attempt };
    calls.push(call);
    if (calls.length > KEEP_CALLS) calls.shift();
    if (!String(request.headers.authorization ?? '').startsWith('AWS4-HMAC-SHA256 '))
      return sendError(response, new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token'));
    const go = () => carryOut(call, body, request, response);
    const fault = faults.for(call);
    if (fault === undefined) return go();
    suffer(fault, go, request, response);
  };

  const suffer = (fault: Fault, go: () => void, request: IncomingMessage, response: ServerResponse): void => {
    switch (fault.kind) {
      case 'error':
        return sendError(response, new AwsError(fault.type, fault.message ?? fault.type, fault.status));
      case 'hang':
        return;
      case 'latency': {
        const timer = setTimeout(() => {
          timers.delete(timer);
          go();
        }, fault.ms);
        timers.add(timer);
        return;
      }
      case 'reset':
        if (fault.when === 'before') return resetConnection(request.socket);
        // The answer ends the response: the call has been carried out by then.
        response.end = () => {
          resetConnection(request.socket);
          return response;
        };
        return go();
    }
  };

  const server = createServer((request, response) => {
    response.setHeader('x-amzn-requestid', randomUUID());
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) sendError(response, new AwsError('InternalServiceError', String(error), 500));
    });
  });
  const url = await listen(server, port, purpose);
  return {
    url,
    faults,
    calls,
    async close() {
      for (const timer of timers) clearTimeout(timer);
      await closeServer(server);
    },
  };
}

/** Carries out calls by a table of functions that return the output or throw `AwsError`. */
export function byTable(operations: Operations): CarryOut {
  return ({ operation, input }, _body, _request, response) => {
    try {
      const run = operations[operation];
      if (run === undefined) throw new AwsError('UnknownOperationException', `No such operation: ${operation}`);
      send(response, 200, run(input));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      sendError(response, error);
    }
  };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
}

export function sendError(response: ServerResponse, { type, message, status }: AwsError): void {
  // The SDKs read the message from either spelling, depending on the service.
  send(response, status, { __type: type, message, Message: message });
}

function parse(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const input: unknown = JSON.parse(body.toString());
    return isObject(input) ? input : {};
  } catch {
    return {};
  }
}

/** A text field of a call's input; undefined if absent. */
export function text(input: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = input[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new AwsError('SerializationException', `${field} must be a string`);
  return value;
}

/** A text field that the call cannot do without. */
export function required(input: Readonly<Record<string, unknown>>, field: string): string {
  const value = text(input, field);
  if (value === undefined || value === '') throw new AwsError('ValidationException', `${field} is required`);
  return value;
}
