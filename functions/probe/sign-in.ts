import type { Ask } from './ask.ts';
import type { OidcClient, ProberCredential } from './credential.ts';
import { ProbeFault } from './steps.ts';

/** An access token for a client, by the client credentials grant (RFC 6749, 4.4; the secret by Basic, 2.3.1). */
export async function signIn(
  ask: Ask,
  { tokenUrl, scope, audience }: ProberCredential,
  { clientId, clientSecret }: OidcClient,
  deadline: number,
): Promise<string> {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  if (audience !== undefined) form.set('audience', audience);
  const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64');
  const { status, json } = await ask(
    tokenUrl,
    {
      method: 'POST',
      headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    },
    deadline,
  );
  const token = json['access_token'];
  if (status === 200 && typeof token === 'string' && token !== '') return token;
  throw new ProbeFault(`the issuer answered ${status} to the prober's client`);
}
