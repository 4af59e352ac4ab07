// For mutation testing: a change is noticed soonest by files that look at every field, then by short files of examples;
// files that take seconds come last.
const { default: Sequencer } = require('@jest/test-sequencer');
const { statSync } = require('node:fs');

const LAST = [/\.property\.test\.ts$/, /\/fold\.test\.ts$/, /\/fingerprint\.test\.ts$/, /\/sweep\.test\.ts$/];

function weight({ path }) {
  if (path.endsWith('-records.test.ts')) return 0;
  return statSync(path).size + (LAST.some((pattern) => pattern.test(path)) ? 1e9 : 0);
}

module.exports = class ShortestFirst extends Sequencer {
  sort(tests) {
    return [...tests].sort((one, other) => weight(one) - weight(other));
  }
};
