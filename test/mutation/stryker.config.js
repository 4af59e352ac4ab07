/** Stryker's settings: the rooms in ROOMS, each changed with the tests of its own. */
const TESTS = {
  broker: ['unit/broker'],
  ledger: ['unit/ledger', 'contract/ledger'],
  http: ['unit/http'],
  policy: ['unit/policy', 'unit/wiring'],
  identity: ['unit/identity', 'unit/wiring'],
};
const rooms = process.env.ROOMS.split(',');

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  testRunner: 'jest',
  coverageAnalysis: 'perTest',
  ignoreStatic: true,
  jest: {
    projectType: 'custom',
    configFile: 'jest.config.js',
    enableFindRelatedTests: false,
    config: {
      reporters: [],
      testSequencer: '<rootDir>/test/mutation/shortest-first.cjs',
      testTimeout: 4000,
      // By examples alone: random ones take seconds for each change.
      testPathIgnorePatterns: ['\\.property\\.test\\.ts$', '/fold\\.test\\.ts$'],
      testMatch: rooms.flatMap((room) => TESTS[room].map((folder) => `<rootDir>/test/${folder}/**/*.test.ts`)),
    },
  },
  mutate: rooms.map((room) => `functions/${room}/**/*.ts`),
  ignorePatterns: ['.cache', 'bench/results', 'cdk.out', 'coverage', 'dist', 'reports'],
  reporters: ['clear-text', 'progress-append-only', 'json', 'html'],
  clearTextReporter: { allowColor: false, allowEmojis: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: 'reports/mutation/mutation.json' },
  htmlReporter: { fileName: 'reports/mutation/mutation.html' },
  tempDirName: 'reports/stryker-tmp',
  checkers: [],
  plugins: ['@stryker-mutator/jest-runner'],
  concurrency: 2,
  timeoutMS: 4000,
  thresholds: { high: 95, low: 90, break: null },
};
