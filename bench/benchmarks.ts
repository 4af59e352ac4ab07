import type { Benchmark } from './benchmark.ts';
import { coldStartBenchmark } from './cold-start.ts';
import { costBenchmark } from './cost.ts';
import { growthBenchmark } from './growth.ts';
import { logoutBenchmark } from './logout.ts';
import { memoryBenchmark } from './memory.ts';
import { policyBenchmark } from './policy.ts';
import { reloadStormBenchmark } from './reload-storm.ts';
import { sharedAccountBenchmark } from './shared-account.ts';
import { signInStormBenchmark } from './sign-in-storm.ts';
import { sweepBenchmark } from './sweep.ts';
import { sweepUnopenableBenchmark } from './sweep-unopenable.ts';
import { twoTenantsBenchmark } from './two-tenants.ts';
import { verificationBenchmark } from './verification.ts';
import { warmPathBenchmark } from './warm-path.ts';

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [
  coldStartBenchmark,
  verificationBenchmark,
  warmPathBenchmark,
  reloadStormBenchmark,
  twoTenantsBenchmark,
  signInStormBenchmark,
  logoutBenchmark,
  sweepBenchmark,
  sweepUnopenableBenchmark,
  growthBenchmark,
  sharedAccountBenchmark,
  policyBenchmark,
  memoryBenchmark,
  costBenchmark,
];
