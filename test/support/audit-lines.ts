import type { LocalBroker } from '../../local/local-broker.ts';

export interface AuditLine extends Record<string, unknown> {
  readonly action: string;
}

/** The lines that the functions of a broker have put on record, of one action or of all, oldest first. */
export function auditOf(broker: LocalBroker, action?: string): readonly AuditLine[] {
  return broker.output
    .lines()
    .filter(({ text }) => text.startsWith('{"audit":true'))
    .map(({ text }) => JSON.parse(text) as AuditLine)
    .filter((line) => action === undefined || line.action === action);
}
