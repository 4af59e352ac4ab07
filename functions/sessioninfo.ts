/** Lambda sessioninfo: `GET /sessioninfo`, what ThoughtSpot says of the caller's live token. */
import { httpEntry } from './http/http-entry.ts';
import { wireSessioninfo } from './wiring/sessioninfo.ts';
import { start } from './wiring/start.ts';

const { edge, ready } = start('sessioninfo', wireSessioninfo);

export const handler = httpEntry(edge, ready);
