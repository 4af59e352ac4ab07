import { Failure } from '../broker/failure.ts';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * The cluster's origin from what the environment says. https only, unless the host is this machine. Throws Failure
 * `misconfigured` for anything else, also for a path, a query or credentials in the address: they would be lost or sent.
 */
export function originOf(host: string): URL {
  if (!URL.canParse(host)) throw misconfigured('is not a URL such as https://cluster.thoughtspot.cloud');
  const url = new URL(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname)))
    throw misconfigured('must be https (http only for loopback)');
  if (url.username !== '' || url.password !== '') throw misconfigured('must not hold credentials');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw misconfigured('must be an origin, no path');
  return url;
}

const misconfigured = (fault: string): Failure =>
  new Failure('misconfigured', { reason: `the ThoughtSpot host ${fault}` });
