/** Progress on stderr, with the time that is left: a line that rewrites itself on a terminal, a line in a while elsewhere. */
export interface Progress {
  /** `done` of the total is finished; `label` says what is being done. */
  update(done: number, label?: string): void;
  end(): void;
}

export interface ProgressOptions {
  readonly total: number;
  readonly title: string;
  readonly stream?: NodeJS.WriteStream;
  readonly now?: () => number;
}

const BAR = 24;
/** How often a stream that is no terminal gets a line, ms. */
const QUIET_MS = 10_000;

export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

export function startProgress({ total, title, stream = process.stderr, now = Date.now }: ProgressOptions): Progress {
  const startedAt = now();
  let writtenAt = Number.NEGATIVE_INFINITY;

  function line(done: number, label: string): string {
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(share * BAR);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled);
    const elapsed = now() - startedAt;
    const left = share > 0 && share < 1 ? `, about ${formatDuration((elapsed / share) * (1 - share))} left` : '';
    return `${title} ${bar} ${Math.floor(share * 100)} % (${done}/${total}${left}) ${label}`.trimEnd();
  }

  return {
    update(done, label = '') {
      if (stream.isTTY) {
        stream.write(`\r\u001b[2K${line(done, label).slice(0, Math.max(20, stream.columns - 1))}`);
      } else if (now() - writtenAt >= QUIET_MS || done >= total) {
        writtenAt = now();
        stream.write(`${line(done, label)}\n`);
      }
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[2K');
    },
  };
}
