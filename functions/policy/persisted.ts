/**
 * What a mint leaves on its ThoughtSpot user in an org, for every token of that user there, older ones included (wire facts
 * 3.8). So two grants may meet in one user only if they leave the same.
 */
import type { Provisioning, Rights, Sha256 } from '../broker/ports.ts';
import type { GrantOffer, ProvisioningSource, Values } from './document.ts';
import { canonicalJson } from './fingerprint.ts';

/** The entitlement digest of a grant that leaves nothing. */
export const NONE = 'none';

/**
 * The same question of a rule's source and of what claims made of it, so one answer for both. Groups: `full` and `object`
 * replace those of the user at every mint, `custom` sets them when it creates the user; none means that they stay as they
 * are. RESET takes away what is there, which is a change to every other token too.
 */
function left(rights: GrantOffer | Rights, provisioned: Values, isEmpty: (groups: Values) => boolean): object | null {
  const groups = isEmpty(provisioned) ? {} : { groups: provisioned };
  if (rights.kind !== 'custom') return 'groups' in groups ? groups : null;
  const own = isEmpty(rights.groups) ? {} : { ownGroups: rights.groups };
  const { persist, variables, filters, parameters, objects } = rights;
  if (persist !== 'NONE') {
    const lists = persist === 'RESET' ? {} : { variables, filters, parameters, objects };
    return { persist, ...lists, ...own, ...groups };
  }
  return 'groups' in groups || 'ownGroups' in own ? { ...own, ...groups } : null;
}

const isEmptyList = (values: Values): boolean => !('claim' in values) && values.length === 0;

/** What the mints of a grant leave, as the rule says it: with claims in it where the callers differ. Null: nothing. */
export function persistedSource(offer: GrantOffer, provision: ProvisioningSource | null): object | null {
  return left(offer, provision?.groups ?? [], isEmptyList);
}

/** The entitlement digest: equal for two grants just when their mints leave the same on a user; `none` for nothing. */
export function entitlementDigest(rights: Rights, provisioning: Provisioning | null, sha256: Sha256): string {
  const persisted = left(rights, provisioning?.groups ?? [], isEmptyList);
  return persisted === null ? NONE : sha256(canonicalJson(persisted));
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const SUFFIX_LENGTH = 16;

/**
 * The ThoughtSpot user of a person with these entitlements: the person's name, `~` and 80 bits of the digest in base32 (user
 * names are compared in lower case, so never base64url). `personOf` of broker/lease.ts gives the person back.
 */
export function userPerEntitlement(person: string, digest: string, sha256: Sha256): string {
  const letters = [...sha256(digest)].slice(0, SUFFIX_LENGTH).map((letter) => BASE32[BASE64URL.indexOf(letter) % 32]);
  return `${person}~${letters.join('')}`;
}
