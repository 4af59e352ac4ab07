/** Lambda gettoken: `POST /gettoken`, a ThoughtSpot token for the caller. */
import { httpEntry } from './http/http-entry.ts';
import { wireGettoken } from './wiring/gettoken.ts';
import { start } from './wiring/start.ts';

const { edge, ready } = start('gettoken', wireGettoken);

export const handler = httpEntry(edge, ready);
