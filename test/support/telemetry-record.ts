import type { SignalName } from '../../functions/contract/signals.ts';
import type { Telemetry } from '../../functions/telemetry/telemetry.ts';

/** Telemetry that only records, for tests of the code that uses it. */
export function recordTelemetry() {
  const lines: { readonly level: string; readonly message: string; readonly fields: Record<string, unknown> }[] = [];
  const signals: (readonly [SignalName, number])[] = [];
  const audited: object[] = [];
  const concealed: string[] = [];
  const life: string[] = [];
  const actors: object[] = [];
  const write =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void lines.push({ level, message, fields });
  const telemetry: Telemetry = {
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    audit: { record: (event) => void audited.push(event) },
    signals: { emit: (signal, value = 1) => void signals.push([signal, value]) },
    conceal: (secret) => void concealed.push(secret),
    identified: (who) => void actors.push(who),
    begin: (id) => void life.push(`begin ${id}`),
    end(message, fields) {
      if (message !== undefined) write('info')(message, { ...fields });
      life.push('end');
    },
  };
  const counted = (name: SignalName) => signals.filter(([signal]) => signal === name).length;
  return { telemetry, lines, signals, audited, concealed, life, actors, counted };
}
