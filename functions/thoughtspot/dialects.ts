import type { DialectName } from './rejection.ts';
import { auth20 } from './auth-2-0.ts';
import type { Dialect } from './dialect.ts';
import { sessionV2 } from './session-v2.ts';

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = { 'auth-2.0': auth20, 'session-v2': sessionV2 };
