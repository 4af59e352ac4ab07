/** Faults that tests inject into the local AWS endpoints, in the ways in which AWS fails. */

export interface AwsCall {
  /** As in X-Amz-Target without the service's prefix: `GetSecretValue`, `PutItem`. */
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Which try of the SDK it is: 2 after a lost or late answer. */
  readonly attempt: number;
}

export type Fault =
  /** Answers with an error of AWS's, e.g. `ThrottlingException`; status 400 unless it says otherwise. */
  | { readonly kind: 'error'; readonly type: string; readonly message?: string; readonly status?: number }
  /** Never answers. */
  | { readonly kind: 'hang' }
  /** Answers after `ms`. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** TCP reset: before the call is carried out, or after it (the lost reply). */
  | { readonly kind: 'reset'; readonly when: 'before' | 'after' };

/** Asked at every call; undefined lets it through. */
export type FaultHook = (call: AwsCall) => Fault | undefined;

export class FaultSwitch {
  #hook: FaultHook | undefined;

  /** Faults from now on as `hook` says, until the returned function or `clear` is called. */
  inject(hook: FaultHook): () => void {
    this.#hook = hook;
    return () => {
      if (this.#hook === hook) this.#hook = undefined;
    };
  }

  clear(): void {
    this.#hook = undefined;
  }

  for(call: AwsCall): Fault | undefined {
    return this.#hook?.(call);
  }
}
