// The replay: what an entity's records come to at a moment.
//
// Owns what each kind of fact does to the state of each entity that it names. Facts apply by when they happened, not by when
// they arrived. Only a success changes state; an approval never creates access; a listing adds what it saw and takes nothing
// away that a log says.

import { Entity, placeOf } from './entity.js';
import { entitiesOf, groupOf, isOfEntitlement, named } from './fact.js';
import type { Fact, Record, Ref, Source } from './messages.js';
import { eventOf, sourceOf } from './record.js';
import { placeOfRecord, Readings } from './remap.js';
import { type AccountState, emptyState, type Evidence, type GrantState, inOrder, type State } from './state.js';
import { applyApproval, applyTicket } from './tickets.js';
import { type Moment, momentOf } from './time.js';
import {
  AccountStatus,
  COMPLETENESS_COMPLETE,
  Confidence,
  CredentialStatus,
  FactKind,
  Kind,
  OUTCOME_SUCCESS,
} from './words.js';

/** A fact, the source that fills in what its references leave out, its place, and its record. */
export type FactAt = Readonly<{ fact: Fact; source: Source; evidence: Evidence; record: Record }>;

/** The state of an entity at a moment, as far as the first `known` records tell. */
export function replay(entity: Entity, records: readonly Record[], at: Moment, known: bigint): State {
  const readings = new Readings().add(records);
  const counting = records.filter((record) => readings.count(record, known));
  return applied(entity, factsOf(counting).filter(({ evidence }) => evidence.occurredAt <= at));
}

/** What facts come to, in their order. */
export function applied(entity: Entity, facts: readonly FactAt[]): State {
  const state = emptyState();
  facts.forEach((fact) => apply(state, entity, fact));
  return state;
}

/** The facts of records, in the order in which they apply. */
export function factsOf(records: readonly Record[]): FactAt[] {
  return records.flatMap(factsOfRecord).sort((one, other) => inOrder(one.evidence, other.evidence));
}

/** The facts of a record, each with its place. */
export function factsOfRecord(record: Record): FactAt[] {
  const source = sourceOf(record);
  const facts = source ? (eventOf(record)?.facts ?? []) : [];
  return facts.map((fact, number) => {
    const occurredAt = fact.occurredAt ? momentOf(fact.occurredAt) : 0n;
    const evidence = { index: record.index, fact: number, occurredAt, place: placeOfRecord(record) };
    return { fact, source: source as Source, evidence, record };
  });
}

type Role = 'subject' | 'object';

/** In which roles an entity's state changes by a fact. */
function bearingRoles(fact: Fact): readonly Role[] {
  switch (groupOf(fact.kind)) {
    case 'ticket':
    case 'approval':
    case 'entitlement':
    case 'rule':
      return ['object'];
    case 'account':
    case 'governance':
    case 'lifecycle':
      return ['subject'];
    case 'grant':
    case 'credential':
    case 'snapshot':
    case 'identity':
      return ['subject', 'object'];
    case 'other':
      return [];
  }
}

/** The entities whose state a fact may change. */
export function bearers({ fact, source }: FactAt): Entity[] {
  const roles = fact.outcome === OUTCOME_SUCCESS ? bearingRoles(fact) : [];
  return roles.flatMap((role) => bearing(fact, fact[role], source));
}

/** What a reference of a fact stands for where the fact takes effect. What is taken away is taken from the id and from the
 * identifiers, since another source may have given it to either. */
function bearing(fact: Fact, reference: Ref | undefined, source: Source): Entity[] {
  if (!reference) {
    return [];
  }
  switch (fact.kind) {
    case FactKind.grantRemoved:
    case FactKind.grantExpired:
    case FactKind.identityUnlinked:
      return entitiesOf(reference, source);
    default:
      return named(reference, source);
  }
}

/** What a reference of a fact stands for, each with its text. */
export function keys(reference: Ref | undefined, { fact, source }: FactAt): Entity[] {
  return bearing(fact, reference, source);
}

/** The first of these. */
export function keyOf(reference: Ref | undefined, fact: FactAt): Entity | undefined {
  return keys(reference, fact)[0];
}

/** Applies one fact to the state of an entity. */
export function apply(state: State, entity: Entity, fact: FactAt): void {
  const [isSubject, isObject] = (['subject', 'object'] as const).map((role) => {
    const isOwn = (one: Entity) => one.is(entity);
    const bears = fact.fact.outcome === OUTCOME_SUCCESS && bearingRoles(fact.fact).includes(role);
    return bears && keys(fact.fact[role], fact).some(isOwn);
  });
  if (!isSubject && !isObject) {
    return;
  }
  const { subject, object } = fact.fact;
  switch (groupOf(fact.fact.kind)) {
    case 'account':
      return applyAccount(state, fact);
    case 'grant':
      if (isSubject) {
        applyGrant(isOfEntitlement(fact.fact) ? state.held : state.grants, fact, object);
      }
      if (isObject) {
        applyGrant(state.grants, fact, subject);
      }
      return;
    case 'credential':
      return applyCredential(state, fact);
    case 'snapshot':
      return fact.fact.kind === FactKind.snapshotItem ? applyItem(state, fact, isSubject === true) : undefined;
    case 'ticket':
      return applyTicket(state, fact);
    case 'approval':
      return applyApproval(state, fact);
    case 'entitlement':
      return applyEntitlement(state, fact);
    case 'governance':
      return applyGovernance(state, fact);
    case 'lifecycle':
      state.lifecycle = { kind: fact.fact.kind, evidence: fact.evidence };
      return;
    case 'identity':
      return isSubject ? applyLink(state, entity, fact, subject, object) : applyLink(state, entity, fact, object, subject);
    case 'rule':
      if (fact.fact.matchingRule) {
        state.rule = { rule: fact.fact.matchingRule, evidence: fact.evidence };
      }
      return;
    case 'other':
      return;
  }
}

/** That two are one, or are one no longer. What is known by an identifier alone is somebody in one system, and is kept with
 * it; a reference to the identifier itself is not. */
function applyLink(state: State, entity: Entity, fact: FactAt, own: Ref | undefined, other: Ref | undefined): void {
  for (const counterpart of keys(other, fact)) {
    const end = counterpart.token ? other : entity.token ? own : undefined;
    const isMeant = end !== undefined && end.kind !== Kind.identifier;
    const { system, instance } = isMeant ? placeOf(end, fact.source) : { system: '', instance: '' };
    const key = system === '' ? counterpart.text : `${counterpart.text} ${system}:${instance}`;
    if (fact.fact.kind === FactKind.identityLinked) {
      state.linked.set(key, { counterpart, system, instance, evidence: fact.evidence });
    } else if (fact.fact.kind === FactKind.identityUnlinked) {
      state.linked.delete(key);
    }
  }
}

function newAccount(evidence: Evidence): AccountState {
  return { status: AccountStatus.seen, locked: false, reversible: false, evidence };
}

function applyAccount(state: State, { fact, evidence }: FactAt): void {
  const account = (state.account ??= newAccount(evidence));
  switch (fact.kind) {
    case FactKind.accountCreated:
      account.status = AccountStatus.created;
      break;
    case FactKind.accountEnabled:
      account.status = AccountStatus.enabled;
      break;
    case FactKind.accountDisabled:
      account.status = AccountStatus.disabled;
      account.reversible = fact.account?.reversible ?? false;
      break;
    case FactKind.accountDeleted:
      account.status = AccountStatus.deleted;
      break;
    case FactKind.accountLocked:
      account.locked = true;
      break;
    case FactKind.accountUnlocked:
      account.locked = false;
      break;
  }
  account.reversible &&= account.status === AccountStatus.disabled;
  account.evidence = evidence;
}

/** The key of a grant, or of what is implied. */
function scopedKey(counterpart: Entity, { fact }: FactAt): string {
  return `${counterpart.text} ${fact.scope}`;
}

function applyGrant(grants: Map<string, GrantState>, fact: FactAt, other: Ref | undefined): void {
  for (const counterpart of keys(other, fact)) {
    const key = scopedKey(counterpart, fact);
    const { kind } = fact.fact;
    if (kind === FactKind.grantRemoved || kind === FactKind.grantExpired) {
      grants.delete(key);
    } else {
      const given = grantOf(counterpart, fact);
      const held = kind === FactKind.grantModified ? grants.get(key) : undefined;
      grants.set(key, held ? modified(given, held) : given);
    }
  }
}

function grantOf(counterpart: Entity, fact: FactAt): GrantState {
  const { grant, scope, confidence } = fact.fact;
  const inheritedVia = keyOf(grant?.inheritedVia, fact);
  return { counterpart, scope, grant, inheritedVia, confidence, evidence: fact.evidence };
}

/** What a modification leaves out stays as it was. */
function modified(given: GrantState, held: GrantState): GrantState {
  if (!given.grant || !held.grant) {
    return given.grant ? given : { ...given, grant: held.grant, inheritedVia: held.inheritedVia };
  }
  const grant = {
    ...given.grant,
    expiresAt: given.grant.expiresAt ?? held.grant.expiresAt,
    inheritedVia: given.grant.inheritedVia ?? held.grant.inheritedVia,
  };
  return { ...given, grant, inheritedVia: given.grant.inheritedVia ? given.inheritedVia : held.inheritedVia };
}

/** An item of a listing adds what it saw. Only the account's own item (without an object) of a complete version, which lists
 * all that the account holds, takes away what was seen before it and no log says: the version's other items come after it. */
function applyItem(state: State, fact: FactAt, isSubject: boolean): void {
  const { subject, object, snapshot } = fact.fact;
  const isGroup = isSubject && isOfEntitlement(fact.fact);
  if (isSubject && !isGroup) {
    state.account ??= newAccount(fact.evidence);
    if (snapshot?.completeness === COMPLETENESS_COMPLETE && !object) {
      const seen = [...state.grants].filter(([, { confidence }]) => confidence === Confidence.snapshot);
      seen.forEach(([key]) => state.grants.delete(key));
    }
  }
  if (object?.kind === Kind.credential) {
    return;
  }
  const grants = isGroup ? state.held : state.grants;
  for (const counterpart of keys(isSubject ? object : subject, fact)) {
    const key = scopedKey(counterpart, fact);
    const held = grants.get(key);
    if (!held || held.confidence === Confidence.snapshot) {
      grants.set(key, { ...grantOf(counterpart, fact), confidence: Confidence.snapshot });
    }
  }
}

const CREDENTIAL_STATUS: ReadonlyMap<number, number> = new Map([
  [FactKind.credentialCreated, CredentialStatus.active],
  [FactKind.credentialEnabled, CredentialStatus.active],
  [FactKind.credentialRotated, CredentialStatus.active],
  [FactKind.credentialDisabled, CredentialStatus.disabled],
  [FactKind.credentialRevoked, CredentialStatus.revoked],
  [FactKind.credentialExpired, CredentialStatus.expired],
]);

function applyCredential(state: State, fact: FactAt): void {
  const { kind, credential: detail } = fact.fact;
  for (const credential of keys(fact.fact.object, fact)) {
    const nothing = { credential, status: 0, expiresAt: undefined, evidence: fact.evidence };
    const held = state.credentials.get(credential.text) ?? nothing;
    state.credentials.set(credential.text, {
      credential,
      status: CREDENTIAL_STATUS.get(kind) ?? held.status,
      expiresAt: detail?.expiresAt ? momentOf(detail.expiresAt) : held.expiresAt,
      evidence: kind === FactKind.credentialUsed ? held.evidence : fact.evidence,
    });
  }
}

function applyEntitlement(state: State, fact: FactAt): void {
  const { kind, scope } = fact.fact;
  const { evidence } = fact;
  const isRemoved = kind === FactKind.entitlementRemoved;
  const detail = isRemoved ? undefined : fact.fact.entitlement;
  state.removed = isRemoved ? evidence : undefined;
  if (isRemoved || (detail && kind === FactKind.entitlementDefined)) {
    state.implies.clear();
    state.version = undefined;
  }
  if (detail && detail.version !== '') {
    state.version = { version: detail.version, evidence };
  }
  for (const removed of (detail?.impliesRemoved ?? []).flatMap((reference) => named(reference, fact.source))) {
    state.implies.delete(scopedKey(removed, fact));
  }
  for (const implied of (detail?.impliesAdded ?? []).flatMap((reference) => named(reference, fact.source))) {
    state.implies.set(scopedKey(implied, fact), { implied, scope, evidence });
  }
}

function applyGovernance(state: State, fact: FactAt): void {
  const { kind, ownership } = fact.fact;
  const { evidence } = fact;
  const owners = keys(ownership?.owner, fact);
  if (kind === FactKind.ownerRemoved) {
    owners.forEach((owner) => state.owners.delete(owner.text));
    return;
  }
  // An entry is all that the register says from then on: what an earlier one said and this one leaves out is gone.
  if (kind === FactKind.nhiRegistered) {
    state.owners.clear();
    state.register = undefined;
  }
  owners.forEach((owner) => state.owners.set(owner.text, { owner, evidence }));
  if (kind === FactKind.ownerAssigned) {
    return;
  }
  const isOver = ownership?.retiredAt !== undefined && momentOf(ownership.retiredAt) <= evidence.occurredAt;
  const isRetired = kind === FactKind.nhiRetired || isOver || (state.register?.retired ?? false);
  state.register = { retired: isRetired, evidence };
}
