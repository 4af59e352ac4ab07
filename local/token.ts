/** `npm run token -- alice`: a ThoughtSpot token through a running broker, on stdout. */
import { ISSUER_NAME, pathFor } from '../functions/contract/functions.ts';
import { ask, CommandError, demoAccessToken, readArguments, refusalText, runCommand, UsageError } from './command.ts';
import { LOOPBACK } from './network.ts';
import { readBasePort } from './settings.ts';

const HELP = `Prints a ThoughtSpot token for a demo user of the local broker.

  npm run token -- alice              the bare token
  npm run token -- alice --json       the whole answer
  npm run token -- alice --fresh      a new one, though an old one is still good
  npm run token -- alice --grant g    another grant that the policy names
  npm run token -- --jwt <jwt>        for another caller; "-" reads the access token from stdin
  npm run token -- alice --issuer i   at the routes of a further issuer (npm start -- --partner has one: partner)
  npm run token -- --url <origin>     of another broker (a deployed one needs --jwt)

BROKER_PORT says where the local broker is, as for npm start.
`;

async function readStdin(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  return text.trim();
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments(
    HELP,
    {
      json: { type: 'boolean' },
      fresh: { type: 'boolean' },
      grant: { type: 'string' },
      issuer: { type: 'string' },
      url: { type: 'string' },
      jwt: { type: 'string' },
    },
    1,
  );
  const { json = false, grant, fresh, issuer, url = `http://${LOOPBACK}:${readBasePort(process.env)}`, jwt } = values;
  const [user] = positionals;
  if (jwt === undefined && user === undefined)
    throw new UsageError('For whom? Name a demo user (npm run token -- alice), or pass --jwt.');
  if (jwt !== undefined && user !== undefined)
    throw new UsageError(`For whom? Name the demo user ${user} or pass --jwt, not both.`);
  if (issuer !== undefined && !ISSUER_NAME.test(issuer))
    throw new UsageError(`--issuer ${issuer} is not the name of an issuer. The first has none: leave it out.`);
  const broker = url.replace(/\/$/, '');
  const accessToken = jwt === '-' ? await readStdin() : (jwt ?? (await demoAccessToken(broker, user ?? '', issuer)));

  const response = await ask(`${broker}${pathFor('/gettoken', issuer)}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: json ? 'application/json' : 'text/plain',
    },
    body: JSON.stringify({ ...(grant && { grant }), ...(fresh && { fresh }) }),
  });
  const text = await response.text();
  if (response.status === 404 && issuer !== undefined)
    throw new CommandError(`${broker} has no issuer ${issuer}: its environment lists them (issuers.<n>.name).`);
  if (!response.ok) throw new CommandError(refusalText(response.status, text));
  process.stdout.write(`${json ? JSON.stringify(JSON.parse(text), null, 2) : text}\n`);
}

await runCommand(main);
