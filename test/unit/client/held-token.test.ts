import { parseToken } from '../../../client/held-token.ts';

const NOW = 1_764_000_000_000;
const answer = {
  token: 'text',
  leaseId: 'lease',
  userName: 'alice',
  orgId: 1,
  expiresAt: NOW + 600_000,
  refreshAfter: NOW + 300_000,
  servedAt: NOW,
};

beforeEach(() => jest.useFakeTimers({ now: NOW + 3_600_000 }));
afterEach(() => jest.useRealTimers());

test("times are moved from the broker's clock to the browser's, which is an hour ahead here", () => {
  expect(parseToken(answer)).toMatchObject({ expiresAt: NOW + 4_200_000, refreshAfter: NOW + 3_900_000 });
});

test('a broker that does not tell its clock is taken at its word', () => {
  const { servedAt: _, ...older } = answer;
  expect(parseToken(older)).toMatchObject({ expiresAt: NOW + 600_000, refreshAfter: NOW + 300_000 });
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['a text', 'token'],
  ['an empty token', { ...answer, token: '' }],
  ...Object.keys(answer)
    .filter((name) => name !== 'servedAt')
    .map((name): [string, unknown] => [`a ${name} of another type`, { ...answer, [name]: [] }]),
])('%s is no token', (_name, body) => {
  expect(() => parseToken(body)).toThrow('invalid-answer');
});
