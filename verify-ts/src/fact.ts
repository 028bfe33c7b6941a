// Who and what a fact names, and what a kind of fact is about.

import { Entity } from './entity.js';
import type { Fact, Ref, Source } from './messages.js';
import { Confidence, FactKind, Kind, OUTCOME_SUCCESS } from './words.js';

/** Every reference of a fact, in the order of the fields. */
export function references(fact: Fact): Ref[] {
  const { actor, via, subject, object, correlation, ticket, approval, entitlement } = fact;
  const found = [
    actor,
    via,
    subject,
    object,
    ...(correlation?.tickets ?? []),
    fact.grant?.inheritedVia,
    ticket?.requester,
    ticket?.assignee,
    ...(ticket?.items ?? []).map((item) => item.target),
    approval?.approver,
    approval?.askedBy,
    approval?.delegate,
    fact.account?.manager,
    ...(entitlement?.impliesAdded ?? []),
    ...(entitlement?.impliesRemoved ?? []),
    fact.ownership?.owner,
    fact.review?.reviewer,
  ];
  return found.filter((reference) => reference !== undefined);
}

/** The entities that a reference names: its id, where it has one, and each of its identifiers. */
export function entitiesOf(reference: Ref, source: Source): Entity[] {
  const own = Entity.of(reference, source);
  return [...(own ? [own] : []), ...reference.tokens.map((token) => Entity.identifier(token))];
}

/** What a reference stands for in a state: its id, or its identifiers where it has none. */
export function named(reference: Ref, source: Source): Entity[] {
  const own = Entity.of(reference, source);
  return own ? [own] : entitiesOf(reference, source);
}

export type Group =
  | 'ticket'
  | 'approval'
  | 'account'
  | 'grant'
  | 'entitlement'
  | 'credential'
  | 'governance'
  | 'lifecycle'
  | 'snapshot'
  | 'identity'
  | 'rule'
  | 'other';

/** The kinds of facts of each group, from one number to another. */
const GROUPS: readonly (readonly [Group, number, number])[] = [
  ['ticket', FactKind.ticketOpened, FactKind.ticketCancelled],
  ['approval', FactKind.approvalRequested, FactKind.approvalDelegated],
  ['account', FactKind.accountCreated, FactKind.accountUpdated],
  ['grant', FactKind.grantAdded, FactKind.grantExpired],
  ['entitlement', FactKind.entitlementDefined, FactKind.entitlementRemoved],
  ['credential', FactKind.credentialCreated, FactKind.credentialUsed],
  ['governance', FactKind.ownerAssigned, FactKind.nhiRetired],
  ['lifecycle', FactKind.lifecycleJoiner, FactKind.lifecycleLeaver],
  ['snapshot', FactKind.snapshotBegin, FactKind.snapshotEnd],
  ['identity', FactKind.identifierBound, FactKind.identityLinked],
  ['identity', FactKind.identityUnlinked, FactKind.identityUnlinked],
  ['rule', FactKind.ruleDeclared, FactKind.ruleDeclared],
];

/** What a kind of fact is about; reviews, uses of access and what sources say of themselves are about no state. */
export function groupOf(kind: number): Group {
  return GROUPS.find(([, first, last]) => first <= kind && kind <= last)?.[0] ?? 'other';
}

/** Whether a fact about a ticket names nobody: such a fact also belongs to its system's unresolved entity. */
export function isUnresolved({ kind, subject, object }: Fact): boolean {
  const group = groupOf(kind);
  return (group === 'ticket' && !subject) || (group === 'approval' && !object);
}

const GIVING: ReadonlySet<number> = new Set([
  FactKind.accountCreated,
  FactKind.accountEnabled,
  FactKind.grantAdded,
  FactKind.grantModified,
  FactKind.credentialCreated,
  FactKind.credentialEnabled,
]);

const TAKING: ReadonlySet<number> = new Set([
  FactKind.accountDisabled,
  FactKind.accountDeleted,
  FactKind.grantRemoved,
  FactKind.grantExpired,
  FactKind.credentialDisabled,
  FactKind.credentialRevoked,
  FactKind.credentialExpired,
  FactKind.entitlementRemoved,
]);

/** Whether a fact, where it succeeded, gives access. What an entitlement comes to imply is given to all its holders. */
function givesAccess({ kind, entitlement }: Fact): boolean {
  const isOfMeaning = kind === FactKind.entitlementDefined || kind === FactKind.entitlementChanged;
  return GIVING.has(kind) || (isOfMeaning && (entitlement?.impliesAdded ?? []).length > 0);
}

/** Whether a fact, where it succeeded, takes access away and gives none. */
export function takesAccess(fact: Fact): boolean {
  const isLess = fact.kind === FactKind.entitlementChanged && (fact.entitlement?.impliesRemoved ?? []).length > 0;
  return TAKING.has(fact.kind) || (isLess && !givesAccess(fact));
}

/** Whether a fact changed access: of a kind that does, a success, and said by a log rather than seen in a listing. */
export function changesAccess(fact: Fact): boolean {
  const tookPlace = fact.outcome === OUTCOME_SUCCESS && fact.confidence !== Confidence.snapshot;
  return tookPlace && (givesAccess(fact) || takesAccess(fact));
}

/** Whether it is an entitlement that a fact gives something to, or takes it from. */
export function isOfEntitlement(fact: Fact): boolean {
  return fact.subject?.kind === Kind.entitlement;
}
