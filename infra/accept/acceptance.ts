import { setTimeout as sleep } from 'node:timers/promises';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { pathFor } from '../../functions/contract/functions.ts';
import { stackName } from '../deployed-stack.ts';
import { patiently } from '../doctor/attention.ts';
import type { ExaminedCaller } from '../doctor/callers.ts';
import { Finding, needed, Skipped } from '../doctor/checklist.ts';
import type { Examine } from '../doctor/checklist.ts';
import type { Environment } from '../environments/environment.ts';
import { operatorCure, signedFetch } from '../signed-fetch.ts';

export interface Accepted {
  readonly environment: Environment;
  /** Origin of the broker. */
  readonly url: string;
  /** At most one of each issuer, whose ThoughtSpot user is nobody else's, such as the prober's: its tokens are revoked. */
  readonly callers: readonly Pick<ExaminedCaller, 'issuer' | 'jwt'>[];
  /** Whether to send more requests than the API lets through. */
  readonly throttling: boolean;
}

/** How long an event may take to be delivered and worked off, ms. */
const WORKED_OFF_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 500;
const CALL_MS = 30_000;

const minted = z.object({ leaseId: z.string(), userName: z.string() });
const listed = z.object({ leases: z.array(z.object({ leaseId: z.string() })) });
const now = () => new Date().toISOString();

/**
 * What the doctor does not try: everything that reaches the functions of a deployed environment other than by a caller.
 * It touches the tokens of each caller's user only, and leaves that user none.
 */
export async function examineAcceptance(examine: Examine, accepted: Accepted): Promise<void> {
  const { environment, url, callers, throttling } = accepted;
  await examine('an origin that is not allowed may not call', async () => {
    const headers = { origin: 'https://stranger.invalid', 'access-control-request-method': 'POST' };
    const answer = await fetch(`${url}/gettoken`, { method: 'OPTIONS', headers, signal: AbortSignal.timeout(CALL_MS) });
    const allowed = answer.headers.get('access-control-allow-origin');
    if (allowed === null) return ['no origin is allowed', undefined];
    throw new Finding(`the preflight allows ${allowed}`, 'Check allowedOrigins, and deploy.');
  });
  for (const caller of callers) await examineCaller(examine, accepted, caller);
  await examine('the sweep runs', async () => {
    const tally = await invoke(environment, 'sweep', { source: 'schedule', name: 'sweep', scheduledTime: now() });
    if (typeof tally === 'object' && tally !== null && 'due' in tally) return [JSON.stringify(tally), undefined];
    throw new Finding('the sweep did not say what it did', 'See its log.');
  });
  await examine('too many requests are refused', async () => {
    if (!throttling) throw new Skipped('callers would feel it: add --throttling');
    const { ratePerSecond, burst } = environment.throttle;
    // Without an access token, so that none of them costs more than an answer of the gateway.
    const count = burst + 5 * ratePerSecond;
    const answers = await Promise.all(
      Array.from({ length: count }, () => fetch(`${url}/gettoken`, { method: 'POST' })),
    );
    const refused = answers.filter(({ status }) => status === 429).length;
    if (refused > 0) return [`${refused} of ${count}`, undefined];
    throw new Finding(
      `${count} requests at once were all let through`,
      'Check throttle of the environment, and deploy.',
    );
  });
}

/** What operators, schedules and events do to the tokens of one caller. */
async function examineCaller(
  all: Examine,
  accepted: Accepted,
  { issuer, jwt }: Accepted['callers'][number],
): Promise<void> {
  const { environment, url } = accepted;
  const { name, region } = environment;
  const examine: Examine = (check, work) => all(issuer === undefined ? check : `${check} (${issuer})`, work);
  const call = (method: 'GET' | 'POST', path: string) =>
    fetch(`${url}${pathFor(path, issuer)}`, {
      method,
      headers: { authorization: `Bearer ${needed(jwt, 'BROKER_JWT')}` },
      signal: AbortSignal.timeout(CALL_MS),
    });
  const mint = async () => {
    const answer = await patiently(() => call('POST', '/gettoken'));
    const body: unknown = await answer.json().catch(() => undefined);
    const result = minted.safeParse(body);
    if (answer.status === 200 && result.success) return result.data;
    throw new Finding(`gettoken answered ${answer.status}`, 'Repair what the doctor finds first: npm run doctor.');
  };
  /** Resolves with how long it took until the caller had no live token any more, in words. */
  const untilRevoked = async () => {
    const started = performance.now();
    while (performance.now() - started < WORKED_OFF_WITHIN_MS) {
      if ((await call('GET', '/sessioninfo')).status === 404)
        return `after ${Math.round(performance.now() - started)} ms`;
      await sleep(LOOK_EVERY_MS);
    }
    throw new Finding(
      `the token is live ${WORKED_OFF_WITHIN_MS / 1000} s later`,
      'See the log of revoketoken, and docs/runbook.md: Revocations from outside.',
    );
  };
  const operate = (method: 'GET' | 'POST', path: string, body?: object) => signedAsk(accepted, method, path, body);

  const lease = await examine('a live token is served again', async () => {
    const [first, second] = [await mint(), await mint()];
    if (first.leaseId === second.leaseId) return [`lease of ${first.userName}`, second];
    throw new Finding('two requests made two tokens', 'Check `reuse` of the policy, and the ledger: npm run leases.');
  });
  await examine('an operator sees the lease', async () => {
    const { leaseId, userName } = needed(lease, 'a live token is served again');
    const { leases } = listed.parse(await operate('GET', `leases?user=${encodeURIComponent(userName)}`));
    if (leases.some((one) => one.leaseId === leaseId)) return [`${leases.length} of ${userName}`, undefined];
    throw new Finding(`${userName} has a token that is not listed`, 'See the log of operator.');
  });
  await examine('an operator revokes', async () => {
    const { userName } = needed(lease, 'a live token is served again');
    // Who revokes without that signs the caller out too, and the access token would count no more.
    await operate('POST', 'leases/revoke', { userName, keepSignIn: true });
    return [await untilRevoked(), undefined];
  });
  await examine('a scheduled revocation revokes', async () => {
    const { userName } = await mint();
    const event = { source: 'schedule', name: 'acceptance', scheduledTime: now(), select: { userName } };
    await invoke(environment, 'revoketoken', event);
    return [await untilRevoked(), undefined];
  });
  /** Whatever comes of it, the user is let in again. */
  const suspending = async (suspend: (userName: string) => Promise<unknown>): Promise<string> => {
    const { userName } = await mint();
    try {
      await suspend(userName);
      const started = performance.now();
      for (let status = 0; status !== 403; status = (await call('POST', '/gettoken')).status) {
        if (performance.now() - started > WORKED_OFF_WITHIN_MS)
          throw new Finding(
            `a suspended caller is still served (${status})`,
            'See docs/runbook.md: Somebody has left.',
          );
        if (status !== 0) await sleep(LOOK_EVERY_MS);
      }
    } finally {
      await operate('POST', 'reinstate', { userName });
    }
    await mint();
    return 'refused, and served again once reinstated';
  };
  await examine('an operator suspends and reinstates', async () => [
    await suspending((userName) => operate('POST', 'suspend', { userName })),
    undefined,
  ]);
  await examine('user.deprovisioned suspends', async () => {
    const { deprovisionedEvents } = environment;
    if (deprovisionedEvents === undefined) throw new Skipped(`${name} has no deprovisionedEvents`);
    // An event is dated by whole seconds, and does nothing if it is not later than the last reinstatement.
    await sleep(1_000);
    const client = new EventBridgeClient({ region, maxAttempts: 2 });
    const { source: Source, eventBusName: EventBusName } = deprovisionedEvents;
    const report = await suspending(async (userName) => {
      const Detail = JSON.stringify({ userNames: [userName] });
      const entry = { Source, DetailType: 'user.deprovisioned', Detail, ...(EventBusName && { EventBusName }) };
      const { FailedEntryCount = 0 } = await client.send(new PutEventsCommand({ Entries: [entry] }));
      if (FailedEntryCount > 0) throw new Finding('EventBridge did not take the event', 'You need events:PutEvents.');
    }).finally(() => client.destroy());
    return [report, undefined];
  });
}

/** Invokes a function by its alias, as a schedule does. */
async function invoke(environment: Environment, name: string, event: object): Promise<unknown> {
  const client = new LambdaClient({ region: environment.region, maxAttempts: 2 });
  const FunctionName = `${stackName(environment.name)}-${name}`;
  const command = new InvokeCommand({ FunctionName, Qualifier: 'live', Payload: JSON.stringify(event) });
  try {
    const { FunctionError, Payload } = await client.send(command);
    const text = new TextDecoder().decode(Payload ?? new Uint8Array());
    if (FunctionError === undefined) return JSON.parse(text) as unknown;
    throw new Finding(`${FunctionName} failed: ${text}`, 'Its log says why.');
  } catch (error) {
    if (error instanceof Finding) throw error;
    const reason = error instanceof Error ? error.name : 'unknown';
    throw new Finding(
      `${FunctionName} cannot be invoked (${reason})`,
      'You need lambda:InvokeFunction on its alias live.',
    );
  } finally {
    client.destroy();
  }
}

/** As an operator, with the AWS credentials of this process. */
async function signedAsk(
  { environment: { region }, url }: Accepted,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  const answer = await signedFetch({
    url: new URL(`${url}/operator/${path}`),
    method,
    region,
    signal: AbortSignal.timeout(CALL_MS),
    ...(body && { body: JSON.stringify(body) }),
  });
  if (answer.ok) return answer.json();
  throw new Finding(
    `/operator/${path.split('?')[0]} answered ${answer.status}`,
    answer.status === 403 ? operatorCure() : 'See the log of operator.',
  );
}
