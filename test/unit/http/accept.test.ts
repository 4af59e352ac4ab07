import { prefersText } from '../../../functions/http/accept.ts';

describe('the Accept header', () => {
  test.each([
    [undefined, false],
    ['', false],
    ['*/*', false],
    ['application/json', false],
    ['text/plain', true],
    ['TEXT/Plain', true],
    ['text/plain; charset=utf-8', true],
    ['text/*', true],
    ['text/plain, */*', true],
    ['*/*, text/plain', true],
    ['application/json, text/plain, */*', false],
    ['text/plain, application/json', false],
    ['text/plain;q=0.9, application/json', false],
    ['text/plain, application/json;q=0.9', true],
    ['text/plain ; q=0.5 , application/json;q=0.4', true],
    ['text/plain;q=0, */*', false],
    ['text/plain;q=0', false],
    ['application/json;q=0, */*', true],
    ['text/*;q=0.3, text/plain;q=0.2, application/json;q=0.25', false],
    ['text/html, image/png', false],
    ['text/plain;q=banana', false],
    ['text/plain;q=2, application/json;q=0.1', false],
    ['text/plain;q=-1', false],
    [',,;;', false],
    ['text/plainish', false],
  ])('%p asks for the bare token: %p', (accept, expected) => {
    expect(prefersText(accept)).toBe(expected);
  });
});
