/*
 * The vendor's own client, unmodified, against the simulator: if it can read every answer, so can what is built on it.
 * Jest resolves the package to its CommonJS build, which needs a `fetch` on the global object and nothing else.
 */
import {
  ThoughtSpotRestApi,
  createBasicConfig,
  createBearerAuthenticationConfig,
  type ApiException,
} from '@thoughtspot/rest-api-sdk';
import type { Simulator } from '../../../local/thoughtspot/simulator.ts';
import { start } from './cluster-client.ts';

const LIVEBOARD = '11111111-aaaa-4bbb-8ccc-000000000001';
const PASSWORD = 'simulated-Pa55word-of-svc-broker';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await start();
});
beforeEach(() => simulator.reset());
afterAll(() => simulator.close());

const anonymous = (): ThoughtSpotRestApi => new ThoughtSpotRestApi(createBasicConfig(simulator.url));
const withBearer = (token: string): ThoughtSpotRestApi =>
  new ThoughtSpotRestApi(createBearerAuthenticationConfig(simulator.url, () => Promise.resolve(token)));
const alice = () => ({ username: 'alice', secret_key: simulator.secretKey() });

test('getFullAccessToken', async () => {
  const token = await anonymous().getFullAccessToken({ ...alice(), org_id: 1, validity_time_in_sec: 60 });
  expect(token.token).toBe(simulator.tokens()[0]);
  expect(token.expiration_time_in_millis - token.creation_time_in_millis).toBe(60_000);
  expect(token).toMatchObject({ valid_for_username: 'alice', scope: { access_type: 'FULL', org_id: 1 } });
});

test('getObjectAccessToken', async () => {
  const token = await anonymous().getObjectAccessToken({ ...alice(), org_id: 1, object_id: LIVEBOARD });
  expect(token).toMatchObject({
    valid_for_username: 'alice',
    scope: { access_type: 'REPORT_BOOK_VIEW', org_id: 1, metadata_id: LIVEBOARD },
  });
});

test('getCustomAccessToken', async () => {
  const token = await anonymous().getCustomAccessToken({
    ...alice(),
    org_identifier: 'acme',
    persist_option: 'REPLACE',
    variable_values: [{ name: 'region', values: ['west'] }],
  });
  expect(token).toMatchObject({ token: simulator.tokens()[0], org: { id: 1, name: 'acme' }, user: { name: 'alice' } });
  expect(simulator.state().tokens[0]?.entitlements.variables).toEqual({ region: ['west'] });
});

test('validateToken, getCurrentUserInfo and revokeToken', async () => {
  const { token } = await anonymous().getFullAccessToken({ ...alice(), org_id: 1 });
  const client = withBearer(token);
  expect(await client.validateToken({ token })).toMatchObject({ token_type: 'bearer', scope: { org_id: 1 } });
  expect(await client.getCurrentUserInfo()).toMatchObject({ name: 'alice', current_org: { id: 1, name: 'acme' } });
  await client.revokeToken({ user_identifier: 'alice', token });
  expect(simulator.tokens()).toEqual([]);
  await expect(client.getCurrentUserInfo()).rejects.toMatchObject({ code: 401 } satisfies Partial<
    ApiException<unknown>
  >);
});

test('login and logout', async () => {
  await anonymous().login({ username: 'svc-broker', password: PASSWORD, org_identifier: 'acme', remember_me: false });
  expect(simulator.state().sessions).toMatchObject([{ user: 'svc-broker', org: 1 }]);
  const { token } = await anonymous().getFullAccessToken({ ...alice(), org_id: 1 });
  await withBearer(token).logout();
});

test('its errors carry the documented body', async () => {
  const refused = anonymous().getFullAccessToken({ username: 'alice', secret_key: 'wrong', org_id: 1 });
  await expect(refused).rejects.toMatchObject({ code: 401, body: { error: { message: { code: 10097 } } } });
});

test('given a secret key as its configuration, it mints before each call', async () => {
  const config = createBearerAuthenticationConfig(simulator.url, { ...alice(), org_id: 1 });
  const client = new ThoughtSpotRestApi(config);
  await client.getCurrentUserInfo();
  await client.getCurrentUserInfo();
  expect(simulator.state().mints).toBe(2);
});
