import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const command = join(import.meta.dirname, '..', '..', '..', 'local', 'issuer-command.ts');

async function start(...options: string[]) {
  const issuer = spawn(process.execPath, [command, '--port', '0', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  issuer.stdout.on('data', (chunk: Buffer) => (said += String(chunk)));
  while (!said.includes('stops it')) await once(issuer.stdout, 'data');
  const [url = ''] = /https?:\/\/127\.0\.0\.1:\d+/.exec(said) ?? [];
  const [, certificate = ''] = /NODE_EXTRA_CA_CERTS=(\S+)/.exec(said) ?? [];
  return { issuer, url, certificate };
}

/** What a process that trusts this certificate gets: the discovery document, the count of keys, and a token's claims. */
async function asked(url: string, certificate: string): Promise<unknown> {
  const program = `
    const body = new URLSearchParams({ grant_type: 'password', username: 'alice' });
    const json = async (path, init) => (await fetch('${url}' + path, init)).json();
    const document = await json('/.well-known/openid-configuration');
    const { keys } = await (await fetch(document.jwks_uri)).json();
    const { access_token } = await json('/token', { method: 'POST', body });
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString());
    console.log(JSON.stringify({ issuer: document.issuer, keys: keys.length, iss: claims.iss, sub: claims.sub }));`;
  const env = { ...process.env, ...(certificate && { NODE_EXTRA_CA_CERTS: certificate }) };
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env });
  let [text, problems] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (problems += String(chunk)));
  await once(child, 'close');
  return text === '' ? problems : JSON.parse(text);
}

test.each([['http'], ['https', '--tls']])(
  'npm run issuer is an issuer by itself, over %s: a discovery document under its own name, keys, and access tokens',
  async (scheme, ...options) => {
    const { issuer, url, certificate } = await start(...options);
    expect(url).toMatch(new RegExp(`^${scheme}:`));
    expect(await asked(url, certificate)).toEqual({ issuer: url, keys: 1, iss: url, sub: 'user-alice' });
    if (scheme === 'https') {
      expect(await asked(url, '')).toMatch(/self-signed/);
      expect(statSync(join(dirname(certificate), 'key.pem')).mode & 0o077).toBe(0);
    }
    issuer.kill('SIGTERM');
    expect(await once(issuer, 'close')).toEqual([0, null]);
  },
);
