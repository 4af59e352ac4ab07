/**
 * The broker as an operator reaches it: over HTTP with an access token that holds the revoke scope, or in AWS by invoking
 * the functions with the operator's own credentials. Either way the functions decide; nobody touches the table.
 */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { stackName } from '../../infra/deployed-stack.ts';
import { ask, CommandError, refusalText } from '../command.ts';

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
  readonly policyVersion?: string;
  readonly rule?: string;
}
/** A ThoughtSpot user that the broker made. `until`: when the last of its tokens had ended, epoch ms. */
export interface ListedUser {
  readonly userName: string;
  readonly orgId: number;
  readonly until: number;
}
export type Selection =
  | { readonly userName: string }
  | { readonly policyVersion: string }
  | { readonly rule: string }
  | { readonly orgId: number }
  | { readonly all: true };

export interface OperatorBroker {
  /** All leases that match, page after page. */
  leases(filter: LeaseFilter): AsyncIterable<ListedLease>;
  /** Users that the broker made and that had no token since, epoch ms. */
  usersUnusedSince(since: number): AsyncIterable<ListedUser>;
  revoke(selection: Selection): Promise<void>;
}

const PAGE = 200;
interface Page {
  readonly leases?: readonly ListedLease[];
  readonly users?: readonly ListedUser[];
  readonly next?: string;
}
type Filter = LeaseFilter | { readonly usersUnusedSince: number };
type ReadPage = (filter: Filter, cursor: string | undefined) => Promise<Page>;

function listings(read: ReadPage): Pick<OperatorBroker, 'leases' | 'usersUnusedSince'> {
  async function* pages(filter: Filter): AsyncIterable<Page> {
    let cursor: string | undefined;
    do {
      const page = await read(filter, cursor);
      yield page;
      cursor = page.next;
    } while (cursor !== undefined);
  }
  return {
    async *leases(filter) {
      for await (const { leases = [] } of pages(filter)) yield* leases;
    },
    async *usersUnusedSince(since) {
      for await (const { users = [] } of pages({ usersUnusedSince: since })) yield* users;
    },
  };
}

export function brokerOverHttp(url: string, accessToken: string): OperatorBroker {
  async function call(path: string, init: RequestInit = {}): Promise<unknown> {
    const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
    const response = await ask(`${url}${path}`, { ...init, headers });
    const { ok, status } = response;
    const text = await response.text();
    if (ok) return JSON.parse(text) as unknown;
    const cure = status === 401 || status === 403 ? '\nThe access token must hold the revoke scope.' : '';
    throw new CommandError(refusalText(status, text) + cure);
  }
  return {
    ...listings(async (filter, cursor) => {
      const entries = Object.entries({ ...filter, limit: PAGE, cursor }).filter(([, value]) => value !== undefined);
      const query = new URLSearchParams(entries.map(([name, value]) => [name, String(value)]));
      return (await call(`/leases?${query}`)) as Page;
    }),
    async revoke(selection) {
      await call('/revoketoken', { method: 'POST', body: JSON.stringify(selection) });
    },
  };
}

/**
 * The broker of an environment in AWS. Like every caller it invokes the alias `live`, which a deployment moves to new code,
 * never the newest code itself. Without a region it is that of the AWS profile.
 */
export function brokerInAws(environment: string, region: string | undefined): OperatorBroker {
  const client = new LambdaClient(region === undefined ? {} : { region });
  const prefix = stackName(environment);
  async function invoke(name: string, event: object): Promise<unknown> {
    const FunctionName = `${prefix}-${name}`;
    const command = new InvokeCommand({ FunctionName, Qualifier: 'live', Payload: JSON.stringify(event) });
    const { FunctionError: failure, Payload: payload } = await client.send(command).catch((error: unknown) => {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new CommandError(`${prefix}-${name} could not be invoked. ${reason}`);
    });
    const answer = JSON.parse(new TextDecoder().decode(payload ?? new Uint8Array())) as unknown;
    if (failure === undefined) return answer;
    const { errorMessage = 'no reason given' } = answer as { errorMessage?: string };
    throw new CommandError(`${prefix}-${name} failed: ${errorMessage}. Its log says why.`);
  }
  return {
    ...listings(async (filter, cursor) => {
      const event = { source: 'operator', filter, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
      return (await invoke('operator', event)) as Page;
    }),
    async revoke(select) {
      await invoke('revoketoken', { source: 'operator', requestedAt: new Date().toISOString(), select });
    },
  };
}
