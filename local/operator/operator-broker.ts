/**
 * The broker as an operator reaches it, over HTTP: with an access token that holds the revoke scope, or signed with AWS
 * credentials. Either way the function decides and the audit names the operator; nobody touches the table.
 */
import { deployedStack, regionOfProfile, stackName } from '../../infra/deployed-stack.ts';
import { operatorCure, signedFetch } from '../../infra/signed-fetch.ts';
import { ask, CommandError, refusalText } from '../command.ts';

export interface ListedLease {
  readonly leaseId: string;
  readonly user: string;
  readonly orgId: number;
  readonly kind: string;
  readonly state: string;
  readonly rule: string;
  readonly grant: string;
  readonly caller: { readonly issuer: string; readonly subject: string };
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
export interface Subject {
  readonly issuer: string;
  readonly sub: string;
}
/** A user, in every org or in one, a subject of an issuer, an org, or all. */
export type Whom =
  | { readonly userName: string; readonly orgId?: number }
  | { readonly subject: Subject }
  | { readonly orgId: number }
  | { readonly all: true };
export type Selection = Whom | { readonly policyVersion: string } | { readonly rule: string };
export interface How {
  readonly keepSignIn?: boolean | undefined;
  readonly endShared?: boolean | undefined;
}
/** What the broker says of a revocation or a suspension, as in docs/openapi.yaml. */
export interface Answer {
  readonly revoked?: number;
  readonly pending?: number | null;
  readonly unmatched?: number;
  readonly sharedLeft?: number;
}
/** A sign-out or a suspension in force; times are epoch ms. */
export interface ListedBlock {
  readonly scope: Readonly<Record<string, string | number>>;
  readonly signedOut?: { readonly issuedUpTo: number; readonly until: number };
  readonly suspendedSince?: number;
}

export interface OperatorBroker {
  /** All leases that match, page after page. */
  leases(filter: LeaseFilter): AsyncIterable<ListedLease>;
  /** Users that the broker made and that had no token since, epoch ms. */
  usersUnusedSince(since: number): AsyncIterable<ListedUser>;
  revoke(selection: Selection, how?: How): Promise<Answer>;
  suspend(whom: Whom, how?: How): Promise<Answer>;
  /** How many suspensions were lifted. */
  reinstate(whom: Whom): Promise<number>;
  blocks(): AsyncIterable<ListedBlock>;
}

const PAGE = 200;
interface Page {
  readonly leases?: readonly ListedLease[];
  readonly users?: readonly ListedUser[];
  readonly next?: string;
}
interface BlockPage {
  readonly blocks: readonly ListedBlock[];
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

/** Sends a request to the API and resolves with the answer. */
type Send = (path: string, method: 'GET' | 'POST', body?: string) => Promise<Response>;

/** `prefix`: of the routes of this way to prove who asks. `cure`: what may help where the broker refuses. */
function operatorBroker(prefix: string, send: Send, cure: string): OperatorBroker {
  async function call(path: string, method: 'GET' | 'POST', body?: string): Promise<unknown> {
    const { ok, status, text } = await send(`${prefix}${path}`, method, body).then(async (response) => ({
      ok: response.ok,
      status: response.status,
      text: await response.text(),
    }));
    if (ok) return JSON.parse(text) as unknown;
    throw new CommandError(refusalText(status, text) + (status === 401 || status === 403 ? `\n${cure}` : ''));
  }
  return {
    ...listings(async (filter, cursor) => {
      const entries = Object.entries({ ...filter, limit: PAGE, cursor }).filter(([, value]) => value !== undefined);
      const query = new URLSearchParams(entries.map(([name, value]) => [name, String(value)]));
      return (await call(`/leases?${query}`, 'GET')) as Page;
    }),
    revoke: async (selection, how) =>
      (await call('/leases/revoke', 'POST', JSON.stringify({ ...selection, ...how }))) as Answer,
    suspend: async (whom, how) => (await call('/suspend', 'POST', JSON.stringify({ ...whom, ...how }))) as Answer,
    reinstate: async (whom) =>
      ((await call('/reinstate', 'POST', JSON.stringify(whom))) as { readonly reinstated: number }).reinstated,
    async *blocks() {
      let query = '';
      do {
        const { blocks, next } = (await call(`/blocks${query}`, 'GET')) as BlockPage;
        yield* blocks;
        query = next === undefined ? '' : `?${new URLSearchParams({ cursor: next }).toString()}`;
      } while (query !== '');
    },
  };
}

/** With an access token of the issuer. */
export function brokerOverHttp(url: string, accessToken: string): OperatorBroker {
  const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
  const send: Send = (path, method, body) => ask(`${url}${path}`, { method, headers, ...(body && { body }) });
  return operatorBroker('', send, 'The access token must hold the revoke scope.');
}

/** The broker of an environment in AWS, with the AWS credentials of this process. Without a region: that of the profile. */
export async function brokerInAws(environment: string, named: string | undefined): Promise<OperatorBroker> {
  const stack = stackName(environment);
  const region = named ?? (await regionOfProfile());
  if (region === undefined) throw new CommandError('Which region? Name it with --region.');
  const found = await deployedStack(environment, region).catch((error: unknown) => {
    throw new CommandError(
      `CloudFormation does not say where ${stack} is. Are you signed in to AWS? (${reasonOf(error)})`,
    );
  });
  const { ApiUrl: url, OperatorArn: arn } = found?.outputs ?? {};
  if (url === undefined) throw new CommandError(`There is no stack ${stack} in ${region}.`);
  const send: Send = (path, method, body) =>
    signedFetch({ url: new URL(`${url}${path}`), method, region, ...(body !== undefined && { body }) }).catch(
      (error: unknown) => {
        throw new CommandError(`${stack} could not be asked. ${reasonOf(error)}`);
      },
    );
  return operatorBroker('/operator', send, operatorCure(arn));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
