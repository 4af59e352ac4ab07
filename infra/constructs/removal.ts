import { RemovalPolicy } from 'aws-cdk-lib';

/**
 * What becomes of data, keys, secret and logs with their stack. Production's outlive it, except when the deployment that
 * creates them fails: then they are empty, and under their fixed names they would stop the next attempt.
 */
export const removalOf = (retain: boolean): RemovalPolicy =>
  retain ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY;
