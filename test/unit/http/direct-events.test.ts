import { Failure } from '../../../functions/broker/failure.ts';
import { isHttp } from '../../../functions/http/event-entry.ts';
import { revocationOf } from '../../../functions/http/revocation-events.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { httpEvent } from '../../support/http-event.ts';

const at = (ms: number) => new Date(START + ms).toISOString();
const schedule = (select: unknown, scheduledTime: unknown = at(-1_000)) => ({
  source: 'schedule',
  name: 'nightly',
  scheduledTime,
  select,
});
const read = (event: unknown) => revocationOf(event, makeFakeClock());

describe('events that do not come through the gateway', () => {
  test.each([
    [{ all: true }, { kind: 'all' }, START - 1_000],
    [{ orgId: 2 }, { kind: 'org', orgId: 2 }, START - 1_000],
    [{ userName: 'alice' }, { kind: 'user', userNames: ['alice'] }, START - 1_000],
    [{ olderThanSeconds: 3_600 }, { kind: 'all' }, START - 1_000 - 3_600_000],
    [{ olderThanSeconds: 0 }, { kind: 'all' }, START - 1_000],
    [{ rule: 'guests' }, { kind: 'rule', rule: 'guests' }, START - 1_000],
    [{ policyVersion: 'v1' }, { kind: 'policy', policyVersion: 'v1' }, START - 1_000],
  ])('a schedule selects %j as of its own time', (select, selection, asOf) => {
    const revoker = { kind: 'event', source: 'schedule', name: 'nightly' };
    expect(read(schedule(select))).toEqual({ revoker, selection, asOf, how: {} });
  });

  test('a second delivery reads the same, however late', () => {
    const event = schedule({ all: true });
    expect(revocationOf(event, makeFakeClock(START + 86_400_000))).toEqual(read(event));
  });

  test('an identity provider names users, among the fields that EventBridge adds', () => {
    const event = {
      version: '0',
      id: '1',
      'detail-type': 'user.deprovisioned',
      source: 'idp.example',
      account: '1',
      region: 'eu-central-1',
      resources: [],
      time: at(-5_000),
      detail: { userNames: ['alice', 'bob'] },
    };
    expect(read(event)).toEqual({
      revoker: { kind: 'event', source: 'deprovisioned', name: 'user.deprovisioned' },
      selection: { kind: 'user', userNames: ['alice', 'bob'], subjects: [] },
      how: { kind: 'suspend' },
      asOf: START - 5_000,
    });
    const subject = { issuer: 'https://issuer.example', sub: 'user-1' };
    const more = { ...event, detail: { subjects: [subject] } };
    expect(read(more)).toMatchObject({
      selection: { userNames: [], subjects: [{ issuer: 'https://issuer.example', subject: 'user-1' }] },
    });
  });

  test('a clock that is a little ahead does not stop mints until it is right', () => {
    expect(read(schedule({ all: true }, at(60_000))).asOf).toBe(START);
  });

  test.each<[string, unknown]>([
    ['no object', 'all'],
    ['null', null],
    ['an empty event', {}],
    ['another source', { ...schedule({ all: true }), source: 'aws.events' }],
    ['no selection', schedule({})],
    ['two selections', schedule({ all: true, orgId: 1 })],
    ['all: false', schedule({ all: false })],
    ['an unknown selection', schedule({ org: 1 })],
    ['a selection that is a list', schedule(['all'])],
    ['an org as text', schedule({ orgId: '1' })],
    ['a negative age', schedule({ olderThanSeconds: -1 })],
    ['no time', { source: 'schedule', name: 'n', select: { all: true } }],
    ['a placeholder that was not filled in', schedule({ all: true }, '<aws.scheduler.scheduled-time>')],
    ['a time without zone', schedule({ all: true }, '2026-01-05T09:00:00')],
    ['a month that is none', schedule({ all: true }, '2026-13-05T09:00:00Z')],
    ['a time far ahead', schedule({ all: true }, at(600_000))],
    ['a number for a time', schedule({ all: true }, START)],
    ['a field too many', { ...schedule({ all: true }), dryRun: true }],
    ['no users', { 'detail-type': 'user.deprovisioned', time: at(0), detail: { userNames: [] } }],
    ['users that are one text', { 'detail-type': 'user.deprovisioned', time: at(0), detail: { userNames: 'alice' } }],
    ...['ali\u200bce', 'alice\u00ad', '\ufeffalice', 'al\u2060ice', 'alice\u3164', 'al\u034fice', 'al\u202eice']
      .concat(['alice\u2800', 'al\ufe0fice', 'al\u{e0041}ice', 'alice\u180e', '\ud800alice', 'al\u2028ice'])
      .map((name): [string, unknown] => [
        `a user with an invisible character (${escape(name)})`,
        { 'detail-type': 'user.deprovisioned', time: at(0), detail: { userNames: [name] } },
      ]),
    ['no detail', { 'detail-type': 'user.deprovisioned', time: at(0) }],
  ])('%s is refused', (_name, event) => {
    expect(() => read(event)).toThrow(Failure);
  });

  test.each<[unknown, string[]]>([
    ['all', ['event must be an object']],
    [[], ['event must be an object']],
    [schedule({}), ['select must have exactly one of all, orgId, userName, policyVersion, rule, olderThanSeconds']],
    [
      schedule({ all: true, orgId: 1 }),
      ['select must have exactly one of all, orgId, userName, policyVersion, rule, olderThanSeconds'],
    ],
    [schedule({ all: true, dryRun: true }), ['dryRun is not a known field']],
    [
      { 'detail-type': 'user.deprovisioned', time: at(0), detail: { userNames: ['a'], reason: 'left' } },
      ['reason is not a known field'],
    ],
    [schedule({ all: true }, at(300_001)), ['time is no time, or lies in the future']],
    [schedule({ all: true }, '2026-13-05T09:00:00Z'), ['time is no time, or lies in the future']],
    [
      { 'detail-type': 'other', source: 'operator', select: { all: true } },
      ['detail-type is not a known field', 'source', 'name', 'scheduledTime'],
    ],
    [{ 'detail-type': 'other', source: 'schedule' }, ['detail-type', 'name', 'scheduledTime', 'select']],
    [{ source: 'user.deprovisioned', select: { all: true } }, ['source', 'name', 'scheduledTime']],
    [{ source: 'operator', select: { all: true } }, ['source', 'name', 'scheduledTime']],
    [{ source: 'operator', filter: {} }, ['filter is not a known field', 'source', 'name', 'scheduledTime', 'select']],
    [
      { 'detail-type': 'user.deprovisioned', time: at(0), detail: { userNames: ['a', ''] } },
      ['userNames.1 must not be empty'],
    ],
  ])('of %j the faults are named', (event, faults) => {
    let thrown: unknown;
    try {
      read(event);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(Failure);
    const named = (thrown as Failure).errors.map(({ field, detail }) => `${field} ${detail}`);
    expect(named).toEqual(
      faults.map((fault) => (fault.includes(' ') ? fault : (expect.stringMatching(`^${fault} `) as string))),
    );
  });

  test('a time five minutes ahead is still taken, as now', () => {
    expect(read(schedule({ all: true }, at(300_000))).asOf).toBe(START);
  });

  test('who has left is dated by the sender, also by a clock that is ahead, so that a second delivery reads the same', () => {
    const event = { 'detail-type': 'user.deprovisioned', time: at(200_000), detail: { userNames: ['alice'] } };
    const later = revocationOf(event, makeFakeClock(START + 600_000));
    expect([read(event).asOf, later.asOf]).toEqual([START + 200_000, START + 200_000]);
    expect(() => read({ ...event, time: at(300_001) })).toThrow(Failure);
  });

  test('only the gateway sends a request context', () => {
    expect([httpEvent(), schedule({ all: true }), null, 'x', []].map(isHttp)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
