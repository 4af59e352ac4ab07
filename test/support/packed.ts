import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Empties `place`, and installs a workspace of the project there as it would be published. Returns the path of its tarball. */
export function installPacked(workspace: string, place: string): string {
  const installed = join(place, 'node_modules', workspace);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--workspace', workspace, '--pack-destination', place], { cwd: ROOT });
  const tarball = join(place, readdirSync(place).find((name) => name.endsWith('.tgz')) ?? '');
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  return tarball;
}
