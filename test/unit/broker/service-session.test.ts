import { Failure } from '../../../functions/broker/failure.ts';
import { makeServiceSessions } from '../../../functions/broker/service-session.ts';
import { asCaller, asOperator, makeWorld, type World } from '../../support/broker-world.ts';

const ACCOUNT = { userName: 'Svc', orgId: 1, policyVersion: 'v1' };
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

/** A sandbox of gettoken, with sessions over the world's ledger; `issuer.mint` is the login. */
function sandbox(world: World) {
  let draws = 0;
  const sessions = makeServiceSessions({
    ...world,
    randomness: () => (draws += 1) / 1_000,
    audit: { record: (event) => void world.audit.push(event) },
    signals: { emit: () => undefined },
    log: { info() {}, warn() {}, error() {} },
  });
  const by = () => world.clock.now() + 10 * SECOND;
  return {
    open: () => sessions.open(ACCOUNT, world.issuer, by()),
    close: (session: Awaited<ReturnType<typeof sessions.open>>, now = true) =>
      now ? sessions.close(session, by(), world.issuer) : sessions.close(session, by()),
  };
}
const codeOf = (failing: Promise<unknown>) =>
  failing.then(
    () => 'nothing',
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  );

test('a session has its row before the login, and a live one with the bearer sealed after it', async () => {
  const world = makeWorld();
  const steps: string[] = [];
  world.ledger.beforeCall = (call) => void steps.push(call);
  world.issuer.mintFault = () => void steps.push('login');
  const { bearer, until } = await sandbox(world).open();
  expect(steps).toEqual(['blocksOn', 'reserve', 'login', 'transition', 'recheck']);
  expect(await world.rows()).toMatchObject([
    { user: 'svc', userName: 'Svc', rule: 'service-session', state: 'live', sealed: true, shared: false },
  ]);
  expect(world.issuer.isLive(bearer)).toBe(true);
  expect(until).toBe(world.clock.now() + HOUR - 30 * SECOND);
});

test('of a sandbox that was killed, the sweep ends the session an hour after its login', async () => {
  const world = makeWorld();
  const { bearer, until } = await sandbox(world).open();
  const sweep = () => world.process().sweep(world.clock.now() + 60 * SECOND);
  await world.clock.advance(until - world.clock.now());
  await world.clock.drive(sweep());
  expect(world.issuer.isLive(bearer)).toBe(true);
  await world.clock.advance(31 * SECOND);
  await world.clock.drive(sweep());
  expect(world.issuer.isLive(bearer)).toBe(false);
  expect(await world.rows()).toMatchObject([{ state: 'revoked' }]);
});

test.each([
  ['lost', 'orphaned'],
  ['refused', 'failed'],
] as const)('a login that is %s leaves a row that is %s, and no session', async (fault, state) => {
  const world = makeWorld();
  world.issuer.mintFault = () => fault;
  expect(await codeOf(sandbox(world).open())).not.toBe('nothing');
  expect(await world.rows()).toMatchObject([{ state }]);
  // What a lost login has made may live for a day.
  const [row] = await world.rows();
  expect(row?.latestEndAt).toBeGreaterThan(world.clock.now() + 24 * HOUR);
});

test('a session that ends is ended at once where there is a way to ThoughtSpot, else by the next sweep', async () => {
  const world = makeWorld();
  const { open, close } = sandbox(world);
  const [first, second] = [await open(), await open()];
  await close(first);
  expect(world.issuer.isLive(first.bearer)).toBe(false);
  await close(second, false);
  expect(world.issuer.isLive(second.bearer)).toBe(true);
  await world.clock.drive(world.process().sweep(world.clock.now() + 60 * SECOND));
  expect(world.issuer.live()).toEqual([]);
  expect((await world.rows()).map(({ state }) => state)).toEqual(['revoked', 'revoked']);
});

test('an operator who revokes the account ends its session too, and no caller does', async () => {
  const world = makeWorld();
  const { bearer } = await sandbox(world).open();
  await world.process().revoke(asCaller('svc'));
  expect(world.issuer.isLive(bearer)).toBe(true);
  await world.clock.advance(1);
  await world.process().revoke(asOperator(), { kind: 'user', userNames: ['svc'] });
  expect(world.issuer.isLive(bearer)).toBe(false);
});
