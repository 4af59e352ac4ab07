/** Watches sources and reports a change once it has settled. */
import { watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';

const SETTLE_MS = 100;

/**
 * Calls `onChange` after files under `folders` or one of `files` have changed and then been quiet for a moment; never
 * two calls at once. Returns a function that stops.
 */
export function watchSources(
  folders: readonly string[],
  files: readonly string[],
  onChange: () => Promise<void>,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const touched = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(onChange);
    }, SETTLE_MS);
  };
  const watchers: FSWatcher[] = [
    ...folders.map((folder) => watch(folder, { recursive: true }, touched)),
    // Editors replace a file rather than write to it: watch for its name in its folder.
    ...files.map((file) => watch(dirname(file), (_event, name) => (name === basename(file) ? touched() : undefined))),
  ];
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
