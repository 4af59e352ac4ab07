/** The floor of issuing, and the verification of access tokens: the difference is what that costs. */
import { makeIdentity, type IdentityOptions } from '../../functions/identity/identity.ts';
import { handler as issuing } from './issuing.ts';

const silent = { info() {}, warn() {}, error() {} };

/** Verifies a token twice, and answers how long each took, ms. `keys`: the key set of its issuer. */
export async function verify(issuers: IdentityOptions['issuers'], keys: string, token: string): Promise<number[]> {
  const readJson: IdentityOptions['readJson'] = () => Promise.resolve(JSON.parse(keys) as null);
  const identity = makeIdentity({ issuers, clock: { now: Date.now }, signals: { emit() {} }, log: silent, readJson });
  await identity.warm();
  const taken: number[] = [];
  for (let turn = 0; turn < 2; turn += 1) {
    const startedAt = performance.now();
    await identity.identify(token, undefined);
    taken.push(performance.now() - startedAt);
  }
  return taken;
}

export const handler = issuing;
