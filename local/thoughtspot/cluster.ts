import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from './json.ts';

export const ACCOUNT_STATUSES = ['ACTIVE', 'INACTIVE', 'EXPIRED', 'LOCKED', 'PENDING', 'SUSPENDED'] as const;
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

export interface OrgData {
  id: number;
  name: string;
  /** A key for this Org only, in addition to the cluster's own (wire facts 3.6: one key per level). */
  secretKey?: string;
}

export interface GroupData {
  name: string;
  org: number;
  privileges?: string[];
}

export interface UserData {
  name: string;
  id: string;
  displayName?: string;
  email?: string;
  /** The first one is where the user's first session is. */
  orgs: number[];
  groups: string[];
  status?: AccountStatus;
  password?: string;
}

export interface LiveboardData {
  id: string;
  name: string;
  org: number;
}

/** What a simulated cluster starts with; cluster.json is one. */
export interface Cluster {
  clusterId: string;
  clusterName: string;
  releaseVersion: string;
  secretKey: string;
  orgs: OrgData[];
  groups: GroupData[];
  users: UserData[];
  liveboards: LiveboardData[];
}

const STATUSES: readonly unknown[] = [...ACCOUNT_STATUSES, undefined];
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isOptionalText = (value: unknown): boolean => value === undefined || isText(value);
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isOrgId = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0;

type Shape = Record<string, (value: unknown) => boolean>;

const SHAPES = {
  orgs: { id: isOrgId, name: isText, secretKey: isOptionalText },
  groups: { name: isText, org: isOrgId, privileges: (value) => value === undefined || isTexts(value) },
  users: {
    name: isText,
    id: isText,
    displayName: isOptionalText,
    email: isOptionalText,
    orgs: (value) => Array.isArray(value) && value.length > 0 && value.every(isOrgId),
    groups: isTexts,
    status: (value) => STATUSES.includes(value),
    password: isOptionalText,
  },
  liveboards: { id: isText, name: isText, org: isOrgId },
} satisfies Record<string, Shape>;

function faultsOfRow(path: string, row: unknown, shape: Shape): string[] {
  if (!isObject(row)) return [`${path} must be an object`];
  const unknown = Object.keys(row).filter((name) => !(name in shape));
  const wrong = Object.entries(shape).filter(([name, check]) => !check(row[name]));
  return [
    ...unknown.map((name) => `${path}.${name} is not a known field`),
    ...wrong.map(([name]) => `${path}.${name} is missing or of the wrong type`),
  ];
}

function faultsOfCluster(document: unknown): string[] {
  if (!isObject(document)) return ['the document must be a JSON object'];
  const heads = ['clusterId', 'clusterName', 'releaseVersion', 'secretKey'].filter((name) => !isText(document[name]));
  const faults = heads.map((name) => `${name} must be a non-empty string`);
  for (const [list, shape] of Object.entries(SHAPES)) {
    const rows = document[list];
    if (!Array.isArray(rows)) faults.push(`${list} must be an array`);
    else rows.forEach((row: unknown, at) => faults.push(...faultsOfRow(`${list}[${at}]`, row, shape)));
  }
  return faults.length > 0 ? faults : faultsOfReferences(document as unknown as Cluster);
}

function faultsOfReferences(cluster: Cluster): string[] {
  const orgs = new Set(cluster.orgs.map((org) => org.id));
  const groups = new Set(cluster.groups.map((group) => group.name));
  const names = cluster.users.map((user) => user.name);
  return [
    ...(orgs.has(0) ? [] : ['orgs must have the Primary Org, id 0']),
    ...names.filter((name, at) => names.indexOf(name) !== at).map((name) => `user ${name} is there twice`),
    ...cluster.users.flatMap((user) => [
      ...user.orgs.filter((org) => !orgs.has(org)).map((org) => `user ${user.name} is in Org ${org}, which is missing`),
      ...user.groups.filter((name) => !groups.has(name)).map((name) => `group ${name} of ${user.name} is missing`),
    ]),
    ...cluster.groups.filter(({ org }) => !orgs.has(org)).map(({ name }) => `the Org of group ${name} is missing`),
    ...cluster.liveboards.filter(({ org }) => !orgs.has(org)).map(({ id }) => `the Org of Liveboard ${id} is missing`),
  ];
}

/** Checks a cluster document. Throws an Error that names every fault by its path. */
export function parseCluster(document: unknown): Cluster {
  const faults = faultsOfCluster(document);
  if (faults.length > 0) throw new Error(`this is not a cluster file: ${faults.join('; ')}`);
  return structuredClone(document as Cluster);
}

/** Reads a cluster file; without a path, the demo cluster beside this module. Throws as parseCluster does. A byte order mark is no part of it. */
export function readCluster(file = join(import.meta.dirname, 'cluster.json')): Cluster {
  return parseCluster(JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, '')));
}
