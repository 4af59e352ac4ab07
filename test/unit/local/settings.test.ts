import { readSettings, SettingsError } from '../../../local/settings.ts';

const HOST = 'https://acme.thoughtspot.cloud';

it('starts the simulator on the usual ports without any variable', () => {
  expect(readSettings({})).toMatchObject({
    basePort: 8787,
    thoughtspot: { kind: 'simulator', dialect: 'auth-2.0' },
    allowOrigins: [],
    logLevel: 'INFO',
  });
});

it.each([
  ['a secret key', { THOUGHTSPOT_SECRET_KEY: 'k' }, { secretKey: 'k' }],
  ['an account', { THOUGHTSPOT_USERNAME: 'u', THOUGHTSPOT_PASSWORD: 'p' }, { userName: 'u', password: 'p' }],
])('talks to a real cluster with %s', (_name, variables, credential) => {
  const { thoughtspot } = readSettings({ THOUGHTSPOT_HOST: `${HOST}/`, ...variables });
  expect(thoughtspot).toEqual({ kind: 'cluster', host: HOST, dialect: 'auth-2.0', credential });
});

it.each(['http://[::1]:8788', 'http://127.0.0.1:8788', 'http://localhost:8788'])(
  'takes %s, on this machine, in clear text',
  (host) => {
    const { thoughtspot } = readSettings({ THOUGHTSPOT_HOST: host, THOUGHTSPOT_SECRET_KEY: 'k' });
    expect(thoughtspot).toMatchObject({ host });
  },
);

it('takes origins by commas', () => {
  const { allowOrigins } = readSettings({ BROKER_ORIGINS: 'http://localhost:5173, https://a.example' });
  expect(allowOrigins).toEqual(['http://localhost:5173', 'https://a.example']);
});

it.each([
  ['a port that is no number', { BROKER_PORT: 'http' }, /BROKER_PORT=http/],
  ['a port that needs root', { BROKER_PORT: '80' }, /from 1024/],
  ['a port with no room for the others', { BROKER_PORT: '65533' }, /to 65529/],
  ['a host without credential', { THOUGHTSPOT_HOST: HOST }, /no credential/],
  ['half an account', { THOUGHTSPOT_HOST: HOST, THOUGHTSPOT_USERNAME: 'u' }, /no credential/],
  ['a credential without host', { THOUGHTSPOT_SECRET_KEY: 'k' }, /no THOUGHTSPOT_HOST/],
  [
    'two credentials',
    { THOUGHTSPOT_HOST: HOST, THOUGHTSPOT_SECRET_KEY: 'k', THOUGHTSPOT_USERNAME: 'u', THOUGHTSPOT_PASSWORD: 'p' },
    /either/,
  ],
  ['a host in clear text', { THOUGHTSPOT_HOST: 'http://acme.example', THOUGHTSPOT_SECRET_KEY: 'k' }, /not an origin/],
  ['a host with a path', { THOUGHTSPOT_HOST: `${HOST}/x`, THOUGHTSPOT_SECRET_KEY: 'k' }, /not an origin/],
  ['an unknown dialect', { THOUGHTSPOT_DIALECT: 'v1' }, /neither/],
  [
    'session-v2 with a key only',
    { THOUGHTSPOT_HOST: HOST, THOUGHTSPOT_SECRET_KEY: 'k', THOUGHTSPOT_DIALECT: 'session-v2' },
    /signs in/,
  ],
  ['a wildcard for an origin', { BROKER_ORIGINS: 'https://*.example' }, /a wildcard would let any page ask/],
  ['an origin with a path', { BROKER_ORIGINS: 'http://localhost:5173/' }, /not an origin/],
])('refuses %s and says what to do', (_name, variables, message) => {
  expect(() => readSettings(variables)).toThrow(SettingsError);
  expect(() => readSettings(variables)).toThrow(message);
});

it.each([{ THOUGHTSPOT_SECRET_KEY: 'canary' }, { THOUGHTSPOT_PASSWORD: 'canary' }])(
  'never repeats a credential in an error',
  (variables) => {
    expect(() => readSettings(variables)).toThrow(/^(?!.*canary)/s);
    expect(() => readSettings(variables)).toThrow(SettingsError);
  },
);

it('takes the origins of apps in their own web view', () => {
  const { allowOrigins } = readSettings({ BROKER_ORIGINS: 'capacitor://localhost,ionic://localhost' });
  expect(allowOrigins).toEqual(['capacitor://localhost', 'ionic://localhost']);
});
