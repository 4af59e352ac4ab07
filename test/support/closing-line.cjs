// Prints the last line of a run: how many tests passed and failed.
const { writeSync } = require('node:fs');

module.exports = class ClosingLine {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    // On exit, so that it comes after jest's own summary.
    process.once('exit', () => writeSync(1, `\n${results.numPassedTests} passed, ${failed} failed${tail}\n`));
  }
};
