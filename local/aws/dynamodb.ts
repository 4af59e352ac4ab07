/**
 * DynamoDB on loopback: dynalite, in memory, behind the same fault switch as the other endpoints. dynalite has no
 * transactions and no TTL deletes; the ledger needs neither.
 */
import { Readable } from 'node:stream';
import dynalite from 'dynalite';
import { type AwsEndpoint, type CarryOut, startAwsEndpoint } from './json-endpoint.ts';

/** Starts an empty store; tables are made with `createTable` (local-aws.ts) or by any client. `before` stands before it. */
export async function startDynamoDb(port = 0, before = (store: CarryOut) => store): Promise<AwsEndpoint> {
  // Only its request handler is used: it never listens, so that no call gets past the fault switch.
  const store = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  const carryOut: CarryOut = (_call, body, request, response) => {
    const { method, url, headers } = request;
    store.emit('request', Object.assign(Readable.from([body]), { method, url, headers }), response);
  };
  return startAwsEndpoint('DynamoDB', port, before(carryOut));
}
