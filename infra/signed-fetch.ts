/** Requests to the broker's API, and to AWS, with the AWS credentials of whoever runs the command. */
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity, Provider } from '@smithy/types';

export interface SignedRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  /** JSON. */
  readonly body?: string;
  readonly region: string;
  /** execute-api if left out. */
  readonly service?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Left out: those that the AWS SDK finds, as the AWS CLI does. */
  readonly credentials?: AwsCredentialIdentity | Provider<AwsCredentialIdentity>;
  readonly signal?: AbortSignal;
}

/** What may help where the API refuses a signed request. API Gateway gives no reasons. */
export function operatorCure(arn = 'the routes /operator/* of the API'): string {
  return (
    `Your AWS identity must be of the broker's account and be allowed execute-api:Invoke on ${arn} (docs/deploy.md), ` +
    'with credentials that have not expired, on a clock that is right to within five minutes.'
  );
}

/** Signs a request (SigV4) and sends it. Rejects if there are no credentials, or nobody answers. */
export async function signedFetch({
  url,
  method,
  body,
  region,
  service = 'execute-api',
  headers: more = {},
  credentials,
  signal,
}: SignedRequest): Promise<Response> {
  const signer = new SignatureV4({
    service,
    region,
    credentials: credentials ?? (await import('@aws-sdk/credential-provider-node')).defaultProvider(),
    sha256: Sha256,
  });
  const { protocol, hostname, pathname: path, searchParams } = url;
  const content = body === undefined ? {} : { 'content-type': 'application/json' };
  const query = Object.fromEntries(searchParams);
  const request = { protocol, hostname, method, path, query, body, headers: { host: url.host, ...content, ...more } };
  const { headers } = await signer.sign(request);
  return fetch(url, { method, headers, ...(body !== undefined && { body }), ...(signal && { signal }) });
}
