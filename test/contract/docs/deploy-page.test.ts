/** `npm run test:deploy` follows docs/deploy.md: each of its commands is run there, or is left out with a reason. */
import { readFileSync } from 'node:fs';
import { COMMANDS, commandsIn, fromPage, NOT_RUN, PAGE } from '../../deploy/page.ts';

const onPage = [...new Set(commandsIn(readFileSync(PAGE, 'utf8')))];

test('every command of the page is one that the drive runs or leaves out, and the drive knows no others', () => {
  expect([...COMMANDS, ...Object.keys(NOT_RUN)].sort()).toEqual([...onPage].sort());
});

test('commands are found in blocks and in text, over several lines and behind variables', () => {
  const text = 'Run `npm run a -- b`, or:\n\n    A=1 B=2 npm run c\n    aws d \\\n      e\n    { "json": 1 }\n';
  expect(commandsIn(text)).toEqual(['A=1 B=2 npm run c', 'aws d e', 'npm run a -- b']);
});

test('a command is taken with values for what the page leaves open, and for nothing else', () => {
  expect(fromPage('npm run deploy -- prod', [['prod', 'prod --yes']])).toBe('npm run deploy -- prod --yes');
  expect(() => fromPage('npm run deploy -- prod', [['<table>', 'x']])).toThrow('has no <table>');
});
