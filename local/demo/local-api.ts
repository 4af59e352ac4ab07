/** What the page asks the local set for: its own routes under /__local/, the broker, and the simulator's control. */
import type { DemoUser } from '../issuer.ts';
import type { OutputLine } from '../lambda/output.ts';
import type { ListedLease } from '../operator/operator-broker.ts';
import type { Switches } from '../thoughtspot/switches.ts';

export interface Addresses {
  readonly thoughtspot: string;
  readonly issuer: string;
  /** Absent where ThoughtSpot is a real cluster. */
  readonly simulator?: string;
}

/** A refusal in words for people. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

async function read<T>(url: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(url, { cache: 'no-store', ...init }).catch(() => {
    throw new Refused('Nothing answers. Is npm start still running?');
  });
  const body: unknown = await answer.json().catch(() => ({}));
  if (answer.ok) return body as T;
  const { detail, message, error, code } = body as Record<string, unknown>;
  const words = [detail, message, error].find((text) => typeof text === 'string') ?? `status ${answer.status}`;
  throw new Refused(typeof code === 'string' ? `${words} (${code})` : String(words));
}

const posted = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

export const users = () => read<Readonly<Record<string, DemoUser>>>('/__local/users');
export const addresses = () => read<Addresses>('/__local/addresses');
export const leases = async () => (await read<{ leases: readonly ListedLease[] }>('/__local/leases?limit=100')).leases;
export const output = (limit: number) => read<readonly OutputLine[]>(`/__local/output?limit=${limit}`);
export const sweep = () => read<Readonly<Record<string, unknown>>>('/__local/sweep', posted({}));

/** An access token of a demo user. It stays in memory. */
export async function accessToken(user: string): Promise<string> {
  const answer = await fetch(`/__local/jwt?user=${encodeURIComponent(user)}`, { cache: 'no-store' });
  if (!answer.ok) throw new Refused('The issuer gives no access token for this user.');
  return answer.text();
}

/** Revokes as that user; what may be selected is for the broker to decide. */
export async function revoke(user: string, selection: object): Promise<{ revoked: number; pending: number | null }> {
  return read('/revoketoken', posted(selection, { authorization: `Bearer ${await accessToken(user)}` }));
}

/** The simulator's switches and actions. */
export const simulatorAt = (url: string) => ({
  switches: () => read<Switches>(`${url}/__simulator/switches`),
  set: (patch: Partial<Switches>) => read<Switches>(`${url}/__simulator/switches`, posted(patch)),
  rotateKey: () => read<unknown>(`${url}/__simulator/rotate-key`, posted({})),
});
export type SimulatorControl = ReturnType<typeof simulatorAt>;
