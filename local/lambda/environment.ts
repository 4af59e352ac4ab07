/** The environment that Lambda gives a function, so that bundles find here exactly what they find there. */

export const REGION = 'eu-west-1';
export const ACCOUNT = '000000000000';

export interface SandboxIdentity {
  readonly functionName: string;
  readonly handler: string;
  readonly memoryMb: number;
  readonly taskRoot: string;
  /** host:port of the Runtime API. */
  readonly runtimeApi: string;
  readonly logStream: string;
}

export function functionArn(functionName: string): string {
  return `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${functionName}`;
}

/**
 * Lambda's reserved variables (AWS Lambda developer guide, "Defined runtime environment variables") plus the
 * function's own. Nothing is inherited from this process but PATH: what a developer has exported must not leak in.
 */
export function sandboxEnvironment(
  identity: SandboxIdentity,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    _HANDLER: identity.handler,
    LAMBDA_TASK_ROOT: identity.taskRoot,
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    AWS_LAMBDA_RUNTIME_API: identity.runtimeApi,
    AWS_LAMBDA_FUNCTION_NAME: identity.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(identity.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${identity.functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: identity.logStream,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    // Stand-ins for the role's credentials: the local endpoints want a signed request but know no keys.
    AWS_ACCESS_KEY_ID: 'ASIALOCALSANDBOX0000',
    AWS_SECRET_ACCESS_KEY: 'local-sandbox-has-no-aws-credentials',
    AWS_SESSION_TOKEN: 'local-sandbox-session',
    ...variables,
  };
}
