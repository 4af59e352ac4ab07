/** `npm run issuer`: the OIDC issuer of the local set by itself, for a broker that runs elsewhere. */
import { readArguments, runCommand, UsageError } from './command.ts';
import { readDemoUsers, startIssuer } from './issuer.ts';

const HELP = `An OIDC issuer for the demo users on this machine, without npm start.

  npm run issuer -- [--port 8789]

  --port   port on 127.0.0.1 (8789)
  --help   this text

An access token: curl -d 'grant_type=password&username=alice' http://127.0.0.1:8789/token
`;

const { values } = readArguments(HELP, { port: { type: 'string', default: '8789' } });

await runCommand(async () => {
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535)
    throw new UsageError(`--port must be a port number, not ${values.port}.`);
  const issuer = await startIssuer(readDemoUsers(), port);
  process.stdout.write(
    [
      `The issuer is ready: ${issuer.url}`,
      `audience ${issuer.audience}, users ${Object.keys(issuer.users).join(', ')}`,
      `An access token: curl -d 'grant_type=password&username=alice' ${issuer.url}/token`,
      'Ctrl-C stops it.',
      '',
    ].join('\n'),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void issuer.close());
});
