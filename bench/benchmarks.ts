import type { Benchmark } from './benchmark.ts';
import { coldStartBenchmark } from './cold-start.ts';
import { memoryBenchmark } from './memory.ts';
import { policyBenchmark } from './policy.ts';
import { warmPathBenchmark } from './warm-path.ts';

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [
  coldStartBenchmark,
  warmPathBenchmark,
  policyBenchmark,
  memoryBenchmark,
];
