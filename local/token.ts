/** `npm run token -- alice`: a ThoughtSpot token through a running broker, on stdout. */
import { parseArgs } from 'node:util';
import { LOOPBACK } from './network.ts';
import { readBasePort, SettingsError } from './settings.ts';

const HELP = `Prints a ThoughtSpot token for a demo user of the local broker.

  npm run token -- alice              the bare token
  npm run token -- alice --json       the whole answer
  npm run token -- alice --fresh      a new one, though an old one is still good
  npm run token -- alice --grant g    another grant that the policy names
  npm run token -- --jwt <jwt>        for another caller; "-" reads the access token from stdin
  npm run token -- --url <origin>     of another broker (a deployed one needs --jwt)

BROKER_PORT says where the local broker is, as for npm start.
`;

/** Something the person can put right; the message says how. */
class TokenError extends Error {}

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly correlationId?: string;
  readonly message?: string;
  readonly errors?: readonly { readonly field?: string; readonly message?: string }[];
}

async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { origin } = new URL(url);
    throw new TokenError(`No broker answers at ${origin}. Start one with: npm start`, { cause: error });
  }
}

async function demoJwt(broker: string, user: string): Promise<string> {
  const response = await ask(`${broker}/__local/jwt?user=${encodeURIComponent(user)}`);
  const text = await response.text();
  if (response.ok) return text;
  if (text.includes('demo user')) throw new TokenError(problemText(response.status, text));
  throw new TokenError(
    `${broker} is no local broker and knows no demo users: pass a caller's access token with --jwt.`,
  );
}

async function readStdin(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  return text.trim();
}

/** The broker's refusal in words: what, why, and what to quote to its operators. */
function problemText(status: number, body: string): string {
  let problem: Problem = {};
  try {
    problem = JSON.parse(body) as Problem;
  } catch {
    // Not from the broker: the status has to do.
  }
  const { title, detail, message, code, correlationId, errors = [] } = problem;
  const sentence = title === undefined ? (message ?? 'The broker refused.') : `${title}. ${detail ?? ''}`;
  const fields = errors.map(({ field, message: fault }) => `\n  ${field}: ${fault}`);
  const facts = [`status ${status}`, code, correlationId && `correlation id ${correlationId}`].filter(Boolean);
  return `${sentence.trim()} (${facts.join(', ')})${fields.join('')}`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      grant: { type: 'string' },
      url: { type: 'string' },
      jwt: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const [user] = positionals;
  if (values.jwt === undefined && user === undefined)
    throw new TokenError('For whom? Name a demo user (npm run token -- alice), or pass --jwt.');
  const broker = (values.url ?? `http://${LOOPBACK}:${readBasePort(process.env)}`).replace(/\/$/, '');
  if (URL.parse(broker) === null) throw new TokenError(`${broker} is not a URL such as https://broker.example.com.`);
  const given = values.jwt === '-' ? await readStdin() : values.jwt;
  const jwt = given ?? (await demoJwt(broker, user ?? ''));

  const response = await ask(`${broker}/gettoken`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${jwt}`,
      'content-type': 'application/json',
      accept: values.json ? 'application/json' : 'text/plain',
    },
    body: JSON.stringify({ ...(values.grant && { grant: values.grant }), ...(values.fresh && { fresh: true }) }),
  });
  const text = await response.text();
  if (!response.ok) throw new TokenError(problemText(response.status, text));
  process.stdout.write(`${values.json ? JSON.stringify(JSON.parse(text), null, 2) : text}\n`);
}

main().catch((error: unknown) => {
  const expected = error instanceof TokenError || error instanceof SettingsError;
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const text = error instanceof Error ? (expected || isUsage ? error.message : (error.stack ?? '')) : String(error);
  process.stderr.write(`${text}\n${isUsage ? `\n${HELP}` : ''}`);
  process.exitCode = 1;
});
