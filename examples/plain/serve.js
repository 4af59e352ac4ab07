/** Serves the page with a strict Content Security Policy. PORT, BROKER, THOUGHTSPOT and ISSUER change the addresses. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const { PORT = '5174', BROKER, THOUGHTSPOT, ISSUER } = process.env;
const addresses = {
  broker: BROKER ?? 'http://127.0.0.1:8787',
  thoughtspot: THOUGHTSPOT ?? 'http://127.0.0.1:8788',
  issuer: ISSUER ?? 'http://127.0.0.1:8789',
};
const here = import.meta.dirname;
const client = fileURLToPath(import.meta.resolve('@thoughtspot-token-broker/client'));
const sdk = fileURLToPath(import.meta.resolve('@thoughtspot/visual-embed-sdk'));
const files = {
  '/': ['text/html', join(here, 'index.html')],
  '/main.js': ['text/javascript', join(here, 'main.js')],
  '/page.css': ['text/css', join(here, 'page.css')],
  '/client.js': ['text/javascript', client],
  '/visual-embed-sdk.js': ['text/javascript', join(dirname(sdk), '../../dist/tsembed.es.js')],
};

const policy = (nonce) =>
  [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self'",
    `connect-src 'self' ${Object.values(addresses).join(' ')}`,
    `frame-src ${addresses.thoughtspot}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

const server = createServer((request, response) => {
  if (request.url === '/addresses.json') return response.end(JSON.stringify(addresses));
  const [type, path] = files[request.url] ?? [];
  if (path === undefined) return response.writeHead(404).end();
  const nonce = randomBytes(16).toString('base64');
  const body = readFileSync(path, 'utf8');
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': policy(nonce) });
  response.end(type === 'text/html' ? body.replace('{nonce}', nonce) : body);
});
server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://localhost:${server.address().port}/`);
});
