/**
 * An hour on call, by everybody's clocks: ordinary traffic with ordinary mistakes, minute by minute, and who is told what.
 * The bundles run warm through the hour; alarms are those of production.
 */
import type { Heard } from '../../support/cloudwatch.ts';
import { crowd } from '../../support/crowd.ts';
import { lasting, startWatchedBroker, type WatchedBroker } from '../../support/watched-broker.ts';

const MINUTE_MS = 60_000;
const { names, users, cluster } = crowd(50);
let world: WatchedBroker;

beforeAll(async () => {
  world = await startWatchedBroker({ users, simulator: { cluster } });
  // What has run for long, runs: no alarm tells of the first minute of an environment.
  await night(2, () => false);
}, 120_000);
afterAll(() => world.close());

/** What front ends send in a minute: most are served again, some anew, a few make mistakes. */
async function ordinaryMinute(minute: number): Promise<void> {
  const { seen, broker } = world;
  const ask = async (user: string, body?: object) => {
    const authorization = `Bearer ${await broker.issuer.accessToken(user, lasting())}`;
    await seen.ask(user, '/gettoken', { authorization, ...(body && { body }) });
  };
  for (let at = 0; at < 7; at += 1) await ask(names[(minute * 3 + at) % 40] ?? '');
  await seen.ask('alice', '/gettoken', { authorization: 'Bearer of an access token that has ended' });
  if (minute % 3 === 0) await ask('alice', { objectId: '00000000-0000-4000-8000-000000000000' });
  if (minute % 4 === 0) await ask('mallory');
  if (minute % 6 === 0) {
    const authorization = `Bearer ${await broker.issuer.accessToken(names[minute % 40] ?? '', lasting())}`;
    await seen.ask('', '/revoketoken', { authorization });
  }
  // The app of one tenant asks in a loop.
  if (minute >= 20 && minute < 25) for (let at = 0; at < 60; at += 1) await ask(names[45] ?? '', { fresh: true });
  await broker.sweep();
  if (minute % 5 === 0) await world.probe();
}

/** The minutes, and what is heard in them. `outage` says in which of them ThoughtSpot answers 503. */
async function night(minutes: number, outage: (minute: number) => boolean): Promise<Heard[]> {
  const heard: Heard[] = [];
  const from = world.now();
  for (let minute = 0; minute < minutes; minute += 1) {
    world.broker.simulator?.set(outage(minute) ? { outage: 'error', outageStatus: 503 } : { outage: 'none' });
    await ordinaryMinute(minute);
    world.later(Math.max(0, from + (minute + 1) * MINUTE_MS - world.now()));
    world.countInvocations();
    heard.push(...world.watch.look(world.now()));
  }
  return heard;
}

const lines = (heard: readonly Heard[], from: number) =>
  heard.map(({ alarm, severity, to, at }) => `${Math.round((at - from) / MINUTE_MS)} ${severity} ${to} ${alarm}`);

test('an hour of ordinary mistakes and two minutes without ThoughtSpot pages at most once, for the outage', async () => {
  const from = world.now();
  const heard = await night(60, (minute) => minute === 38 || minute === 39);
  process.stdout.write(`${lines(heard, from).join('\n')}\n`);
  const pages = heard.filter(({ severity, to }) => severity === 'page' && to === 'ALARM');
  expect(pages.map(({ alarm }) => alarm).filter((alarm) => alarm !== 'gettoken/upstream-unavailable')).toEqual([]);
  expect(pages.length).toBeLessThanOrEqual(1);
  // It was a night with something in it.
  const tickets = heard.filter(({ severity, to }) => severity === 'ticket' && to === 'ALARM').map(({ alarm }) => alarm);
  expect(tickets).toEqual(expect.arrayContaining(['gettoken/mint-limited', 'gettoken/5xx-rate']));
  // Nothing flaps: each is heard once, and so is its end.
  expect(new Set(lines(heard, from).map((line) => line.replace(/^\d+ /, ''))).size).toBe(heard.length);
}, 600_000);

test('half an hour without ThoughtSpot pages once, within ten minutes', async () => {
  const from = world.now();
  const heard = await night(45, (minute) => minute >= 5 && minute < 35);
  process.stdout.write(`${lines(heard, from).join('\n')}\n`);
  const pages = heard.filter(({ severity, to }) => severity === 'page' && to === 'ALARM');
  expect(pages.map(({ alarm }) => alarm)).toEqual(['gettoken/upstream-unavailable']);
  expect(Math.round(((pages[0]?.at ?? 0) - from) / MINUTE_MS)).toBeLessThanOrEqual(5 + 10);
  expect(heard.filter(({ severity }) => severity === 'page').at(-1)?.to).toBe('OK');
}, 600_000);
