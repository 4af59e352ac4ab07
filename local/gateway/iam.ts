/**
 * The AWS_IAM authorizer of an HTTP API: it signs the request again, with the secret of whoever it names, and compares.
 * IAM's policies are one flag here: whether the principal may invoke the API.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { ACCOUNT, REGION } from '../lambda/environment.ts';
import { joinHeaders, splitTarget } from './event.ts';

export interface Principal {
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken: string;
  };
  readonly arn: string;
  /** Whether IAM allows it execute-api:Invoke. */
  readonly mayInvoke: boolean;
}

/** As in `requestContext.authorizer.iam` of an event (payload format 2.0). */
export type IamIdentity = Readonly<Record<string, string | null>>;
/** Undefined: refused, which is a 403 whatever the reason. */
export type IamAuthorizer = (request: IncomingMessage, body: Buffer) => Promise<IamIdentity | undefined>;

/** How far the time of a signature may be from ours, ms. */
const CLOCK_SKEW_MS = 300_000;
const CREDENTIAL = /^([\w]+)\/(\d{8})\/([\w-]+)\/execute-api\/aws4_request$/;
const HEADER = /^AWS4-HMAC-SHA256 Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/;

/** A session of a role, with credentials that nobody else has. */
export function makePrincipal(role: string, session: string, mayInvoke = true): Principal {
  return {
    credentials: {
      accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(60).toString('base64'),
    },
    arn: `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${session}`,
    mayInvoke,
  };
}

export function makeIamAuthorizer(principals: readonly Principal[], now: () => number): IamAuthorizer {
  return async (request, body) => {
    const headers = joinHeaders(request.rawHeaders);
    const [, credential = '', names = '', signature = ''] = HEADER.exec(headers['authorization'] ?? '') ?? [];
    const [, keyId, day, region] = CREDENTIAL.exec(credential) ?? [];
    const principal = principals.find(({ credentials }) => credentials.accessKeyId === keyId);
    const signed = names.split(';');
    const date = headers['x-amz-date'] ?? '';
    const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
    const hash = headers['x-amz-content-sha256'];
    if (
      principal === undefined ||
      region !== REGION ||
      !signed.includes('host') ||
      !signed.includes('x-amz-date') ||
      !date.startsWith(day ?? '') ||
      !(Math.abs(now() - at) <= CLOCK_SKEW_MS) ||
      headers['x-amz-security-token'] !== principal.credentials.sessionToken ||
      (hash !== undefined && hash !== createHash('sha256').update(body).digest('hex'))
    )
      return undefined;
    const again = await signAgain(request, body, principal, new Date(at), signed);
    if (!timingSafeEqual(Buffer.from(again), Buffer.from(signature)) || !principal.mayInvoke) return undefined;
    return identityOf(principal);
  };
}

/** The signature that the principal's secret makes of this request, its body and those of its headers. */
async function signAgain(
  request: IncomingMessage,
  body: Buffer,
  { credentials }: Principal,
  signingDate: Date,
  signed: readonly string[],
): Promise<string> {
  const signer = new SignatureV4({
    service: 'execute-api',
    region: REGION,
    credentials,
    sha256: Sha256,
    applyChecksum: signed.includes('x-amz-content-sha256'),
  });
  const [path, queryText] = splitTarget(request.url ?? '/');
  const query: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(queryText)) (query[name] ??= []).push(value);
  const all = joinHeaders(request.rawHeaders);
  const headers = Object.fromEntries(signed.map((name) => [name, all[name] ?? '']));
  const { headers: result } = await signer.sign(
    { protocol: 'https:', hostname: 'local', method: request.method ?? '', path, query, body, headers },
    { signingDate, signableHeaders: new Set(signed) },
  );
  return /Signature=([0-9a-f]{64})$/.exec(result['authorization'] ?? '')?.[1] ?? '';
}

function identityOf({ credentials, arn }: Principal): IamIdentity {
  const userId = `AROALOCAL:${arn.split('/').at(-1)}`;
  return {
    accessKey: credentials.accessKeyId,
    accountId: ACCOUNT,
    callerId: userId,
    cognitoIdentity: null,
    principalOrgId: 'o-local',
    userArn: arn,
    userId,
  };
}
