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
  ['', 'is not a URL'],
  ['acme.thoughtspot.cloud', 'is not a URL'],
  ['http://acme.thoughtspot.cloud', 'must be https'],
  ['http://localhost.evil.example', 'must be https'],
  ['http://127.0.0.1.evil.example', 'must be https'],
  ['ftp://localhost', 'must be https'],
  ['file:///etc/passwd', 'must be https'],
  ['https://user:canary@acme.example', 'must not hold credentials'],
  ['https://acme.example/api', 'must be an origin'],
  ['https://acme.example?x=1', 'must be an origin'],
  ['https://acme.example#x', 'must be an origin'],
])('%s is not: %s', (host, why) => {
  const attempt = (): URL => originOf(host);
  expect(attempt).toThrow(`misconfigured: the ThoughtSpot host ${why}`);
  expect(attempt).not.toThrow(/canary/);
});
