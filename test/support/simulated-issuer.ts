/**
 * ThoughtSpot as the domain sees it, in one process and on a test's clock: the product's own encoding and decoding, and the
 * endpoints of the simulated cluster between them. The test decides what becomes of each mint.
 */
import { Failure } from '../../functions/broker/failure.ts';
import type { Clock, Grant, MintOutcome, SessionIssuer } from '../../functions/broker/ports.ts';
import { auth20 } from '../../functions/thoughtspot/dialects/auth-2-0.ts';
import { type Operation, outcomeOf } from '../../functions/thoughtspot/dialects/dialect.ts';
import type { Endpoint } from '../../local/thoughtspot/call.ts';
import { MINT_ENDPOINTS } from '../../local/thoughtspot/endpoints/mint.ts';
import { REVOKE_ENDPOINT } from '../../local/thoughtspot/endpoints/revoke.ts';
import { SESSION_ENDPOINTS } from '../../local/thoughtspot/endpoints/session.ts';
import { answerOf } from '../../local/thoughtspot/exchange.ts';
import type { RunningCluster } from '../../local/thoughtspot/running-cluster.ts';

/**
 * `lost`: carried out, and the reply is lost. `late`: the same, after our time-out. `never`: nothing was carried out, and
 * nobody knows. `refused`: ThoughtSpot says no.
 */
export type Fate = 'answered' | 'lost' | 'late' | 'never' | 'refused';

export interface SimulatedIssuerOptions {
  readonly cluster: RunningCluster;
  readonly clock: Clock;
  readonly fateOf: (grant: Grant) => { readonly fate: Fate; readonly takesMs: number };
  /** Called when the cluster has carried out a mint, with the token. */
  readonly onMint: (grant: Grant, token: string) => void;
}

const ENDPOINTS: readonly Endpoint[] = [...MINT_ENDPOINTS, REVOKE_ENDPOINT, ...SESSION_ENDPOINTS];

export function makeSimulatedIssuer({ cluster, clock, fateOf, onMint }: SimulatedIssuerOptions): SessionIssuer {
  function exchange<Input, Value>(operation: Operation<Input, Value>, input: Input) {
    const { method, path, headers, body = '' } = operation.encode(input);
    const endpoint = ENDPOINTS.find((one) => one.method === method && one.path === path);
    if (!endpoint) throw new Error(`The simulator has no ${method} ${path}.`);
    const call = { method, path, query: new URLSearchParams(), headers: { ...headers }, body: Buffer.from(body) };
    const answer = answerOf(endpoint, cluster.switches.errorShape, () => endpoint.answer(cluster, call));
    answer.pending?.end();
    const text = answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json));
    const reply = { status: answer.status, headers: { 'content-type': 'application/json' }, body: text };
    return outcomeOf('auth-2.0', operation, input, { kind: 'reply', reply }, clock.now());
  }

  function carryOut(grant: Grant): MintOutcome {
    const outcome = exchange(auth20.gettoken, { ...grant, proof: { secretKey: cluster.data.secretKey } });
    if (!outcome.ok) return { outcome: outcome.certain ? 'not-minted' : 'unknown', failure: outcome.failure };
    onMint(grant, outcome.value.token);
    return { outcome: 'minted', minted: outcome.value };
  }

  const unknown = (): MintOutcome => ({ outcome: 'unknown', failure: new Failure('upstream-timeout') });
  return {
    async mint(grant, deadline) {
      const { fate, takesMs } = fateOf(grant);
      if (fate === 'refused' || clock.now() >= deadline)
        return { outcome: 'not-minted', failure: new Failure('upstream-refused') };
      if (fate === 'late') void clock.sleep(deadline - clock.now() + takesMs).then(() => carryOut(grant));
      await clock.sleep(Math.min(takesMs, deadline - clock.now()));
      if (fate === 'late' || fate === 'never') return unknown();
      const outcome = carryOut(grant);
      return fate === 'lost' ? unknown() : outcome;
    },

    async revoke(token, user) {
      const outcome = exchange(auth20.revoketoken, { bearer: token, userName: user });
      if (!outcome.ok) return { outcome: 'retry', failure: outcome.failure };
      return { outcome: outcome.value === 'not-accepted' ? 'not-accepted' : 'dead' };
    },

    async sessionInfo(token) {
      const outcome = exchange(auth20.sessionInfo, { bearer: token });
      if (!outcome.ok) throw outcome.failure;
      return outcome.value === 'not-accepted' ? undefined : outcome.value;
    },
  };
}
