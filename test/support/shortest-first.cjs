// For mutation testing: a change is noticed soonest by short files of examples, so properties and long files come last.
const { default: Sequencer } = require('@jest/test-sequencer');
const { statSync } = require('node:fs');

const weight = ({ path }) => statSync(path).size + (path.endsWith('.property.test.ts') ? 1e9 : 0);

module.exports = class ShortestFirst extends Sequencer {
  sort(tests) {
    return [...tests].sort((one, other) => weight(one) - weight(other));
  }
};
