/** Who did it: every act of power, every look at what others hold, and every one that was refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signedFetch } from '../../../infra/signed-fetch.ts';
import type { IncomingMessage } from 'node:http';
import { makeIamAuthorizer, makePrincipal, type Principal } from '../../../local/gateway/iam.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { operatorEvent } from '../../../local/operator/operator-event.ts';
import { auditOf, type AuditLine } from '../../support/audit-lines.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';

let broker: LocalBroker;
let seen: Witness;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  seen = witness(broker);
});
afterAll(() => broker.close());

const aString = expect.any(String) as string;
const aNumber = expect.any(Number) as number;
const anInvalidRequest = expect.stringMatching(/^invalid-request:/) as string;
const OLGA = { arn: 'arn:aws:sts::000000000000:assumed-role/broker-operator/olga', session: 'olga' };
const signed = (method: 'GET' | 'POST', path: string, content?: object, principal?: Principal) =>
  signedFetch({
    url: new URL(`${broker.url}/operator${path}`),
    method,
    region: 'eu-west-1',
    credentials: (principal ?? broker.principals.operator).credentials,
    ...(content && { body: JSON.stringify(content) }),
  });

/** The lines that `act` leaves. */
async function linesOf(act: () => Promise<unknown>): Promise<readonly AuditLine[]> {
  const before = auditOf(broker).length;
  await act();
  return auditOf(broker).slice(before);
}

describe('an operator with AWS credentials', () => {
  test('is named by his ARN and session where he revokes everything, and not called "operator"', async () => {
    await seen.ask('bob');
    const lines = await linesOf(async () => {
      const answer = await signed('POST', '/leases/revoke', { all: true, keepSignIn: true });
      expect([answer.status, await answer.json()]).toEqual([202, { revoked: 0, pending: null }]);
    });
    expect(lines).toEqual([
      expect.objectContaining({ action: 'cut-off', actor: OLGA, caller: OLGA, reasons: ['covers all orgs'] }),
    ]);
    expect(JSON.stringify(lines)).not.toContain('asked by operator');
  });

  test.each([
    ['/leases', 'listed everything', {}],
    ['/leases?user=ALICE&org=1', 'listed one user, org 1', { user: 'alice' }],
    ['/leases?user=nobody', 'listed one user', {}],
    ['/leases?usersUnusedSince=5', 'listed usersUnusedSince 5', {}],
  ])('leaves a line where he reads %s', async (path, reason, more) => {
    await seen.ask('alice');
    const lines = await linesOf(async () => expect((await signed('GET', path)).status).toBe(200));
    expect(lines).toEqual([
      expect.objectContaining({ action: 'list', function: 'operator', actor: OLGA, reasons: [reason], ...more }),
    ]);
  });

  test('ends the lease of one person, by name, by handle and by token', async () => {
    const { json } = await seen.ask('alice');
    const byHandle = await linesOf(() => signed('POST', '/leases/revoke', { leaseId: json['leaseId'] }));
    expect(byHandle[0]).toMatchObject({ action: 'revoke-requested', actor: OLGA, caller: OLGA, user: 'alice' });
    const again = await seen.ask('alice');
    expect((await signed('POST', '/leases/revoke', { token: again.json['token'] })).status).toBe(200);
    await seen.ask('alice');
    const answer = await signed('POST', '/leases/revoke', { userName: 'alice', keepSignIn: true });
    expect([answer.status, await answer.json()]).toEqual([200, { revoked: 1, pending: 0 }]);
    expect(seen.liveTokens('alice')).toEqual([]);
  });

  test.each([[{}], [{ all: true, orgId: 1 }], [{ everything: true }]])(
    'is told what is wrong with %j',
    async (body) => {
      const answer = await signed('POST', '/leases/revoke', body);
      expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'invalid-request' }]);
    },
  );
});

describe('an operator with an access token', () => {
  test('is named by issuer and subject, with the id, the client and the end of his token', async () => {
    const lines = await linesOf(async () => {
      expect((await seen.ask('ops', '/leases', { method: 'GET' })).status).toBe(200);
      const body = { orgId: 2, keepSignIn: true };
      expect((await seen.ask('ops', '/leases/revoke', { body })).status).toBe(202);
      expect((await seen.ask('ops', '/revoketoken', { body })).status).toBe(202);
    });
    const actor = {
      issuer: broker.issuer.url,
      subject: aString,
      jti: aString,
      clientId: aString,
      exp: aNumber,
    };
    expect(lines).toEqual([
      expect.objectContaining({ action: 'list', function: 'operator', actor }),
      expect.objectContaining({ action: 'cut-off', function: 'operator', actor }),
      expect.objectContaining({ action: 'cut-off', function: 'revoketoken', actor }),
    ]);
  });

  test('so is every caller, on every line of his request', async () => {
    const lines = await linesOf(() => seen.ask('carol'));
    expect(lines.map(({ action }) => action)).toEqual(['mint']);
    for (const { actor } of lines)
      expect(actor).toMatchObject({ issuer: broker.issuer.url, jti: aString, exp: aNumber });
  });
});

describe('what is refused leaves a line', () => {
  test.each([
    ['/revoketoken', { all: true }, 'revoking for others'],
    ['/revoketoken', { orgId: 1 }, 'revoking for others'],
    ['/revoketoken', { userName: 'bob' }, 'revoking for others'],
    ['/leases/revoke', { all: true }, 'neither an operator nor an administrator of an org'],
  ])('POST %s %j of a mere caller', async (path, body, reason) => {
    const lines = await linesOf(async () => {
      expect(await seen.ask('carol', path, { body })).toMatchObject({ status: 403, code: 'insufficient-scope' });
    });
    const actor = expect.objectContaining({ issuer: broker.issuer.url, jti: aString }) as unknown;
    expect(lines).toEqual([
      expect.objectContaining({ action: 'deny', code: 'insufficient-scope', actor, reasons: [reason] }),
    ]);
  });

  test('GET /leases of a mere caller', async () => {
    const lines = await linesOf(async () => {
      expect(await seen.ask('carol', '/leases', { method: 'GET' })).toMatchObject({ status: 403 });
    });
    expect(lines).toEqual([expect.objectContaining({ action: 'deny', function: 'operator' })]);
  });

  test('somebody else’s lease, by handle and by token, which to him looks like none', async () => {
    const { json } = await seen.ask('bob');
    for (const body of [{ leaseId: json['leaseId'] }, { token: json['token'] }]) {
      const lines = await linesOf(async () => {
        expect(await seen.ask('carol', '/revoketoken', { body })).toMatchObject({
          status: 404,
          code: 'lease-not-found',
        });
      });
      expect(lines).toEqual([
        expect.objectContaining({
          action: 'deny',
          code: 'lease-not-found',
          reasons: ['it is the lease of another caller'],
        }),
      ]);
    }
    expect(await linesOf(() => seen.ask('carol', '/revoketoken', { body: { leaseId: 'nobodys' } }))).toEqual([]);
  });
});

describe('Lambda’s own events', () => {
  test.each([
    ['operator', { source: 'operator', filter: {} }],
    ['operator', { source: 'operator', select: { all: true } }],
    ['operator', { source: 'schedule', name: 'x', scheduledTime: '2026-01-01T00:00:00Z', select: { all: true } }],
  ] as const)('do nothing at %s: %j', async (name, event) => {
    const { json } = await seen.ask('bob');
    const lines = await linesOf(async () => {
      const { payload } = (await broker.invoke(name, event)) as { payload: string };
      expect(JSON.parse(payload)).toMatchObject({ statusCode: 500 });
    });
    expect([lines, (await seen.ask('bob')).json['leaseId']]).toEqual([[], json['leaseId']]);
  });

  test('of an operator are refused by revoketoken', async () => {
    const failed = await broker.invoke('revoketoken', { source: 'operator', select: { all: true } });
    expect(failed).toMatchObject({
      status: 'failed',
      error: { errorMessage: anInvalidRequest },
    });
  });

  test('with an event that names no operator, on a route of AWS credentials, nothing is done either', async () => {
    for (const iam of [undefined, null, 'x', {}, { userArn: '' }, { userArn: 'olga' }, { userArn: 7 }]) {
      const event = {
        ...operatorEvent('POST', '/leases/revoke', { all: true }),
        requestContext: { authorizer: { iam } },
      };
      const { payload } = (await broker.invoke('operator', event)) as { payload: string };
      expect(JSON.parse(payload)).toMatchObject({ statusCode: 500 });
    }
  });
});

describe('the gateway refuses on the routes of AWS credentials', () => {
  const forged = JSON.stringify({ iam: { userArn: OLGA.arn } });
  /** A signed request, changed before it is sent. */
  async function tampered(change: (headers: Headers) => { body?: string; path?: string } | void): Promise<Response> {
    const real = globalThis.fetch;
    let sent: Promise<Response> | undefined;
    globalThis.fetch = (async (input: URL, init: RequestInit) => {
      const headers = new Headers(init.headers);
      const { body = init.body, path } = change(headers) ?? {};
      const url = path === undefined ? input : new URL(path, input);
      sent = real(url, { ...init, headers, ...(body == null ? {} : { body }) });
      return sent;
    }) as typeof fetch;
    try {
      return await signed('POST', '/leases/revoke', { userName: 'nobody' });
    } finally {
      globalThis.fetch = real;
    }
  }
  const edited = (name: string, edit: (value: string) => string | undefined) => (headers: Headers) => {
    const value = edit(headers.get(name) ?? '');
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
  };
  const ago = (ms: number) => new Date(Date.now() - ms).toISOString().replace(/[-:]|\.\d{3}/g, '');

  test.each<[string, Parameters<typeof tampered>[0]]>([
    ['no signature', edited('authorization', () => undefined)],
    ['a wrong signature', edited('authorization', (text) => text.replace(/.$/, (last) => (last === '0' ? '1' : '0')))],
    ['another body', () => ({ body: '{"all":true}' })],
    ['another path', () => ({ path: '/operator/leases/revoke?x=1' })],
    ['no session token', edited('x-amz-security-token', () => undefined)],
    ['another session token', edited('x-amz-security-token', (text) => `${text}A`)],
    ['another time', edited('x-amz-date', () => ago(1_000))],
    ['a key that nobody has', edited('authorization', (text) => text.replace(/ASIA\w+/, 'ASIA0000000000000000'))],
    ['another service', edited('authorization', (text) => text.replace('execute-api', 'lambda'))],
    ['another region', edited('authorization', (text) => text.replace('eu-west-1', 'eu-west-2'))],
    ['no signed host', edited('authorization', (text) => text.replace(/host;/, ''))],
    ['a payload that is not signed', edited('x-amz-content-sha256', () => 'UNSIGNED-PAYLOAD')],
  ])('%s', async (_name, change) => {
    const lines = await linesOf(async () => {
      const answer = await tampered(change);
      expect([answer.status, await answer.text()]).toEqual([403, '{"message":"Forbidden"}']);
    });
    expect(lines).toEqual([]);
  });

  test.each([
    [-300_001, false],
    [-299_000, true],
    [299_000, true],
    [300_001, false],
  ])('a signature whose time is %i ms from the gateway’s: taken %s', async (ms, taken) => {
    let rawHeaders: string[] = [];
    await tampered((headers) => void (rawHeaders = [...headers].flat()));
    const at = Date.parse(
      (rawHeaders[rawHeaders.indexOf('x-amz-date') + 1] ?? '').replace(
        /^(.{4})(..)(..T..)(..)(..Z)$/,
        '$1-$2-$3:$4:$5',
      ),
    );
    const authorize = makeIamAuthorizer([broker.principals.operator], () => at - ms);
    const request = { method: 'POST', url: '/operator/leases/revoke', rawHeaders } as IncomingMessage;
    const identity = await authorize(request, Buffer.from('{"userName":"nobody"}'));
    expect(identity?.['userArn']).toBe(taken ? OLGA.arn : undefined);
  });

  test('what is not signed, whatever its headers say, and an operator’s access token', async () => {
    const jwt = `Bearer ${await broker.issuer.accessToken('ops')}`;
    for (const headers of [{}, { authorization: jwt }, { authorizer: forged, 'x-amzn-iam': forged }]) {
      const answer = await fetch(`${broker.url}/operator/leases`, { headers });
      expect([answer.status, await answer.text()]).toEqual([403, '{"message":"Forbidden"}']);
    }
  });

  test('somebody whom IAM allows nothing, and somebody unknown', async () => {
    for (const principal of [broker.principals.stranger, makePrincipal('broker-operator', 'olga')])
      expect((await signed('GET', '/leases', undefined, principal)).status).toBe(403);
  });
});

test('the filter that docs/audit.md gives a subscription takes every line of the audit, and no other', async () => {
  const document = readFileSync(join(import.meta.dirname, '../../../docs/audit.md'), 'utf8');
  const [, pattern = ''] = /--filter-pattern '([^']+)'/.exec(document) ?? [];
  // As CloudWatch Logs writes a filter for a boolean of JSON.
  expect(pattern).toBe('{ $.audit IS TRUE }');
  await seen.ask('bob');
  const matches = (text: string) => {
    try {
      return (JSON.parse(text) as { audit?: unknown }).audit === true;
    } catch {
      return false;
    }
  };
  const printed = broker.output.lines().map(({ text }) => text);
  expect(printed.filter(matches)).toHaveLength(auditOf(broker).length);
  expect(printed.length).toBeGreaterThan(auditOf(broker).length);
});
