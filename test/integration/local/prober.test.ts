import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readDemoUsers } from '../../../local/issuer.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { leaksIn } from '../../support/canaries.ts';

const CLIENTS: Readonly<Record<string, string>> = {
  'prober:canary-client-secret': 'bob',
  'stranger:canary-two': 'mallory',
};

let broker: LocalBroker;
const asked: string[] = [];
beforeAll(async () => {
  broker = await startLocalBroker({
    sweepEveryMs: null,
    logLevel: 'DEBUG',
    partner: readDemoUsers(),
    onAnswer: ({ path }) => asked.push(path),
  });
});
afterAll(() => broker.close());

it.each([
  [undefined, '/gettoken'],
  ['partner', '/i/partner/gettoken'],
])(
  'runs as the deployed bundle does, at the routes of the issuer %s, and leaves nothing behind',
  async (name, route) => {
    const { partner = broker.issuer } = broker;
    const real = name === undefined ? broker.issuer : partner;
    asked.splice(0);
    const issued: string[] = [];
    const issuer = createServer((request, response) => {
      const basic = Buffer.from(request.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
      void real.accessToken(CLIENTS[basic] ?? '').then((token) => {
        issued.push(token);
        response.end(JSON.stringify({ access_token: token }));
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => issuer.once('listening', resolve));
    const tokenUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`;
    const unentitled = { clientId: 'stranger', clientSecret: 'canary-two' };
    const secret = { tokenUrl, issuer: name, clientId: 'prober', clientSecret: 'canary-client-secret', unentitled };
    broker.aws.secrets.put('thoughtspot-broker/local/prober', JSON.stringify(secret));

    const invocation = await broker.invoke('prober', { source: 'schedule', name: 'prober' });
    issuer.closeAllConnections();
    issuer.close();
    const report = JSON.parse(invocation.status === 'answered' ? invocation.payload : '{}') as { passed: string[] };
    expect(report).toMatchObject({ failed: [] });
    expect(report.passed).toHaveLength(7);
    expect(asked.filter((path) => path.endsWith('/gettoken'))).toEqual([route, route, route]);
    expect(broker.simulator?.tokens()).toEqual([]);
    const output = broker.output.text();
    expect(output).toContain('probe-latency');
    const jwts = Object.fromEntries(issued.map((token, at) => [`jwt ${at}`, token.split('.')[1] ?? '']));
    expect(leaksIn(output, { client: 'canary-client-secret', other: 'canary-two', ...jwts })).toEqual([]);
  },
);

it('rings if its secret is not what it should be', async () => {
  broker.aws.secrets.put('thoughtspot-broker/local/prober', '{"clientSecret":"canary-three"}');
  const invocation = await broker.invoke('prober', {});
  expect(invocation.status).toBe('failed');
  expect(broker.output.text()).toMatch(/"probe-failed":1/);
  expect(broker.output.text()).not.toContain('canary-three');
});
