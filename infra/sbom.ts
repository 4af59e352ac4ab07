import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Enums, Models, Serialize, Spec, SPDX } from '@cyclonedx/cyclonedx-library';
import type { Metafile } from 'esbuild';
import { messageOf, readArguments, runCommand } from '../local/command.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../functions/contract/functions.ts';
import { buildFunctions, bundleFiles, PROJECT_ROOT } from './bundles.ts';

/** The property of a component that names a function whose bundle holds it; one for each such function. */
const BUNDLE_PROPERTY = 'thoughtspot-token-broker:bundle';

/** What package-lock.json knows of a package. */
interface LockedPackage {
  /** Only where the folder is called something else than the package. */
  readonly name?: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
}

/**
 * The bill of materials of what is deployed, as CycloneDX JSON: the packages in the bundles, as esbuild reports them, and
 * nothing else. The same bundles and lockfile give the same bytes. Throws if a package is not in the lockfile.
 */
export function billOfMaterials(
  { outputs }: Pick<Metafile, 'outputs'>,
  locked: Readonly<Record<string, LockedPackage>>,
  secondsOfBuild?: number,
): string {
  const bom = new Models.Bom();
  const { name = '', ...project } = locked[''] ?? {};
  bom.metadata.component = componentOf(Enums.ComponentType.Application, name, project);
  if (secondsOfBuild !== undefined) bom.metadata.timestamp = new Date(secondsOfBuild * 1000);
  const components = new Map<string, Models.Component>();
  for (const bundle of FUNCTION_NAMES) {
    const output = Object.values(outputs).find(({ entryPoint }) => entryPoint === FUNCTIONS[bundle].entry);
    if (output === undefined) throw new Error(`There is no bundle of ${bundle}`);
    const kept = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
    for (const folder of new Set(kept.flatMap(([file]) => packageFolder(file) ?? []))) {
      const found = libraryIn(folder, locked[folder]);
      // Two folders may hold the same version of a package: that is one component.
      const component = components.get(`${found.purl}`) ?? found;
      components.set(`${found.purl}`, component);
      if (![...component.properties].some(({ value }) => value === bundle))
        component.properties.add(new Models.Property(BUNDLE_PROPERTY, bundle));
    }
  }
  for (const component of components.values()) bom.components.add(component);
  const normalizers = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return new Serialize.JsonSerializer(normalizers).serialize(bom, { sortLists: true, space: 2 });
}

/** The folder of the package that a file belongs to, as the lockfile names it: the innermost one. Undefined for our own files. */
function packageFolder(file: string): string | undefined {
  return /^(?:\.\.\/)*((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
}

function libraryIn(folder: string, locked: LockedPackage | undefined): Models.Component {
  if (locked === undefined) throw new Error(`${folder} is in a bundle, but not in package-lock.json`);
  const name = locked.name ?? folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  return componentOf(Enums.ComponentType.Library, name, locked);
}

function componentOf(
  type: Enums.ComponentType,
  name: string,
  { version = '', integrity, license }: LockedPackage,
): Models.Component {
  const [base, group] = name.split('/').reverse();
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const component = new Models.Component(type, base ?? name, { bomRef: purl, purl, version });
  if (group !== undefined) component.group = group;
  if (license !== undefined)
    component.licenses.add(
      SPDX.isSupportedSpdxId(license) ? new Models.SpdxLicense(license) : new Models.LicenseExpression(license),
    );
  const [, sha512] = /^sha512-(\S+)/.exec(integrity ?? '') ?? [];
  if (sha512 !== undefined)
    component.hashes.set(Enums.HashAlgorithm['SHA-512'], Buffer.from(sha512, 'base64').toString('hex'));
  return component;
}

const USAGE = `npm run sbom

Bundles every function and prints the bill of materials of what is in the bundles: CycloneDX 1.6, as JSON.

SOURCE_DATE_EPOCH   its timestamp, seconds since 1970; without it, it has none
--help              this text
`;

async function main(): Promise<void> {
  readArguments(USAGE, {});
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sbom-'));
  try {
    const metafile = await buildFunctions(folder, bundleFiles);
    const lockfile = JSON.parse(readFileSync(path.join(PROJECT_ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, LockedPackage>;
    };
    const { SOURCE_DATE_EPOCH: seconds } = process.env;
    console.log(billOfMaterials(metafile, lockfile.packages, seconds ? Number(seconds) : undefined));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) void runCommand(main, messageOf);
