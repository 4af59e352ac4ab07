/** What the commands of this project have in common: arguments, asking a broker, its refusals in words, and how they end. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** It did not work, and the person can do something about it; the message says what. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
}

/** The person asked for something that cannot be: the command ends with status 2. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * The arguments of this process, with at most that many that are no options. Ends the process with the help where a
 * person asks for it, and with status 2 where the arguments are wrong.
 */
export function readArguments<const T extends Options>(help: string, options: T, most = 0) {
  // `--help | head` closes the pipe before everything is written. That is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  try {
    const config = { allowPositionals: true, options: { ...options, help: { type: 'boolean', short: 'h' } } } as const;
    const { values, positionals } = parseArgs(config);
    if ((values as { help?: boolean }).help === true) {
      process.stdout.write(help);
      process.exit(0);
    }
    const [surplus] = positionals.slice(most);
    if (surplus !== undefined) throw new UsageError(`Unexpected argument '${surplus}'.`);
    return { values, positionals };
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${help}`);
    process.exit(2);
  }
}

/** The message alone of what the person can do something about, the stack of anything else. */
export function textOf(error: unknown): string {
  if (error instanceof CommandError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Runs a command, and ends it with the text and the status of its error. */
export async function runCommand(main: () => Promise<void> | void, text = textOf): Promise<void> {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${text(error)}\n`);
    if (error instanceof UsageError) process.stderr.write('--help explains.\n');
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

/** Of every error the message: for commands all of whose errors are about what they were given. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Throws UsageError if that is no URL, and CommandError if nothing answers there. */
export async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  if (URL.parse(url) === null) throw new UsageError(`${url} is not a URL such as https://broker.example.com.`);
  try {
    return await fetch(url, init);
  } catch (cause) {
    const message = `No broker answers at ${new URL(url).origin}. Start one with npm start, or name another with --url.`;
    throw new CommandError(message, { cause });
  }
}

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly correlationId?: string;
  readonly errors?: readonly { readonly field?: string; readonly detail?: string }[];
  /** Of the gateway, which speaks no problem+json. */
  readonly message?: string;
}

/** A refusal in words: what, why, and what to quote to the broker's operators. */
export function refusalText(status: number, body: string): string {
  let problem: Problem = {};
  try {
    problem = JSON.parse(body) as Problem;
  } catch {
    // Not from the broker: the status has to do.
  }
  const { title, detail, message, code, correlationId, errors = [] } = problem;
  const sentence = title === undefined ? (message ?? 'The broker refused.') : `${title}. ${detail ?? ''}`;
  const fields = errors.map((error) => `\n  ${error.field}: ${error.detail}`);
  const facts = [`status ${status}`, code, correlationId && `correlation id ${correlationId}`].filter(Boolean);
  return `${sentence.trim()} (${facts.join(', ')})${fields.join('')}`;
}

/**
 * An access token of a demo user, from a broker that npm start runs at this origin; of its first issuer where none is
 * named. Throws CommandError.
 */
export async function demoAccessToken(broker: string, user: string, issuer?: string): Promise<string> {
  const query = new URLSearchParams({ user, ...(issuer !== undefined && { issuer }) });
  const response = await ask(`${broker}/__local/jwt?${query}`);
  const text = await response.text();
  if (response.ok) return text;
  if (text.includes('There is no')) throw new CommandError(refusalText(response.status, text));
  throw new CommandError(
    `${broker} is no local broker and knows no demo users: pass a caller's access token with --jwt.`,
  );
}
