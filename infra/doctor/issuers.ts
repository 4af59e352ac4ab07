import type { Json } from 'aws-jwt-verify/safe-json-parse';
import { z } from 'zod';
import { discoveryOf } from '../../functions/contract/shapes.ts';
import { keysIn } from '../../functions/identity/key-set.ts';
import type { Environment } from '../environments/environment.ts';
import { Finding, needed } from './checklist.ts';
import type { Examine } from './checklist.ts';

const TIMEOUT_MS = 10_000;
const discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** Examines whether each issuer calls itself what the environment calls it, and publishes keys that count. */
export async function examineIssuers(examine: Examine, issuers: Environment['issuers']): Promise<void> {
  for (const [index, issuer] of issuers.entries()) {
    const label = issuer.name === undefined ? 'issuer' : `issuer ${issuer.name}`;
    const stated = await examine(label, async () => {
      const document = await discovered(issuer.url, index);
      if (document.issuer === issuer.url) return [issuer.url, document];
      throw new Finding(
        `the issuer calls itself ${document.issuer}, the environment calls it ${issuer.url}`,
        `Write issuers.${index}.url to the letter as the issuer does (often a slash at the end is missing), and deploy: the gateway refuses every token otherwise.`,
      );
    });
    await examine(`keys of ${label}`, async () => {
      const address = issuer.jwksUri ?? needed(stated, label).jwks_uri;
      return [`${await countKeys(address)} at ${address}`, undefined];
    });
  }
}

/** An issuer's discovery document. Throws Finding. */
async function discovered(url: string, index: number): Promise<z.infer<typeof discovery>> {
  const address = discoveryOf(url);
  const result = discovery.safeParse(await jsonAt(address));
  if (result.success) return result.data;
  throw new Finding(
    `there is no discovery document at ${address}`,
    `Check issuers.${index}.url: it is the claim iss of an access token, to the letter.`,
  );
}

/** How many keys there are that functions and gateway take. Throws Finding. */
async function countKeys(address: string): Promise<number> {
  const set = await jsonAt(address);
  try {
    const { size } = keysIn(set as Json);
    if (size > 0) return size;
  } catch {
    // Said below: no answer, or no key set.
  }
  throw new Finding(
    set === undefined ? `there is no key set at ${address}` : `the key set at ${address} has no RSA key that signs`,
    'Without one every token is refused: gateway and functions take RS256, RS384 and RS512 only, from 2,048 bits on.',
  );
}

/** What is at an address; undefined if that is no JSON. */
async function jsonAt(address: string): Promise<unknown> {
  try {
    const answer = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}
