import { makeIdentity } from '../identity/identity.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { clock } from './system.ts';

/** Who calls, by the tokens of the issuers that the environment names. */
export const wireIdentity = ({ ISSUERS: issuers }: Pick<Config<'operator'>, 'ISSUERS'>, telemetry: Telemetry) =>
  makeIdentity({ ...telemetry, issuers, clock });
