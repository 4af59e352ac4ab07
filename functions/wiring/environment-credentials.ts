import { fromEnv } from '@aws-sdk/credential-provider-env';

/**
 * Stands in for `@aws-sdk/credential-provider-node` in the bundles (contract/bundle.ts): Lambda hands a function its
 * credentials in the environment, so the rest of the SDK's chain (profiles, SSO, instance metadata), a fifth of a
 * bundle, could only ever find credentials that the function should not use.
 */
export const defaultProvider = () => fromEnv();
