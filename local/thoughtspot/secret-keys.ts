import { randomUUID } from 'node:crypto';
import type { Cluster } from './cluster.ts';

/** One key for the cluster and at most one per Org, with no overlap when one is replaced (wire facts 3.6). */
export class SecretKeys {
  readonly #byLevel = new Map<number | null, string>();

  constructor(cluster: Cluster) {
    this.#byLevel.set(null, cluster.secretKey);
    for (const org of cluster.orgs) if (org.secretKey !== undefined) this.#byLevel.set(org.id, org.secretKey);
  }

  of(org: number | null): string | undefined {
    return this.#byLevel.get(org);
  }

  /** Which Orgs the key works for: one, or with `null` all. */
  levelOf(key: string): { org: number | null } | undefined {
    for (const [org, known] of this.#byLevel) if (known === key) return { org };
    return undefined;
  }

  /** Replaces a key; the old one is dead at once. */
  rotate(org: number | null): { old: string | undefined; fresh: string } {
    const old = this.#byLevel.get(org);
    const fresh = randomUUID();
    this.#byLevel.set(org, fresh);
    return { old, fresh };
  }

  all(): string[] {
    return [...this.#byLevel.values()];
  }
}
