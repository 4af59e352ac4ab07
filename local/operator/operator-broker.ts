/**
 * The broker as an operator reaches it: over HTTP with an access token that holds the revoke scope, or in AWS by invoking
 * the functions with the operator's own credentials. Either way the functions decide; nobody touches the table.
 */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

export interface ListedLease {
  readonly leaseId: string;
  readonly user: string;
  readonly orgId: number;
  readonly kind: string;
  readonly state: string;
  readonly rule: string;
  readonly grant: string;
  readonly reservedAt: number;
  readonly expiresAt?: number;
  readonly attempts: number;
}
export interface LeaseFilter {
  readonly user?: string;
  readonly org?: number;
  readonly state?: string;
}
export type Selection = { readonly userName: string } | { readonly orgId: number } | { readonly all: true };
export interface Tally {
  readonly revoked: number;
  readonly pending: number | null;
}

export interface OperatorBroker {
  /** All leases that match, page after page. */
  leases(filter: LeaseFilter): AsyncIterable<ListedLease>;
  revoke(selection: Selection): Promise<Tally>;
}

/** The broker said no; the message is for the person at the terminal. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}

const PAGE = 200;
interface Page {
  readonly leases: readonly ListedLease[];
  readonly next?: string;
}

async function* pages(read: (cursor: string | undefined) => Promise<Page>): AsyncIterable<ListedLease> {
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    yield* page.leases;
    cursor = page.next;
  } while (cursor !== undefined);
}

export function brokerOverHttp(url: string, accessToken: string): OperatorBroker {
  async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
    const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
    const response = await fetch(new URL(path, url), { ...init, headers }).catch(() => {
      throw new OperatorError(`No broker answers at ${url}. Is it running (npm start)? --url names another one.`);
    });
    const body = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; message?: string };
    if (response.ok) return body;
    const reason = body.detail ?? body.message ?? 'no reason given';
    const cure =
      response.status === 401 || response.status === 403 ? ' The access token must hold the revoke scope.' : '';
    throw new OperatorError(`The broker refused: ${reason} (${body.code ?? response.status}).${cure}`);
  }
  return {
    leases: (filter) =>
      pages(async (cursor) => {
        const entries = Object.entries({ ...filter, limit: PAGE, cursor }).filter(([, value]) => value !== undefined);
        const query = new URLSearchParams(entries.map(([name, value]) => [name, String(value)]));
        return (await ask(`/leases?${query}`)) as Page;
      }),
    revoke: async (selection) =>
      (await ask('/revoketoken', { method: 'POST', body: JSON.stringify(selection) })) as Tally,
  };
}

/** `prefix` is what the stack's function names begin with, such as `thoughtspot-token-broker-dev`. */
export function brokerInAws(prefix: string, client = new LambdaClient({})): OperatorBroker {
  async function invoke(name: string, event: object): Promise<unknown> {
    const command = new InvokeCommand({ FunctionName: `${prefix}-${name}`, Payload: JSON.stringify(event) });
    const { FunctionError: fault, Payload: payload } = await client.send(command).catch((error: unknown) => {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new OperatorError(`${prefix}-${name} could not be invoked. ${reason}`);
    });
    const answer = JSON.parse(new TextDecoder().decode(payload ?? new Uint8Array())) as unknown;
    if (fault === undefined) return answer;
    const { errorMessage = 'no reason given' } = answer as { errorMessage?: string };
    throw new OperatorError(`${prefix}-${name} failed: ${errorMessage}. Its log says why.`);
  }
  return {
    leases: (filter) =>
      pages(async (cursor) => {
        const event = { source: 'operator', filter, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
        return (await invoke('leases', event)) as Page;
      }),
    revoke: async (select) =>
      (await invoke('revoketoken', { source: 'operator', requestedAt: new Date().toISOString(), select })) as Tally,
  };
}
