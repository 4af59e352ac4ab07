import fc from 'fast-check';
import { safePattern } from '../../../functions/policy/pattern.ts';
import { parsePattern } from '../../../functions/policy/pattern-syntax.ts';
import { steps } from '../../support/backtracking.ts';
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
    const pattern = safePattern(source);
    if ('fault' in pattern) throw new Error(pattern.fault);
    expect(pattern.regExp.test(good)).toBe(true);
    for (const text of bad) expect(pattern.regExp.test(text)).toBe(false);
  });

  it.each([
    ['acme$', 'begin with ^'],
    ['^acme', 'end with $'],
    ['^acme\\$', 'end with $'],
    ['acme', 'begin with ^'],
    ['^acme|globex$', 'outside a group'],
    ['^a$|^b$', 'unexpected'],
    ['^a^b$', '^ in its midst'],
    ['^a$b$', 'unexpected'],
    ['^(a)(b)$', 'more than one capturing group'],
    ['^(?:(a)|b)$', 'inside an alternative'],
    ['^(?:(a)b)?$', 'inside an alternative'],
    ['^(a)?$', 'inside an alternative'],
    ['^(?=a)a$', 'group other than'],
    ['^(?<!b)a$', 'group other than'],
    ['^(?<n>a)$', 'group other than'],
    ['^(?i:a)$', 'group other than'],
    ['^(a)\\1$', 'escape \\1'],
    ['^\\bword$', 'escape \\b'],
    ['^\\p{L}$', 'escape \\p'],
    ['^a+?b$', 'lazy'],
    ['^a**$', 'repeats a repetition'],
    ['^*a$', 'nothing before it'],
    ['^a{,3}$', 'no count'],
    ['^a{3,2}$', 'allows nothing'],
    ['^a{0}$', 'allows nothing'],
    ['^[]$', 'nothing in it'],
    ['^[z-a]$', 'not two characters in order'],
    ['^[\\d-z]$', 'not two characters in order'],
    ['^[a$', 'not closed'],
    ['^(a$', 'not closed'],
    ['^a)$', 'unexpected'],
    ['^a\\', 'middle of an escape'],
    ['^[a-z]{1,999}-[a-z]{1,999}$', 'too large'],
    [`^${'a'.repeat(511)}$`, 'longer than'],
  ])('%s is refused: %s', (source, fault) => {
    expect(safePattern(source)).toMatchObject({ fault: expect.stringContaining(fault) as string });
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
    '^(.+)@acme\\.com$',
    '^a?a$'.repeat(1).replace('a?a', 'a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaa'),
  ])('that can backtrack is refused: %s', (source) => {
    expect(safePattern(source)).toMatchObject({
      fault: expect.stringMatching(/backtrack|may be empty|combinations/) as string,
    });
  });

  it('that is accepted takes steps in proportion to the text, counted in a backtracking matcher', () => {
    let accepted = 0;
    fc.assert(
      fc.property(patternSource, fc.array(fc.constantFrom('a', 'b', 'ab', '-'), { maxLength: 60 }), (source, parts) => {
        const pattern = safePattern(source);
        if ('fault' in pattern) return;
        accepted += 1;
        const text = parts.join('');
        for (const tried of [text, `${text}!`, 'a'.repeat(200), `${'a'.repeat(200)}!`, `${'ab'.repeat(100)}!`]) {
          const walk = steps(parsePattern(source), tried, 2_000_000);
          expect(walk.matched).toBe(pattern.regExp.test(tried));
          expect(walk.count).toBeLessThan(16 * 8 * (source.length + 1) * (tried.length + 1));
        }
      }),
      runs(2_000, 100_000),
    );
    expect(accepted).toBeGreaterThan(200);
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
