/** Lambda sweep: every minute, whatever is due. Throws when it could not work at all. */
import { eventEntry } from './http/event-entry.ts';
import { start } from './wiring/start.ts';
import { wireSweep } from './wiring/sweep.ts';

const { edge, ready } = start('sweep', wireSweep);

export const handler = eventEntry(
  edge,
  () => 'sweep-failed',
  async (_event, deadline) => (await ready())(deadline),
);
