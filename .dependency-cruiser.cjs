// Who may import whom. The table in docs/architecture.md is this file in words;
// test/architecture/import-rules.test.ts plants one violation per rule and sees it caught.
const OURS = '^(functions|infra|local|client|bench|test)/';
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: OURS, pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('contract-imports-nothing', '^functions/contract/', ['^functions/contract/']),
    {
      name: 'contract-has-no-packages',
      severity: 'error',
      from: { path: '^functions/contract/' },
      to: { pathNot: '^functions/contract/' },
    },
    only('broker-is-pure', '^functions/broker/', ['^functions/(broker|contract)/']),
    {
      name: 'broker-has-no-packages',
      severity: 'error',
      from: { path: '^functions/broker/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'core', 'npm-no-pkg', 'npm-unknown'] },
    },
    only('policy-implements-the-brokers-port', '^functions/policy/', [
      '^functions/(policy|contract)/',
      '^functions/broker/(ports|mint-counts|lease|failure)\\.ts$',
    ]),
    {
      name: 'policy-has-no-packages',
      severity: 'error',
      from: { path: '^functions/policy/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'core', 'npm-no-pkg', 'npm-unknown'] },
    },
    only('adapters-know-ports-only', '^functions/(thoughtspot|secrets|ledger|identity)/', [
      '^functions/$1/',
      '^functions/broker/(ports|blocks|mint-counts|lease|failure)\\.ts$',
      '^functions/(contract|telemetry)/',
    ]),
    only('http-is-translation', '^functions/http/', [
      '^functions/(http|contract|telemetry)/',
      '^functions/broker/(ports|use-cases|failure)\\.ts$',
    ]),
    only('probe-stays-outside', '^functions/probe/', [
      '^functions/(probe|contract)/',
      '^functions/broker/(ports|failure)\\.ts$',
    ]),
    only('telemetry-is-a-leaf', '^functions/telemetry/', ['^functions/(telemetry|contract)/']),
    only('wiring-builds-rooms-not-entries', '^functions/wiring/', ['^functions/[^/]+/']),
    // An entry is a recipe: it puts parts together, makes its use case of them and gives it a route or an event.
    only('entries-only-wire', '^functions/[^/]+\\.ts$', [
      '^functions/(http|wiring|telemetry|contract|probe)/',
      '^functions/broker/(get-token|revoke|admission|administrators|service-session|session-info|list-leases|sweep)\\.ts$',
    ]),
    {
      name: 'only-wiring-builds-adapters',
      severity: 'error',
      from: { path: '^functions/', pathNot: '^functions/(wiring|thoughtspot|secrets|ledger|identity)/' },
      to: { path: '^functions/(thoughtspot|secrets|ledger|identity)/' },
    },
    {
      name: 'nobody-imports-entries',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^functions/[^/]+\\.ts$' },
    },
    {
      name: 'infra-shares-names-not-code',
      severity: 'error',
      from: { path: '^infra/', pathNot: '^infra/(doctor|policy)/' },
      // What the functions read is refused at synth by their own readers.
      to: {
        path: OURS,
        pathNot: [
          '^infra/',
          '^functions/(contract|policy)/',
          '^functions/wiring/config\\.ts$',
          '^functions/http/revocation-events\\.ts$',
          '^functions/broker/failure\\.ts$',
          // One way to read arguments, and to say what is wrong with them.
          '^local/command\\.ts$',
        ],
      },
    },
    only('authors-judge-with-the-functions-own-decision', '^infra/policy/', [
      '^infra/policy/',
      '^functions/(contract|policy)/',
      '^functions/broker/(ports|mint-counts|lease|failure)\\.ts$',
    ]),
    // docs/adr/0007: the doctor sends what the broker sends, by the seed's SessionController where that has a place for
    // it, and reads a secret as the broker does. No function runs SessionController.
    {
      name: 'no-function-runs-the-session-controller',
      severity: 'error',
      from: { pathNot: '^(infra/doctor|test)/' },
      to: { path: '^functions/thoughtspot/session-controller\\.ts$' },
    },
    only('doctor-uses-the-brokers-own-client', '^infra/doctor/', [
      '^infra/',
      // One way to say how far a command is.
      '^local/progress\\.ts$',
      '^functions/(contract|policy|thoughtspot)/',
      '^functions/secrets/credential\\.ts$',
      // What is a key that counts.
      '^functions/identity/key-set\\.ts$',
      '^functions/broker/(ports|failure)\\.ts$',
    ]),
    only('local-uses-the-front-door', '^local/', [
      '^local/',
      '^client/',
      '^infra/policy/',
      '^functions/contract/',
      // One bundler: what runs in the sandboxes is what the stack deploys.
      '^infra/bundles\\.ts$',
      // One name and one region for an environment, whichever command asks.
      '^infra/deployed-stack\\.ts$',
      // One way to sign for an operator's route.
      '^infra/signed-fetch\\.ts$',
      // One calendar: schedules run here when they run in AWS.
      '^infra/(environment-list|schedule-expression|schedule-runs)\\.ts$',
    ]),
    only('simulator-is-an-independent-oracle', '^local/thoughtspot/', ['^local/thoughtspot/']),
    only('client-stands-alone', '^client/', ['^client/']),
    // The bindings get React from the page; the build is no part of the package.
    {
      name: 'client-has-no-packages',
      severity: 'error',
      from: { path: '^client/', pathNot: '^client/build\\.ts$' },
      to: { pathNot: ['^client/', '^node_modules/@types/react/', '^node_modules/react/'] },
    },
    {
      name: 'only-the-bindings-know-react',
      severity: 'error',
      from: { path: '^client/', pathNot: '^client/react\\.tsx$' },
      to: { path: 'node_modules/(@types/)?react/' },
    },
    {
      name: 'aws-sdk-stays-in-its-room',
      severity: 'error',
      from: { path: '^functions/', pathNot: '^functions/(secrets|ledger|wiring)/' },
      to: { path: '@aws-sdk/|@smithy/' },
    },
    {
      name: 'cdk-stays-in-infra',
      severity: 'error',
      from: { pathNot: '^(infra|test/(infra|support|deploy))/' },
      to: { path: 'node_modules/(aws-cdk-lib|constructs|cdk-nag)/' },
    },
    { name: 'nothing-ships-test-code', severity: 'error', from: { pathNot: '^(test|bench)/' }, to: { path: '^test/' } },
    {
      name: 'tests-do-not-import-tests',
      severity: 'error',
      from: { path: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$' },
    },
    {
      name: 'no-dev-packages-at-runtime',
      severity: 'error',
      from: { path: '^functions/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|cdk\\.out|\\.cache)/' },
  },
};
