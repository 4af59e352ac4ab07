import { parseArgs } from 'node:util';
import { readCluster } from './cluster.ts';
import { certificateFile, selfSigned } from './self-signed.ts';
import { startSimulator } from './simulator.ts';

const HELP = `A ThoughtSpot cluster on this machine, for testing token services and embeds.

  node local/thoughtspot/main.ts [--port 8788] [--tls] [--cluster file.json] [--allow-origin http://127.0.0.1:8787]...

  --port          port on 127.0.0.1 (8788)
  --cluster       users, orgs, groups and keys; cluster.json beside this file is the demo and shows the format
  --allow-origin  an origin that may call the cluster from a browser and frame its page; may be repeated
  --tls           serve https, with a certificate that is made at the start; its file is printed (NODE_EXTRA_CA_CERTS)
  --help          this text

Switches and read-outs are under /__simulator/; the README beside this file lists them.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8788' },
      cluster: { type: 'string' },
      tls: { type: 'boolean', default: false },
      'allow-origin': { type: 'string', multiple: true, default: ['http://127.0.0.1:8787', 'http://localhost:8787'] },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new RangeError(`--port must be a port number, not ${values.port}`);
  const cluster = readCluster(values.cluster);
  const tls = values.tls ? selfSigned() : undefined;
  const simulator = await startSimulator({
    port,
    cluster,
    allowedOrigins: values['allow-origin'],
    ...(tls && { tls }),
  });
  const certificate = tls && certificateFile(tls.cert);
  process.stdout.write(
    [
      `${cluster.clusterName} at ${simulator.url}, switches at ${simulator.url}/__simulator/switches`,
      ...(certificate === undefined ? [] : [`trust it: NODE_EXTRA_CA_CERTS=${certificate}`]),
      `users: ${cluster.users.map((user) => user.name).join(', ')}`,
      'Ctrl-C stops it.',
      '',
    ].join('\n'),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.close());
}

main().catch((error: unknown) => {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const usage = error instanceof RangeError || code.startsWith('ERR_PARSE_ARGS');
  const advice = code === 'EADDRINUSE' ? 'That port is taken; choose another with --port.' : message;
  process.stderr.write(`The simulator did not start. ${advice}\n${usage ? '--help explains.\n' : ''}`);
  process.exitCode = usage ? 2 : 1;
});
