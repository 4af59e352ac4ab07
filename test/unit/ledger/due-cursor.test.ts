import { decodeCursor, encodeCursor } from '../../../functions/ledger/item.ts';

describe('a cursor of the due index', () => {
  it('leads back to where the page ended', () => {
    const last = { pk: 'u#älice', sk: 'f#0000000001', dueShard: 'due#3', dueAt: 1764000000000 };
    expect(decodeCursor(encodeCursor(last), 'due#3')).toEqual(last);
  });

  it.each(['', 'x', 'bnVsbA', Buffer.from('["a","b"]').toString('base64url')])('is not %j', (cursor) => {
    expect(() => decodeCursor(cursor, 'due#0')).toThrow(
      expect.objectContaining({
        code: 'invalid-request',
        errors: [{ field: 'cursor', detail: 'is not a cursor of the ledger' }],
      }) as Error,
    );
  });
});
