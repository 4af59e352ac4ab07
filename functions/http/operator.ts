/** What operators ask: to list and revoke leases, to shut out and to let in again, with AWS credentials or an access token. */
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { AuditTrail, AwsCaller, Caller, Clock, TokenLedger } from '../broker/ports.ts';
import type {
  Administered,
  GetAdministered,
  LeaseFilter,
  ListBlocks,
  ListLeases,
  ListedBlock,
  Reinstate,
  RevokeTokens,
  Revoker,
} from '../broker/use-cases.ts';
import { FUNCTIONS, type Trigger } from '../contract/functions.ts';
import { json, type Answer } from './answer.ts';
import { integer, invalid, orgId, readBody, readFields, text, userName } from './fields.ts';
import type { HttpEvent, HttpRequest, Route } from './http-entry.ts';
import { REINSTATEMENT, REVOCATION, SUSPENSION, selectionOf, whomOf } from './revoketoken.ts';

const DEFAULT_LIMIT = 50;
const MOST = 200;

const FILTER = z.strictObject({
  user: z.optional(userName),
  org: z.optional(orgId),
  state: z.optional(
    z.enum(['reserved', 'live', 'revoking', 'revoked', 'failed', 'orphaned', 'expired'], 'is not a state of a lease'),
  ),
  policyVersion: z.optional(text(64)),
  rule: z.optional(text(64)),
  usersUnusedSince: z.optional(integer(0, Number.MAX_SAFE_INTEGER)),
});
const PAGE = z.strictObject({ limit: z.optional(integer(1, MOST)), cursor: z.optional(text(4096)) });
const QUERY = z.strictObject({ ...FILTER.shape, ...PAGE.shape });
/** Who the gateway says it is (payload format 2.0 of HTTP APIs). */
const IAM = z.object({ userArn: text(2_048).check(z.regex(/^arn:[\w-]+:(iam|sts)::\d{12}:/)) });

export type Operator = Caller | AwsCaller;

export interface OperatorParts {
  readonly listLeases: ListLeases;
  readonly revokeTokens: RevokeTokens;
  readonly reinstate: Reinstate;
  readonly listBlocks: ListBlocks;
  /** Of a caller who is no operator. */
  readonly getAdministered: GetAdministered;
  /** Throws where an operator with an access token is shut out. */
  readonly requireActive: (caller: Caller, deadline: number) => Promise<void>;
  readonly ledger: Pick<TokenLedger, 'usersUnusedSince'>;
  readonly audit: AuditTrail;
  readonly clock: Clock;
}

/** A request of an operator, or of an administrator of an org: `within` that org only. */
type Asked = HttpRequest<Operator> & { readonly within?: Administered };

/** The operator's routes, by the last word of their path. */
export function operatorRoute(parts: OperatorParts): Route<Operator> {
  return {
    scopes: ['revoke', 'token'],
    async answer(request) {
      const { caller, deadline } = request;
      const [last = ''] = request.event.routeKey.split('/').reverse();
      const answer = (Object.hasOwn(ROUTES, last) ? ROUTES[last] : undefined) ?? list;
      if ('arn' in caller) return answer(parts, request);
      if (!caller.scopes.includes('revoke'))
        return answer(parts, { ...request, within: await parts.getAdministered(caller, deadline) });
      await parts.requireActive(caller, deadline);
      return answer(parts, request);
    },
  };
}

const ROUTES: Readonly<Record<string, (parts: OperatorParts, request: Asked) => Promise<Answer>>> = {
  leases: list,
  revoke,
  blocks,
  suspend,
  reinstate,
};

/**
 * The operator whom the gateway names, on a route of AWS credentials and on no other. He may do what the route is for:
 * IAM has decided that. Throws Failure `misconfigured` where nobody is named.
 */
export function awsCaller({ routeKey, requestContext }: HttpEvent): AwsCaller | undefined {
  const triggers: readonly Trigger[] = FUNCTIONS.operator.triggers;
  const meant = triggers.find((one) => one.kind === 'http' && `${one.method} ${one.path}` === routeKey);
  if (meant?.kind !== 'http' || meant.iam !== true) return undefined;
  const authorizer: Readonly<Record<string, unknown>> = { ...requestContext.authorizer };
  const { success, data } = IAM.safeParse(authorizer['iam']);
  if (!success) throw new Failure('misconfigured', { reason: 'the route was deployed without AWS_IAM' });
  const [, session] = /:(?:assumed-role\/[^/]+|federated-user)\/([^/]+)$/.exec(data.userArn) ?? [];
  return { arn: data.userArn, ...(session !== undefined && { session }), scopes: ['revoke'] };
}

const revokerOf = (caller: Operator): Revoker =>
  'arn' in caller ? { kind: 'operator', operator: caller } : { kind: 'caller', caller, mayRevokeOthers: true };

/** As `POST /revoketoken` of a caller who may revoke for others, but never the operator's own by saying nothing. */
async function revoke({ revokeTokens, clock }: OperatorParts, request: Asked): Promise<Answer> {
  const { event, caller, deadline, conceal, within } = request;
  const { selection: asked, how } = selectionOf(readBody(event, REVOCATION));
  if (asked.kind === 'mine')
    throw invalid('body', `must have exactly one of ${Object.keys(REVOCATION.shape).join(', ')}`);
  if (asked.kind === 'token') conceal(asked.token);
  const selection = within?.narrowed(asked, how) ?? asked;
  const tally = await revokeTokens(revokerOf(caller), selection, clock.now(), deadline, how);
  return json(tally.pending === 0 ? 200 : 202, tally);
}

/** No access token of them counts until they are reinstated, and what lives ends. */
async function suspend({ revokeTokens, clock }: OperatorParts, request: Asked): Promise<Answer> {
  const { event, caller, deadline, within } = request;
  const { endShared, ...whom } = readBody(event, SUSPENSION);
  const how = { kind: 'suspend', ...(endShared === true && { endShared }) } as const;
  const selection = within?.narrowed(whomOf(whom), how) ?? whomOf(whom);
  const tally = await revokeTokens(revokerOf(caller), selection, clock.now(), deadline, how);
  return json(tally.pending === 0 ? 200 : 202, tally);
}

async function reinstate(parts: OperatorParts, request: Asked): Promise<Answer> {
  const { event, caller, deadline, within } = request;
  const whom = whomOf(readBody(event, REINSTATEMENT));
  const selection = within?.narrowed(whom, { kind: 'suspend' }) ?? whom;
  return json(200, await parts.reinstate(revokerOf(caller), selection, deadline));
}

/** Sign-outs and suspensions in force, one page; those of an org all at once, since a cursor tells of others. */
async function blocks(parts: OperatorParts, { event, deadline, within }: Asked): Promise<Answer> {
  const { cursor } = readFields(z.strictObject({ cursor: PAGE.shape.cursor }), { ...event.queryStringParameters });
  if (within !== undefined && cursor !== undefined) throw invalid('cursor', 'is not ours');
  const found =
    within === undefined ? await parts.listBlocks(cursor, deadline) : await blocksOf(within.orgId, parts, deadline);
  parts.audit.record({ action: 'list', reasons: ['listed blocks'] });
  return json(200, found);
}

async function blocksOf(orgId: number, { listBlocks }: OperatorParts, deadline: number) {
  const blocks: ListedBlock[] = [];
  let cursor: string | undefined;
  do {
    const page = await listBlocks(cursor, deadline);
    blocks.push(...page.blocks.filter(({ scope }) => 'orgId' in scope && scope.orgId === orgId));
    cursor = page.next;
  } while (cursor !== undefined);
  return { blocks };
}

/**
 * Unfinished leases, one page. No token, sealed or not, is in a lease. With `usersUnusedSince` (epoch ms): ThoughtSpot
 * users that the broker made and no longer uses. The audit says who has read what, page by page. An administrator of an org
 * names a user: the cursor of a listing of all tells of others.
 */
async function list(parts: OperatorParts, { event, deadline, within }: Asked): Promise<Answer> {
  const given = Object.entries(event.queryStringParameters ?? {}).map(asNumber);
  const { limit = DEFAULT_LIMIT, cursor, ...asked } = readFields(QUERY, Object.fromEntries(given));
  if (within !== undefined) {
    within.narrowed(
      asked.usersUnusedSince === undefined ? { kind: 'org', orgId: asked.org ?? within.orgId } : { kind: 'all' },
    );
    if (asked.user === undefined) throw invalid('user', 'must be given: an administrator of an org lists one user');
  }
  const filter = within === undefined ? asked : { ...asked, org: within.orgId };
  const found = await page(parts, filter, limit, cursor, deadline);
  const words = Object.entries(filter).map(([name, value]) => (name === 'user' ? 'one user' : `${name} ${value}`));
  // A name that nobody has may be anything, even a token that was pasted in the wrong place.
  const [user] = 'leases' in found ? found.leases.map((lease) => lease.user) : [];
  const named = filter.user !== undefined && user !== undefined ? { user } : {};
  parts.audit.record({ action: 'list', ...named, reasons: [`listed ${words.join(', ') || 'everything'}`] });
  return json(200, found);
}

async function page(
  { listLeases, ledger }: OperatorParts,
  filter: z.infer<typeof FILTER>,
  limit: number,
  cursor: string | undefined,
  deadline: number,
) {
  const { usersUnusedSince, user, org, state, policyVersion, rule } = filter;
  if (usersUnusedSince !== undefined) {
    if ([user, org, state, policyVersion, rule].some((value) => value !== undefined))
      throw invalid('usersUnusedSince', 'lists users, and takes nothing else');
    return ledger.usersUnusedSince(usersUnusedSince, limit, cursor, deadline);
  }
  const wanted: LeaseFilter = {
    ...(user === undefined ? {} : { user }),
    ...(org === undefined ? {} : { orgId: org }),
    ...(state === undefined ? {} : { state }),
    ...(policyVersion === undefined ? {} : { policyVersion }),
    ...(rule === undefined ? {} : { rule }),
  };
  const { leases, next } = await listLeases(wanted, limit, cursor, deadline);
  const shown = leases.map((lease) => ({
    leaseId: lease.leaseId,
    user: lease.user,
    userName: lease.userName,
    orgId: lease.orgId,
    state: lease.state,
    kind: lease.kind,
    grant: lease.grant,
    rule: lease.rule,
    policyVersion: lease.policyVersion,
    caller: lease.caller,
    shared: lease.shared,
    reservedAt: lease.reservedAt,
    issuedAt: lease.issuedAt,
    expiresAt: lease.expiresAt,
    dueAt: lease.dueAt,
    attempts: lease.attempts,
  }));
  return { leases: shown, ...(next === undefined ? {} : { next }) };
}

/** Everything in a query string is text; digits are meant as numbers where a number is wanted. */
function asNumber([name, value]: readonly [string, string | undefined]): readonly [string, unknown] {
  const numeric = name === 'org' || name === 'limit' || name === 'usersUnusedSince';
  return [name, numeric && value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : value];
}
