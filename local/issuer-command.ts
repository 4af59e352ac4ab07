/** `npm run issuer`: the OIDC issuer of the local set by itself, for a broker that runs elsewhere. */
import { readArguments, runCommand, UsageError } from './command.ts';
import { readDemoUsers, startIssuer } from './issuer.ts';
import { certificateFile, keyOf, selfSigned } from './thoughtspot/self-signed.ts';

const HELP = `An OIDC issuer for the demo users on this machine, without npm start.

  npm run issuer -- [--port 8789] [--tls]

  --port   port on 127.0.0.1 (8789)
  --tls    serve https, with a certificate that is made at the start; its file is printed (NODE_EXTRA_CA_CERTS)
  --help   this text

An access token: curl -d 'grant_type=password&username=alice' http://127.0.0.1:8789/token
`;

const { values } = readArguments(HELP, { port: { type: 'string', default: '8789' }, tls: { type: 'boolean' } });

await runCommand(async () => {
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535)
    throw new UsageError(`--port must be a port number, not ${values.port}.`);
  const certificate = values.tls === true ? newCertificate() : undefined;
  const tls = certificate === undefined ? undefined : { cert: certificate, key: keyOf(certificate) };
  const issuer = await startIssuer(readDemoUsers(), port, tls);
  process.stdout.write(
    [
      `The issuer is ready: ${issuer.url}`,
      ...(certificate === undefined ? [] : [`trust it: NODE_EXTRA_CA_CERTS=${certificate}`]),
      `audience ${issuer.audience}, users ${Object.keys(issuer.users).join(', ')}`,
      `An access token: curl ${certificate === undefined ? '' : `--cacert ${certificate} `}-d 'grant_type=password&username=alice' ${issuer.url}/token`,
      'Ctrl-C stops it.',
      '',
    ].join('\n'),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void issuer.close());
});

function newCertificate(): string {
  const { cert, key } = selfSigned();
  return certificateFile(cert, key);
}
