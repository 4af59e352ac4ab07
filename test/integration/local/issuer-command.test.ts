import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

test('npm run issuer is an issuer by itself: a discovery document under its own name, and access tokens', async () => {
  const command = join(import.meta.dirname, '..', '..', '..', 'local', 'issuer-command.ts');
  const issuer = spawn(process.execPath, [command, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  issuer.stdout.on('data', (chunk: Buffer) => (said += String(chunk)));
  while (!said.includes('stops it')) await once(issuer.stdout, 'data');
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? [];
  const discovery: unknown = await (await fetch(`${url}/.well-known/openid-configuration`)).json();
  expect(discovery).toMatchObject({ issuer: url });
  const body = new URLSearchParams({ grant_type: 'password', username: 'alice' });
  const answer = (await (await fetch(`${url}/token`, { method: 'POST', body })).json()) as { access_token: string };
  const claims = JSON.parse(Buffer.from(answer.access_token.split('.')[1] ?? '', 'base64url').toString()) as object;
  expect(claims).toMatchObject({ iss: url, sub: 'user-alice' });
  issuer.kill('SIGTERM');
  expect(await once(issuer, 'close')).toEqual([0, null]);
});
