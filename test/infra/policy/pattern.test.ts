import fc from 'fast-check';
import { normalPattern } from '../../../infra/policy/pattern.ts';
import { steps } from '../../support/backtracking.ts';
import { parsePattern } from '../../support/pattern-syntax.ts';
import { runs } from '../../support/policy-documents.ts';

describe('a pattern', () => {
  it.each([
    ['^acme$', 'acme', ['acme2', 'xacme', 'acm', '']],
    ['^[a-z0-9._-]+@acme\\.com$', 'a.b-c_1@acme.com', ['a@acmexcom', '@acme.com', 'a@acme.com\n']],
    ['^(?:acme|acorn)-\\d{2,4}$', 'acorn-123', ['acorn-1', 'ac-123', 'acme-12345']],
    ['^[^@\\s]+$', 'äé-x', ['a@b', 'a b', '']],
    ['^(?:user-)?([a-z]+)$', 'user-alice', ['user-', 'USER-alice']],
    ['^[a-z]+(?:\\.[a-z]+)*$', 'a.b.c', ['a..b', 'a.', '.a']],
    ['^a/b\\[c\\]\\-?$'.replace('\\-', '-'), 'a/b[c]-', ['a/b[c]--']],
    ['^[\\w\\-\\]]{3}$', 'a-]', ['a-', 'a-]]']],
    ['^\\w+(?:,\\w{0,2})?$', 'ab,c', ['ab,cde']],
  ])('%s matches %j and not %j', (source, good, bad) => {
    const normal = normalPattern(source);
    if ('fault' in normal) throw new Error(normal.fault);
    const expression = new RegExp(normal.pattern, 'u');
    expect(expression.test(good)).toBe(true);
    for (const text of bad) expect(expression.test(text)).toBe(false);
  });

  it.each([
    ['acme$', 'begin with ^'],
    ['^acme', 'end with $'],
    ['^acme\\$', 'end with $'],
    ['^acme[$', 'not a regular expression'],
    ['acme', 'begin with ^'],
    ['^acme|globex$', 'outside a group'],
    ['^a$|^b$', 'outside a group'],
    ['^(?:a|b)|c$', 'outside a group'],
    ['^(a)(b)$', 'more than one capturing group'],
    ['^((a))$', 'more than one capturing group'],
    ['^(?=a)a$', 'group other than'],
    ['^(?<!b)a$', 'group other than'],
    ['^(?<n>a)$', 'group other than'],
    ['^(?i:a)$', 'group other than'],
    ['^(a)\\1$', 'back reference'],
    ['^a**$', 'not a regular expression'],
    ['^*a$', 'not a regular expression'],
    ['^a{,3}$', 'not a regular expression'],
    ['^a{3,2}$', 'not a regular expression'],
    ['^[z-a]$', 'not a regular expression'],
    ['^(a$', 'not a regular expression'],
    ['^a)$', 'not a regular expression'],
    ['^a)(?:b$', 'not a regular expression'],
    [`^${'a'.repeat(511)}$`, 'longer than'],
  ])('%s is refused: %s', (source, fault) => {
    expect(normalPattern(source)).toMatchObject({ fault: expect.stringContaining(fault) as string });
  });

  it.each([
    ['a bar in a class is no alternative', '^[a|b]$', '|', 'a|'],
    ['an escaped bracket opens no group', '^\\(a\\)$', '(a)', 'a'],
    ['an escaped backslash is no back reference', '^\\\\1$', '\\1', '1'],
    ['an escape in a class does not end it', '^[\\]|]$', '|', '\\'],
    ['a pattern matches the whole text, whatever stands in it', '^a$b?$', 'a', 'ab'],
  ])('%s', (_, source, good, bad) => {
    const normal = normalPattern(source);
    if ('fault' in normal) throw new Error(normal.fault);
    expect(new RegExp(normal.pattern, 'u').test(good)).toBe(true);
    expect(new RegExp(normal.pattern, 'u').test(bad)).toBe(false);
  });

  it.each([
    '^(?:a+)+$',
    '^(?:a*)*$',
    '^(?:a|a)*$',
    '^(?:a|aa)+$',
    '^(?:a?){30}a{30}$',
    '^(?:[a-z]+)*\\d$',
    '^(?:.*,)*x$',
    '^(?:a|b|ab)*c$',
    '^[a-z]+[a-z]+[a-z]+[a-z]+$',
    '^.*.*.*=.*$',
    '^\\s*[\\s,]*x$',
    '^(?:\\d+\\.?)+$',
    '^(?:[a-z]{1,30}){1,30}$',
    '^([\\w.-]+)@([\\w-]+\\.)+[\\w-]+$'.replace(/\((?!\?)/g, '(?:'),
    '^a?a$'.repeat(1).replace('a?a', 'a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaa'),
  ])('that can backtrack is refused: %s', (source) => {
    expect(normalPattern(source)).toMatchObject({
      fault: expect.stringMatching(/backtrack|too complex/) as string,
    });
  });

  it('that is accepted takes steps in proportion to the text, counted in a backtracking matcher', () => {
    let accepted = 0;
    fc.assert(
      fc.property(patternSource, fc.array(fc.constantFrom('a', 'b', 'ab', '-'), { maxLength: 60 }), (source, parts) => {
        const normal = normalPattern(source);
        if ('fault' in normal) return;
        const expression = new RegExp(normal.pattern, 'u');
        accepted += 1;
        const text = parts.join('');
        for (const tried of [text, `${text}!`, 'a'.repeat(200), `${'a'.repeat(200)}!`, `${'ab'.repeat(100)}!`]) {
          const walk = steps(parsePattern(source), tried, 2_000_000);
          expect(walk.matched).toBe(expression.test(tried));
          expect(walk.count).toBeLessThan(16 * 8 * (source.length + 1) * (tried.length + 1));
        }
      }),
      runs(300, 1_500),
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

const atom = fc.constantFrom('a', 'b', '-', '[ab]', '[^b]', '.', '\\w', 'ab');
const patternSource = fc
  .letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      atom,
      fc.tuple(tie('node'), tie('node')).map((parts) => parts.join('')),
      fc.tuple(tie('node'), tie('node')).map((branches) => `(?:${branches.join('|')})`),
      fc
        .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}'))
        .map(([body, times]) => `(?:${body})${times}`),
    ),
  }))
  .node.map((body) => `^${body}$`);
