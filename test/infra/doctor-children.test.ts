/* What the doctor makes of answers of GET session/token that the simulator does not give. */
import { examiner, Finding } from '../../infra/doctor/checklist.ts';
import type { Check } from '../../infra/doctor/checklist.ts';
import { examineChildren, sessionToken } from '../../infra/doctor/children.ts';
import type { Cluster } from '../../infra/doctor/children.ts';

const PARENT = 'the-parent';

async function checksWith(makeToken: Cluster['makeToken']): Promise<readonly Check[]> {
  const checks: Check[] = [];
  const cluster: Cluster = {
    makeToken,
    makeSession: () => Promise.reject(new Finding('refused', 'none')),
    isAlive: () => Promise.resolve(false),
    end: () => Promise.resolve(),
  };
  await examineChildren(examiner('ThoughtSpot', checks), cluster, PARENT, () => Promise.resolve(true));
  return checks;
}
const told = (checks: readonly Check[], wanted: string): string | undefined =>
  checks.find(({ name }) => name === wanted)?.detail;

test.each<[string, Awaited<ReturnType<Cluster['makeToken']>>, string]>([
  ['refuses', 'none', 'none: this cluster refuses'],
  [
    'gives the same token, as in the documents of 9.4',
    { token: PARENT, userName: 'alice', seconds: 60 },
    'the same token, no new one',
  ],
])('a cluster that %s has made nothing', async (_what, child, detail) => {
  const checks = await checksWith(() => Promise.resolve(child));
  expect(told(checks, 'token from the token')).toBe(detail);
  expect(told(checks, 'what outlives the revoked token')).toBe('nothing was made of the token');
});

test('a lost answer does not mean that no token was made', async () => {
  const checks = await checksWith(() =>
    Promise.reject(new Finding('ThoughtSpot did not answer in time', 'Try again.')),
  );
  expect(told(checks, 'token from the token')).toBe(
    'ThoughtSpot did not answer in time; if it made a token all the same, that one lives for 24 hours',
  );
});

test.each<[number, string, unknown]>([
  [404, '<html></html>', 'none'],
  [403, '{"error":{}}', 'none'],
  [200, '{"token":"t","valid_for_username":"alice"}', { token: 't', userName: 'alice', seconds: undefined }],
  [
    200,
    '{"token":"t","creation_time_in_millis":1800000000000,"expiration_time_in_millis":1800086400000}',
    { token: 't', userName: undefined, seconds: 86_400 },
  ],
  [200, '{}', undefined],
  [503, '', undefined],
])('an answer %i %s is read as %j', (status, body, value) => {
  expect(sessionToken(() => ({})).decode({ status, headers: {}, body }).value).toEqual(value);
});
