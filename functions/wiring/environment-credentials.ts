import { fromEnv } from '@aws-sdk/credential-provider-env';

/**
 * Stands in for `@aws-sdk/credential-provider-node` in the bundles (contract/bundle.ts): Lambda hands over credentials in the
 * environment, and the rest of the SDK's chain is a fifth of a bundle.
 */
export const defaultProvider = () => fromEnv();
