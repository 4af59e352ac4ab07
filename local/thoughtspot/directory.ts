import { randomUUID } from 'node:crypto';
import type { AccountStatus, Cluster, GroupData, LiveboardData, OrgData, UserData } from './cluster.ts';
import type { Entitlements } from './entitlements.ts';

/** A user of the running cluster. Mints with auto_create or persist_option change it. */
export interface User {
  readonly name: string;
  readonly id: string;
  displayName: string;
  email: string;
  orgs: number[];
  groups: string[];
  status: AccountStatus;
  readonly password: string | null;
  /** The Org of the user's last session. */
  lastOrg: number;
  /** What mints have left on the user, by the id of the Org (wire facts 3.8: per Org and per principal). */
  readonly entitlements: Record<number, Entitlements>;
  readonly createdAt: number;
}

export interface NewUser {
  name: string;
  org: number;
  displayName: string | undefined;
  email: string | undefined;
  groups: readonly string[];
}

/** Orgs, groups, users and Liveboards of the running cluster. */
export class Directory {
  readonly #cluster: Cluster;
  readonly #groups: GroupData[];
  readonly #users = new Map<string, User>();

  constructor(cluster: Cluster, now: number) {
    this.#cluster = cluster;
    this.#groups = structuredClone(cluster.groups);
    for (const user of cluster.users) this.#add(user, now);
  }

  #add(
    { name, id, displayName = name, email = '', orgs, groups, status = 'ACTIVE', password }: UserData,
    now: number,
  ): User {
    const user: User = {
      name,
      id,
      displayName,
      email,
      orgs: [...orgs],
      groups: [...groups],
      status,
      password: password ?? null,
      lastOrg: orgs[0] ?? 0,
      entitlements: {},
      createdAt: now,
    };
    this.#users.set(name, user);
    return user;
  }

  /** The user of that exact name: whether clusters fold case is not documented, so this one does not. */
  user(name: string): User | undefined {
    return this.#users.get(name);
  }

  userByNameOrId(identifier: string): User | undefined {
    return this.user(identifier) ?? this.users().find((user) => user.id === identifier);
  }

  users(): User[] {
    return [...this.#users.values()];
  }

  org(id: number): OrgData | undefined {
    return this.#cluster.orgs.find((org) => org.id === id);
  }

  orgByNameOrId(identifier: string): OrgData | undefined {
    return this.#cluster.orgs.find((org) => org.name === identifier || String(org.id) === identifier);
  }

  orgsOf(user: User): { id: number; name: string }[] {
    return user.orgs.map((id) => ({ id, name: this.orgName(id) }));
  }

  orgName(id: number): string {
    return this.org(id)?.name ?? String(id);
  }

  liveboard(id: string): LiveboardData | undefined {
    return this.#cluster.liveboards.find((liveboard) => liveboard.id === id);
  }

  /** What the user's groups grant in an Org; groups of the Primary Org count everywhere. */
  privileges(user: User, org: number): string[] {
    const groups = this.#groups.filter((group) => user.groups.includes(group.name) && [0, org].includes(group.org));
    return [...new Set(groups.flatMap((group) => group.privileges ?? []))];
  }

  isAdministrator(user: User, org: number): boolean {
    return this.privileges(user, org).includes('ADMINISTRATION');
  }

  create({ name, org, displayName, email, groups }: NewUser, now: number): User {
    const given = { ...(displayName !== undefined && { displayName }), ...(email !== undefined && { email }) };
    const user = this.#add({ name, id: randomUUID(), orgs: [org], groups: [], ...given }, now);
    this.setGroups(user, groups, org);
    return user;
  }

  /** Puts the user into exactly these groups; those that do not exist are created in the Org (wire facts 3.1). */
  setGroups(user: User, names: readonly string[], org: number): void {
    for (const name of names) {
      if (!this.#groups.some((group) => group.name === name)) this.#groups.push({ name, org, privileges: [] });
    }
    user.groups = [...new Set(names)];
  }
}
