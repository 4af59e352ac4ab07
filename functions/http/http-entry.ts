import { createHash } from 'node:crypto';
import type { APIGatewayProxyEventV2WithJWTAuthorizer, Context } from 'aws-lambda';
import { Failure, OTHERS_LEASE } from '../broker/failure.ts';
import type { AwsCaller, Caller, Clock } from '../broker/ports.ts';
import { FUNCTIONS, type FunctionName, type Scope, type Trigger } from '../contract/functions.ts';
import type { ProblemCode } from '../contract/problems.ts';
import { isObject } from '../contract/shapes.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { problem, type Answer } from './answer.ts';

/** Time that a function reserves, so that it answers before Lambda ends it, ms. */
const SAFETY_MARGIN_MS = 750;

export type HttpEvent = APIGatewayProxyEventV2WithJWTAuthorizer;

export interface HttpRequest<Who = Caller> {
  readonly event: HttpEvent;
  readonly caller: Who;
  /** Epoch ms. */
  readonly deadline: number;
  /** Keeps a secret that came with the request out of every line. */
  readonly conceal: (secret: string) => void;
}

/** A use case behind a route. `scopes`: a caller must hold one of them. */
export interface Route<Who = Caller> {
  readonly scopes: readonly Scope[];
  answer(request: HttpRequest<Who>): Promise<Answer>;
}

/** What a function serves, and to whom. */
export interface Served<Who = Caller> {
  readonly route: Route<Who>;
  /**
   * Who calls, by a token that it verifies; `issuer` is the name in the path, undefined for routes at the root. Throws
   * Failure, as `invalid-token` or `issuer-unavailable`.
   */
  readonly identify: (token: string, issuer: string | undefined) => Promise<Who>;
  /** Who calls where the gateway has verified AWS credentials; undefined on other routes. Throws Failure. */
  readonly awsCaller?: (event: HttpEvent) => Who | undefined;
}

export interface Edge {
  readonly name: FunctionName;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

export type HttpHandler = (event: HttpEvent, context: Context) => Promise<Answer>;

/** A Lambda handler for an HTTP route, for whoever the gateway and `identify` know. */
export function httpEntry<Who extends Caller | AwsCaller>(edge: Edge, ready: () => Promise<Served<Who>>): HttpHandler {
  const { telemetry, clock } = edge;
  return answering(edge, problem, async (event, context, identified) => {
    const token = tokenOf(event);
    concealJwt(telemetry, token);
    const { route, identify, awsCaller } = await ready();
    requireAuthorizer(event);
    const caller = awsCaller?.(event) ?? (await identify(token, issuerOf(event)));
    identified(caller);
    requireScope(route.scopes, caller, event);
    return route.answer({ event, caller, deadline: deadlineOf(clock, context), conceal: telemetry.conceal });
  });
}

/** A part of a token is a secret too. */
export function concealJwt({ conceal }: Telemetry, token: string): void {
  for (const part of [token, ...token.split('.')]) conceal(part);
}

/**
 * The one catch: whatever fails, also the start of the sandbox, becomes the answer that `refusal` makes of it. The handler
 * never throws: only where Lambda itself fails does the gateway answer in our place.
 */
export function answering(
  edge: Edge,
  refusal: (failure: Failure, correlationId: string) => Answer,
  serve: (event: HttpEvent, context: Context, identified: (who: Caller | AwsCaller) => void) => Promise<Answer>,
): HttpHandler {
  const { telemetry, clock } = edge;
  return async (event, context) => {
    const startedAt = clock.now();
    // The gateway's id of the request, never one of the caller's. Somebody with AWS credentials can send anything, null
    // too; the answer to it is a problem like any other.
    const correlationId = event?.requestContext?.requestId ?? context.awsRequestId;
    telemetry.begin(correlationId);
    let caller: Caller | AwsCaller | undefined;
    let code: string | undefined;
    let answer: Answer;
    try {
      answer = await serve(event, context, (who) => {
        caller = who;
        telemetry.identified(actorOf(who));
      });
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure('internal-error', { cause: error });
      code = failure.code;
      answer = refusal(failure, correlationId);
      report(edge, failure);
      if (isDenied(failure)) telemetry.audit.record({ action: 'deny', code, reasons: [failure.reason] });
    }
    telemetry.end('request', {
      method: event?.requestContext?.http?.method,
      route: routeOf(edge.name, event),
      status: answer.statusCode,
      ...(code === undefined ? {} : { code }),
      durationMs: clock.now() - startedAt,
      ...(caller === undefined ? {} : { caller: digestOf(caller) }),
    });
    return { ...answer, headers: { ...answer.headers, 'x-correlation-id': correlationId } };
  };
}

/** Epoch ms at which work for this invocation must have ended. */
export function deadlineOf(clock: Clock, context: Context): number {
  return clock.now() + Math.max(0, context.getRemainingTimeInMillis() - SAFETY_MARGIN_MS);
}

/** The gateway checks scopes too, but a route that was deployed without them must not give out tokens. */
function requireScope(wanted: readonly Scope[], { scopes }: Caller | AwsCaller, { routeKey }: HttpEvent): void {
  if (!wanted.some((scope) => scopes.includes(scope)))
    throw new Failure('insufficient-scope', { reason: `${routeKey} needs the scope "${wanted.join('" or "')}"` });
}

/** Somebody asked for what is for operators, or for another's lease. Denials of the policy have lines of their own. */
function isDenied({ code, reason }: Failure): boolean {
  return code === 'insufficient-scope' || reason === OTHERS_LEASE;
}

/** Who asked, for the audit. */
function actorOf(who: Caller | AwsCaller): object {
  if ('arn' in who) return { arn: who.arn, session: who.session };
  const { issuer, subject, claims } = who;
  const { jti, azp, exp } = claims;
  return { issuer, subject, jti, clientId: claims['client_id'] ?? azp, exp };
}

/** The caller's token; empty if there is none. `Bearer` is optional, as it is for the gateway. */
function tokenOf(event: HttpEvent): string {
  return (event.headers?.['authorization'] ?? '').replace(/^bearer\s+/i, '');
}

/** The gateway is the outer gate. Its copy of the claims is flattened to text and never used, but it must be there. */
function requireAuthorizer(event: HttpEvent): void {
  const authorizer: Readonly<Record<string, unknown>> = { ...event.requestContext?.authorizer };
  if (!isObject(event.requestContext?.authorizer?.jwt?.claims) && !isObject(authorizer['iam']))
    throw new Failure('misconfigured', { reason: 'the route was deployed without its authorizer' });
}

/**
 * `partner` of `POST /i/partner/gettoken`, by the gateway's own name of the route: a path can be spelled in many ways. A
 * name that no issuer has is refused.
 */
export function issuerOf({ routeKey }: HttpEvent): string | undefined {
  const [, first, issuer = ''] = String(routeKey).split('/');
  return first === 'i' ? issuer : undefined;
}

/**
 * Why, for operators: an error where it alarms or has a cause, else a warning where it has a reason, as every denial of
 * the policy has. A refusal without a reason, such as a malformed request, is in the line of its request only.
 */
function report({ telemetry }: Edge, failure: Failure): void {
  const fields = { code: failure.code, reason: failure.reason };
  const signal = signalOf(failure.code);
  if (signal !== undefined) telemetry.signals.emit(signal);
  if ((signal !== undefined && signal !== 'not-set-up') || failure.cause !== undefined)
    telemetry.log.error('request failed', { ...fields, error: failure });
  else if (failure.reason !== undefined) telemetry.log.warn('request refused', fields);
}

/** Failures of the broker itself, which are signals too; other signals are emitted where their failures are detected. */
const OWN_FAILURES = ['misconfigured', 'internal-error', 'not-set-up', 'key-unavailable'] as const;

export function signalOf(code: ProblemCode): (typeof OWN_FAILURES)[number] | undefined {
  return OWN_FAILURES.find((own) => own === code);
}

function routeOf(name: FunctionName, event: HttpEvent): string | undefined {
  const triggers: readonly Trigger[] = FUNCTIONS[name].triggers;
  const routes = triggers.flatMap((trigger) => (trigger.kind === 'schedule' ? [] : trigger));
  return (routes.find(({ method, path }) => event?.routeKey === `${method} ${path}`) ?? routes[0])?.path;
}

/** Keeps callers apart in the log without naming them. */
function digestOf(who: Caller | AwsCaller): string {
  const name = 'arn' in who ? who.arn : `${who.issuer}\n${who.subject}`;
  return createHash('sha256').update(name).digest('base64url').slice(0, 16);
}
