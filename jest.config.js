/** @type {import('jest').Config} */
export default {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '\\.[cm]?[jt]s$': '<rootDir>/test/support/transform.cjs' },
  // ESM-only packages have to be transformed too: jest loads tests as CommonJS.
  transformIgnorePatterns: ['/node_modules/(?!(jose|oauth2-mock-server|@sparticuz|is-plain-obj|@actions)/)'],
  // GitHub's parser of workflows names itself for `import` alone.
  moduleNameMapper: {
    '^@actions/([a-z-]+)$': '<rootDir>/node_modules/@actions/$1/dist/index.js',
    '^@actions/([a-z-]+)/(.+)$': '<rootDir>/node_modules/@actions/$1/dist/$2.js',
  },
  reporters: ['default', '<rootDir>/test/support/closing-line.cjs'],
  testTimeout: 180_000,
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB',
};
