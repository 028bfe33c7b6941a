// Sets of cosigners with their groups and their quorum, and when that is reached. A policy has two: the witnesses, and the
// replayers.

import { decimal } from './bytes.js';
import type { Key } from './note.js';
import type { Fail } from './rejected.js';

/** Logs, cosigners and groups, at most of each. */
export const ENTRIES_MAX = 64;

/** A witness or a replayer. */
export type Cosigner = Readonly<{ name: string; key: Key }>;

/** Several cosigners or groups, and how many of them must agree. */
type Group = Readonly<{ name: string; needed: number; members: readonly string[] }>;

export class Cosigners {
  constructor(
    readonly members: readonly Cosigner[],
    private readonly groups: readonly Group[],
    /** The name of whoever must agree, or "none". */
    readonly quorum: string,
  ) {}

  /** Whether a quorum is asked for. */
  get isAsked(): boolean {
    return this.quorum !== 'none';
  }

  /** Whether enough agree for the quorum, where these do. */
  agree(cosigners: readonly Cosigner[]): boolean {
    const agreeing = new Set(cosigners.map((cosigner) => cosigner.name));
    for (const { name, needed, members } of this.groups) {
      if (members.filter((member) => agreeing.has(member)).length >= needed) {
        agreeing.add(name);
      }
    }
    return !this.isAsked || agreeing.has(this.quorum);
  }
}

/** A set as far as it was read. */
export class CosignersDraft {
  private readonly members: Cosigner[] = [];
  private readonly groups: Group[] = [];
  private readonly names = new Set<string>();
  private readonly grouped = new Set<string>();
  private quorum: string | undefined;

  /** Whether somebody, or nobody, was named as the quorum. */
  get hasQuorum(): boolean {
    return this.quorum !== undefined;
  }

  finish(): Cosigners {
    return new Cosigners(this.members, this.groups, this.quorum ?? 'none');
  }

  addMember(cosigner: Cosigner, fail: Fail): void {
    this.define(cosigner.name, this.members.length, fail);
    this.members.push(cosigner);
  }

  addGroup(name: string, threshold: string, members: readonly string[], fail: Fail): void {
    for (const member of members) {
      if (!this.names.has(member) || this.grouped.has(member)) {
        fail(`expected members that are defined above and in no other group, got ${member}`);
      }
      this.grouped.add(member);
    }
    const needed = threshold === 'all' ? members.length : threshold === 'any' ? 1 : Number(decimal(threshold) ?? 0n);
    if (needed < 1 || needed > members.length) {
      fail(`expected all, any or a number from 1 to ${members.length}, got ${threshold}`);
    }
    this.define(name, this.groups.length, fail);
    this.groups.push({ name, needed, members });
  }

  setQuorum(name: string, fail: Fail): void {
    if (this.quorum !== undefined || (name !== 'none' && !this.names.has(name))) {
      fail('expected one quorum, of a name that is defined above');
    }
    this.quorum = name;
  }

  private define(name: string, count: number, fail: Fail): void {
    if (name === 'none' || this.names.has(name) || count === ENTRIES_MAX) {
      fail(`expected a name that is still free, and at most ${ENTRIES_MAX} of a kind, got ${name}`);
    }
    this.names.add(name);
  }
}
