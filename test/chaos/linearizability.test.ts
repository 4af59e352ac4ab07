/** That the check of histories finds what it is for: in histories made by hand, and in those of a store that forgets. */
import { rememberRows } from '../support/ledger-rows.ts';
import { type Operation, unexplained } from '../support/linearizability.ts';
import { Load } from './load.ts';
import { startWorld, type ChaosWorld } from './world.ts';

const write = (value: number, from: number, to: number): Operation<number> => ({
  ...{ what: `write ${value}`, from, to },
  apply: () => value,
});
const read = (value: number, from: number, to: number): Operation<number> => ({
  ...{ what: `read ${value}`, from, to },
  apply: (state) => (state === value ? state : undefined),
});

test.each<[name: string, operations: readonly Operation<number>[]]>([
  ['a read after a write sees it', [write(1, 0, 1), read(1, 2, 3)]],
  ['a read beside a write may see it', [write(1, 0, 9), read(1, 2, 3)]],
  ['a read beside a write may not see it yet', [write(1, 0, 9), read(0, 2, 3)]],
  ['a write that nobody answered may have happened', [write(1, 0, Infinity), read(1, 5, 6)]],
  ['a write that nobody answered may happen late', [write(1, 0, Infinity), read(0, 5, 6), read(1, 7, 8)]],
  ['a write that nobody answered may never happen', [write(1, 0, Infinity), read(0, 5, 6)]],
])('%s', (_name, operations) => {
  expect(unexplained(operations, 0, String)).toBeUndefined();
});

test.each<[name: string, operations: readonly Operation<number>[], left: string]>([
  ['a read after a write that does not see it', [write(1, 0, 1), read(0, 2, 3)], 'read 0'],
  ['two reads that go back in time', [write(1, 0, 9), read(1, 1, 2), read(0, 3, 4)], 'read 0'],
  ['a value that nobody wrote', [write(1, 0, 9), read(7, 1, 2)], 'read 7'],
  ['a late write that is seen and then not', [write(1, 0, Infinity), read(1, 1, 2), read(0, 3, 4)], 'read 0'],
])('%s has no order', (_name, operations, left) => {
  expect(unexplained(operations, 0, String)?.left.join()).toContain(left);
});

describe('a store that forgets what it has acknowledged is found by what users see', () => {
  let world: ChaosWorld;
  beforeAll(async () => {
    world = await startWorld(2);
  });
  afterAll(() => world.close());

  test.each<[what: string, partitions: string, act: (load: Load) => Promise<void>]>([
    ['a suspension', 'block#', async (load) => void (await load.suspend('user-001', 'user'))],
    ['a revocation', 'u#', (load) => load.perform({ at: 0, user: 0, action: 'sign out' })],
  ])('%s', async (_what, partitions, act) => {
    const load = new Load(world);
    const asks = () => load.perform({ at: 0, user: 0, action: 'token' });
    await asks();
    const forget = await rememberRows(world.broker, partitions);
    await act(load);
    expect(load.histories().unexplained).toEqual([]);
    await forget();
    await asks();
    expect(load.histories().unexplained).toEqual([expect.stringMatching(/^no order explains what user-001 saw/)]);
    expect(load.histories().unexplained.join()).toMatch(/but then not\n.*token \d+ is given out/);
  });
});
