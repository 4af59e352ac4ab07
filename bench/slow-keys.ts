/** The sweep over rows in memory, by a simulated clock, where KMS refuses the data keys of some and takes its time. */
import { makeDataKeys } from '../functions/ledger/data-keys.ts';
import type { World } from '../test/support/broker-world.ts';
import { perSecondOf } from './measure.ts';
import { worldWithDue } from './sweep.ts';

/** The refused keys are of so many hours: as many as tokens may live. */
const HOURS = 24;
/** How long a revocation takes, ms: the calls in flight do not hold up the rate then. */
const REVOKE_MS = 100;

/** Keys of hours, none of which KMS unwraps: each call takes `refusalMs`. */
function refusedKeys({ clock }: World, refusalMs: number) {
  const not = () => Promise.reject(new Error('a refused key is only read'));
  const row = { wrapped: new Uint8Array(60), table: 'bench' };
  const send = async () => {
    await clock.sleep(refusalMs);
    throw Object.assign(new Error('refused'), { name: 'DisabledException' });
  };
  return makeDataKeys({
    table: { name: 'bench', get: async () => row, create: not, update: not },
    kms: { send },
    ...{ keyId: 'key', environment: 'bench', makes: false, clock },
  });
}

/** Revocations per second, of rows of which every `nth` cannot be opened, 0: none. */
export async function simulatedPace(rows: number, nth: number, refusalMs: number): Promise<number> {
  const world = await worldWithDue(rows);
  const { ledger, clock, issuer } = world;
  const keys = refusedKeys(world, refusalMs);
  const calls: number[] = [];
  issuer.revokeMs = REVOKE_MS;
  const ports = {
    issuer: {
      ...issuer,
      revoke: (...call: Parameters<typeof issuer.revoke>) => {
        calls.push(clock.now());
        return issuer.revoke(...call);
      },
    },
    ledger: {
      ...ledger,
      token: async (...[key, deadline]: Parameters<typeof ledger.token>) => {
        const row = Number(key.user.slice('user'.length));
        if (nth > 0 && row % nth === 0) await keys.ofHour((row / nth) % HOURS, deadline);
        return ledger.token(key, deadline);
      },
    },
  };
  await clock.drive(world.process(ports).sweep(clock.now() + 60_000));
  return perSecondOf(calls);
}
