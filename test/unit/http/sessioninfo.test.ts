import type { Caller } from '../../../functions/broker/ports.ts';
import { sessioninfoRoute } from '../../../functions/http/sessioninfo.ts';
import { httpEvent } from '../../support/http-event.ts';

test('GET /sessioninfo shows the session in the names of the session API, without nulls and without any token', async () => {
  const caller: Caller = { issuer: 'i', subject: 's', claims: {}, issuedAt: 0, expiresAt: 0, scopes: [] };
  const details = {
    locale: 'en',
    timezone: null,
    authToken: 'secret',
    token: 'secret',
    refresh_token: 'secret',
    userName: 'x',
  };
  const route = sessioninfoRoute(async () => ({ userName: 'alice', userId: 'guid', orgId: 1, details }));
  const answer = await route.answer({ event: httpEvent(), caller, deadline: 0, conceal: () => {} });
  expect(answer.statusCode).toBe(200);
  expect(JSON.parse(answer.body ?? '')).toEqual({ locale: 'en', userName: 'alice', userGUID: 'guid', orgId: 1 });
});
