import { lineSplitter, OutputLog } from '../../../local/lambda/output.ts';

it('cuts chunks into lines wherever they are cut, and keeps a last line without an end', () => {
  const lines: string[] = [];
  const split = lineSplitter((line) => lines.push(line));
  for (const chunk of ['a', 'b\nc', '\n', '\nd\ne', undefined]) split(chunk);
  expect(lines).toEqual(['ab', 'c', '', 'd', 'e']);
});

it('keeps the newest lines up to its limit', () => {
  const output = new OutputLog(2);
  for (const text of ['1', '2', '3']) output.append('f', 'stdout', text);
  expect(output.text()).toBe('2\n3');
});

it('tells listeners until they stop, and waits for a line past or to come', async () => {
  const output = new OutputLog();
  const heard: string[] = [];
  const stop = output.listen(({ text }) => heard.push(text));
  output.append('f', 'stdout', 'one');
  stop();
  const two = output.waitFor(({ text }) => text === 'two');
  output.append('f', 'stderr', 'two');
  expect(heard).toEqual(['one']);
  expect(await two).toMatchObject({ stream: 'stderr' });
  expect(await output.waitFor(({ text }) => text === 'one')).toMatchObject({ source: 'f' });
});
