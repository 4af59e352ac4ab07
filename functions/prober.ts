/** Lambda prober: every five minutes, the life of a token as a caller sees it. */
import { eventEntry } from './http/event-entry.ts';
import { start } from './wiring/start.ts';
import { wireProber } from './wiring/prober.ts';

const { edge, ready } = start('prober', wireProber);

export const handler = eventEntry(
  edge,
  () => 'probe-failed',
  async (_event, deadline) => (await ready())(deadline),
);
