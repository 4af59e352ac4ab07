import { originOf } from '../../../functions/thoughtspot/transport.ts';

test.each([
  ['https://acme.thoughtspot.cloud', 'https://acme.thoughtspot.cloud'],
  ['https://acme.thoughtspot.cloud/', 'https://acme.thoughtspot.cloud'],
  ['https://cluster.example:8443', 'https://cluster.example:8443'],
  ['http://127.0.0.1:8788', 'http://127.0.0.1:8788'],
  ['http://127.1.2.3:8788', 'http://127.1.2.3:8788'],
  ['http://localhost:8788', 'http://localhost:8788'],
  ['http://[::1]:8788', 'http://[::1]:8788'],
])('%s is a host', (host, origin) => {
  expect(originOf(host).origin).toBe(origin);
});

test.each([
  '',
  'acme.thoughtspot.cloud',
  'http://acme.thoughtspot.cloud',
  'http://localhost.evil.example',
  'http://127.0.0.1.evil.example',
  'ftp://localhost',
  'file:///etc/passwd',
  'https://user:canary@acme.example',
  'https://acme.example/api',
  'https://acme.example?x=1',
  'https://acme.example#x',
])('%j is not', (host) => {
  const attempt = (): URL => originOf(host);
  expect(attempt).toThrow('misconfigured: the ThoughtSpot host must be an origin');
  expect(attempt).not.toThrow(/canary/);
});
