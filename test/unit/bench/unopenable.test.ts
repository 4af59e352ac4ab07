import { createSecretKey } from 'node:crypto';
import { chosen, damaged } from '../../../bench/unopenable.ts';
import { makeSealing } from '../../../functions/ledger/sealing.ts';

const NOW = 493_000;
const key = createSecretKey(Buffer.alloc(32, 7));
const asked: number[] = [];
const ofHour = async (hour: number) => {
  asked.push(hour);
  return key;
};
const never = () => Promise.reject(new Error('not here'));
const sealing = makeSealing({ ofHour, current: never, digest: never, warm: never }, 'local');
const place = { pk: 'u#alice', sk: 'print#0000000001' };
const sealed = sealing.seal('token', place, { hour: NOW, key });

test('every fourth token is spoiled, in each way in turn', () => {
  expect(chosen(13, 4)).toEqual([
    { index: 3, turn: 0, way: 'lost' },
    { index: 7, turn: 1, way: 'refused' },
    { index: 11, turn: 2, way: 'altered' },
  ]);
});

test.each([
  ['altered', 2, NOW],
  ['lost', 0, NOW - 2],
  ['lost', 72, NOW - 2],
  ['lost', 69, NOW - 25],
  ['refused', 1, NOW - 26],
  ['refused', 70, NOW - 49],
] as const)('%s in turn %i: it asks for the key of its hour, and does not open', async (way, turn, hour) => {
  asked.length = 0;
  await expect(sealing.open(damaged(sealed, way, turn, NOW), place, Infinity)).rejects.toMatchObject({
    code: 'key-unavailable',
  });
  expect(asked).toEqual([hour]);
  expect(await sealing.open(sealed, place, Infinity)).toBe('token');
});
