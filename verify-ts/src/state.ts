// What the log says about one entity at a moment, as far as an answer shows it or who is who depends on it.

import type { Entity } from './entity.js';
import type { Grant, MatchingRule } from './messages.js';
import type { Moment } from './time.js';

/** The fact that something rests on. */
export type Evidence = Readonly<{
  index: bigint;
  /** The fact within the record, from 0. */
  fact: number;
  occurredAt: Moment;
  /** The record in which its event first came. */
  place: bigint;
}>;

/** The order in which facts apply: by when they happened; at the same moment, by where their event first came, then by
 * their record and their number in it. */
export function inOrder(one: Evidence, other: Evidence): number {
  const pairs: readonly (readonly [bigint | number, bigint | number])[] = [
    [one.occurredAt, other.occurredAt],
    [one.place, other.place],
    [one.index, other.index],
    [one.fact, other.fact],
  ];
  const [first, second] = pairs.find(([mine, theirs]) => mine !== theirs) ?? [0, 0];
  return first < second ? -1 : first > second ? 1 : 0;
}

export type AccountState = { status: number; locked: boolean; reversible: boolean; evidence: Evidence };

export type GrantState = Readonly<{
  counterpart: Entity;
  scope: string;
  grant: Grant | undefined;
  inheritedVia: Entity | undefined;
  confidence: number;
  evidence: Evidence;
}>;

export type CredentialState = {
  credential: Entity;
  status: number;
  expiresAt: Moment | undefined;
  evidence: Evidence;
};

export type ApprovalState = {
  level: number;
  rule: number;
  quorum: number;
  /** Who was asked, and who decided, where anybody says so. */
  approver: Entity | undefined;
  decidedBy: Entity | undefined;
  decision: number;
  evidence: Evidence;
};

/** One access that a ticket asks for. */
export type ItemState = Readonly<{
  operation: number;
  targetType: string;
  /** None where any of the type is meant. */
  targets: readonly Entity[];
  from: Moment | undefined;
  until: Moment | undefined;
}>;

export type TicketState = {
  /** A fact about the ticket itself is recorded, and not only its approvals. */
  isKnown: boolean;
  /** A version of it is recorded, and not only that it was opened. */
  isVersioned: boolean;
  status: number;
  windowStart: Moment | undefined;
  windowEnd: Moment | undefined;
  /** What the source itself says of the whole approval, and since when. */
  sourceDecision: number;
  sourceDecided: Evidence | undefined;
  beneficiary: readonly Entity[];
  items: readonly ItemState[];
  opened: Evidence | undefined;
  /** Since when it is cancelled, and since when closed or resolved, where it is. */
  cancelled: Evidence | undefined;
  closed: Evidence | undefined;
  /** By the source's id of the approval, or by level and approver. */
  approvals: Map<string, ApprovalState>;
  evidence: Evidence;
};

export type LinkState = Readonly<{
  counterpart: Entity;
  /** Where an identifier at either end is meant, where the link gives no id; empty otherwise. */
  system: string;
  instance: string;
  evidence: Evidence;
}>;

/** Keys of maps are entities in text form; that of a grant, and of what is implied, ends in a space and its scope. */
export type State = {
  account: AccountState | undefined;
  readonly grants: Map<string, GrantState>;
  /** Of an entitlement: what it holds itself. */
  readonly held: Map<string, GrantState>;
  readonly credentials: Map<string, CredentialState>;
  ticket: TicketState | undefined;
  readonly implies: Map<string, Readonly<{ implied: Entity; scope: string; evidence: Evidence }>>;
  readonly owners: Map<string, Readonly<{ owner: Entity; evidence: Evidence }>>;
  register: { retired: boolean; evidence: Evidence } | undefined;
  readonly linked: Map<string, LinkState>;
  lifecycle: Readonly<{ kind: number; evidence: Evidence }> | undefined;
  version: Readonly<{ version: string; evidence: Evidence }> | undefined;
  removed: Evidence | undefined;
  rule: Readonly<{ rule: MatchingRule; evidence: Evidence }> | undefined;
};

export function emptyState(): State {
  return {
    account: undefined,
    grants: new Map(),
    held: new Map(),
    credentials: new Map(),
    ticket: undefined,
    implies: new Map(),
    owners: new Map(),
    register: undefined,
    linked: new Map(),
    lifecycle: undefined,
    version: undefined,
    removed: undefined,
    rule: undefined,
  };
}

/** The values of a map in the order of its keys. */
export function sorted<V>(map: ReadonlyMap<string, V>): V[] {
  return [...map].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, value]) => value);
}
