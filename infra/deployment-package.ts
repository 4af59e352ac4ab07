import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { zipSync } from 'fflate';

export interface DeploymentPackage {
  readonly file: string;
  /** Base64, as Lambda says it (CodeSha256) of the very bytes that it was given. */
  readonly sha256: string;
}

/**
 * Writes the files of a folder as `<folder>.zip`. The same files give the same bytes on every machine, so what is deployed
 * can be compared with what was built. The CDK would zip the folder only while it deploys, and keep no hash of that.
 */
export function packFolder(folder: string): DeploymentPackage {
  // Local time, because the format has no other: the same date everywhere.
  const entry = { mtime: new Date(1980, 0, 1), os: 3, attrs: 0o100644 << 16, level: 9 } as const;
  const files = readdirSync(folder).sort();
  const zip = zipSync(
    Object.fromEntries(files.map((name) => [name, [readFileSync(path.join(folder, name)), entry] as const])),
  );
  writeFileSync(`${folder}.zip`, zip);
  return { file: `${folder}.zip`, sha256: createHash('sha256').update(zip).digest('base64') };
}
