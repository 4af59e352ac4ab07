/**
 * No sandbox outlives its host, even if the host is killed with SIGKILL. A frozen process cannot notice that it is
 * alone, so a small shell watches for it: it holds the end of a pipe, and when the host is gone kills what is listed.
 */
import { spawn, type ChildProcess } from 'node:child_process';

const WATCH = `
trap '' INT TERM HUP
list=' '
while read -r verb pid; do
  case "$verb" in
    guard) list="$list$pid " ;;
    release) list=$(printf '%s' "$list" | sed "s/ $pid / /") ;;
  esac
done
for pid in $list; do kill -9 "$pid" 2>/dev/null; done
`;

const guarded = new Set<number>();
let watcher: ChildProcess | undefined;

function send(line: string): void {
  watcher?.stdin?.write(`${line}\n`);
}

/** From now on this process id is killed when we are gone. */
export function guard(pid: number): void {
  if (process.platform === 'win32') return;
  if (watcher === undefined) {
    watcher = spawn('/bin/sh', ['-c', WATCH], { stdio: ['pipe', 'ignore', 'ignore'] });
    // Should the shell be missing or die, all that is lost is the guard.
    watcher.on('error', () => undefined);
    watcher.stdin?.on('error', () => undefined);
    watcher.unref();
  }
  guarded.add(pid);
  send(`guard ${pid}`);
}

/** The process has ended: its id may be somebody else's soon. */
export function release(pid: number): void {
  if (!guarded.delete(pid)) return;
  send(`release ${pid}`);
  if (guarded.size > 0) return;
  watcher?.stdin?.end();
  watcher = undefined;
}
