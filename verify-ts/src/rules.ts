// What a record must keep beyond being a canonical message: what is required, in which range, in which characters, in
// which order. "Beyond that" in docs/formats.md, section "The record".

import { ascends, binary } from './bytes.js';
import { isOrigin } from './checkpoint.js';
import { Entity, isCode, isName, isOpaque } from './entity.js';
import { references } from './fact.js';
import { HASH_BYTES } from './hash.js';
import { TOKEN_BYTES } from './identifier.js';
import type {
  Event,
  EventRemapped,
  Fact,
  KeyAnnouncement,
  Origin,
  Ownership,
  Provenance,
  Record,
  Redaction,
  Ref,
  Seal,
  Source,
  SourceGap,
  Ticket,
  Time,
} from './messages.js';
import { isEmpty } from './protobuf.js';
import type { Fail } from './rejected.js';
import { isTime } from './time.js';
import { GapReason, Kind, Mapping, MAX, Precision } from './words.js';

/** The layout of records that is read. */
export const FORMAT = 1;
/** The most facts in one record, the most references of one fact, and the most systems in a list. */
const FACTS_MAX = 1_000;
/** The most parts that one event is split into. */
const PARTS_MAX = 1_000;
/** The length of the keyed digest of an event's content, in bytes. */
const DIGEST_BYTES = 16;
/** The largest record 0 of a predecessor. */
const FIRST_RECORD_BYTES_MAX = 8_192;

/** Checks a record. */
export function check(record: Record, fail: Fail): void {
  new Rules(fail).record(record);
}

class Rules {
  constructor(private readonly fail: Fail) {}

  record(record: Record): void {
    const { index, recordedAt, provenance, commitment } = record;
    this.ensure(record.format === FORMAT, 'format is not 1');
    this.hash(record.prev, 'prev');
    this.requiredTime(recordedAt, 'recorded_at');
    this.ensure(recordedAt?.precision === Precision.nanosecond, 'recorded_at is not given to the nanosecond');
    this.ensure((index === 0n) === (record.origin !== undefined), 'record 0, and no other, states the origin');
    if (record.origin || record.seal) {
      this.ensure(provenance === undefined, 'an origin or a seal has a provenance');
      this.ensure(commitment.length === 0, 'something lies beside an origin or a seal');
    }
    if (record.origin) {
      this.origin(record.origin);
    } else if (record.seal) {
      this.seal(record.seal);
    } else {
      const source = provenance?.source ?? this.fail('provenance.source is missing');
      this.provenance(provenance as Provenance, source);
      this.ensure((provenance?.retryOf ?? 0n) < index, 'provenance.retry_of is not an earlier record');
      this.ensure(commitment.length === 0 || commitment.length === HASH_BYTES, 'commitment is not 32 bytes');
      this.body(record, source);
    }
  }

  private body(record: Record, source: Source): void {
    const { index, event, eventConflict, eventRemapped, sourceRejected, sourceGap, redaction, keyAnnouncement } = record;
    if (event) {
      this.event(event, source);
    } else if (eventConflict) {
      const { firstIndex } = eventConflict;
      this.ensure(firstIndex > 0n && firstIndex < index, 'event_conflict.first_index is not an earlier record');
    } else if (eventRemapped) {
      this.remapped(eventRemapped, index, source);
    } else if (sourceRejected) {
      this.known(sourceRejected.reason, MAX.rejectReason, 'source_rejected.reason');
      this.ensure(record.commitment.length === HASH_BYTES, 'the rejected bytes have no commitment');
    } else if (sourceGap) {
      this.gap(sourceGap, record.provenance?.retryOf ?? 0n);
    } else if (redaction) {
      this.ensure(record.provenance?.retryOf === 0n, 'a redaction is read from no dead letter');
      this.redaction(redaction, index);
    } else if (keyAnnouncement) {
      this.ensure(record.provenance?.retryOf === 0n, 'a key announcement is read from no dead letter');
      this.announcement(keyAnnouncement);
    } else {
      this.fail('the record has no body');
    }
  }

  private origin({ origin, indexKeyCommitment, predecessor }: Origin): void {
    this.ensure(isOrigin(origin), 'origin is not a valid origin');
    this.hash(indexKeyCommitment, 'index_key_commitment');
    if (predecessor) {
      this.ensure(isOrigin(predecessor.origin), 'predecessor.origin is not a valid origin');
      this.ensure(predecessor.size > 0n, 'predecessor.size is missing');
      this.hash(predecessor.root, 'predecessor.root');
      const { length } = predecessor.firstRecord;
      this.ensure(length > 0 && length <= FIRST_RECORD_BYTES_MAX, 'predecessor.first_record has no record, or a large one');
      this.ensure(predecessor.knownSize >= predecessor.size, 'predecessor.known_size is below predecessor.size');
      this.hash(predecessor.knownRoot, 'predecessor.known_root');
    }
  }

  private seal({ mapRoot, sources, next, continued }: Seal): void {
    this.hash(mapRoot, 'seal.map_root');
    for (const sealed of sources) {
      this.source(sealed.source ?? this.fail('seal.sources has one without a source'));
      this.ensure(sealed.unmapped <= sealed.events, 'seal.sources has more unmapped events than events');
      const counts = [sealed.events, sealed.facts, sealed.duplicates, sealed.conflicts, sealed.rejected];
      this.ensure(counts.some((count) => count > 0n), 'seal.sources has a source from which nothing came');
    }
    const names = sources.map(({ source }) => [source?.system, source?.instance, source?.stream].join('\0'));
    this.ensure(ascends(names), 'seal.sources are not in ascending order');
    next.forEach(({ channel }) => this.opaque(channel, 'seal.next.channel'));
    this.ensure(ascends(next.map(({ channel }) => channel)), 'seal.next is not in ascending order');
    this.ensure(!continued || sources.length + next.length > 0, 'a seal is continued that had room for more');
  }

  private provenance(provenance: Provenance, source: Source): void {
    this.source(source);
    this.opaque((provenance.position ?? this.fail('provenance.position is missing')).channel, 'position.channel');
    this.opaque(provenance.eventId, 'provenance.event_id');
    this.ensure(provenance.contentDigest.length === DIGEST_BYTES, 'provenance.content_digest is not 16 bytes');
    this.name(provenance.connector, 'provenance.connector');
    this.ensure(provenance.connectorVersion > 0, 'provenance.connector_version is missing');
    this.known(provenance.delivery, MAX.delivery, 'provenance.delivery');
    this.known(provenance.authentication, MAX.authentication, 'provenance.authentication');
    this.optionalCode(provenance.assumedZone, 'provenance.assumed_zone');
  }

  private source({ system, instance, stream }: Source): void {
    [system, instance, stream].forEach((part) => this.name(part, 'a part of a source'));
  }

  private gap({ from, to, reason }: SourceGap, retryOf: bigint): void {
    this.known(reason, MAX.gapReason, 'source_gap.reason');
    this.ensure(retryOf === 0n, 'a gap is read from no dead letter');
    const beginsAnew = reason === GapReason.truncated || reason === GapReason.recreated;
    this.ensure(beginsAnew || from < to, 'source_gap.from is not before source_gap.to');
  }

  /** All that is said to be removed or searched lies before the record itself. */
  private redaction({ removed, entities, reason, rule, by, callers, searched }: Redaction, index: bigint): void {
    this.ensure(removed.length > 0, 'a redaction has removed nothing');
    let next = 1n;
    for (const { first, records, parts } of removed) {
      this.ensure(records > 0n, 'redaction.removed has a range of no records');
      this.ensure(first >= next, 'redaction.removed has record 0, or is not in ascending order');
      this.ensure(parts.length > 0 && ascends(parts), 'redaction.parts are none, or not in ascending order');
      next = first + records;
    }
    this.ensure(next <= index, 'redaction.removed names a record that is not an earlier one');
    this.ensure(searched <= index, 'redaction.searched counts records that are not earlier ones');
    this.ensure([...entities, by].every((entity) => Entity.fromBytes(entity)), 'redaction has something that is no id');
    this.ensure(ascends(entities.map(binary)), 'redaction.entities are not in ascending order');
    this.ensure(isCode(reason) && isCode(rule), 'redaction.reason or redaction.rule is not a code');
    callers.forEach((caller) => this.opaque(caller, 'redaction.callers'));
    this.ensure(ascends(callers), 'redaction.callers are not in ascending order');
  }

  private announcement({ origin, publicKey, reason, by, formerKey }: KeyAnnouncement): void {
    this.ensure(isOrigin(origin), 'key_announcement.origin is not a valid origin');
    this.hash(publicKey, 'key_announcement.public_key');
    this.hash(formerKey, 'key_announcement.former_key');
    this.ensure(isCode(reason), 'key_announcement.reason is not a code');
    this.ensure(Entity.fromBytes(by) !== undefined, 'key_announcement.by is no id');
  }

  private event(event: Event, source: Source): void {
    this.eventHead(event);
    this.ensure(event.facts.length <= FACTS_MAX, 'the event has more than 1,000 facts in one record');
    const isMapped = event.mapping === Mapping.mapped;
    this.ensure(isMapped === event.facts.length > 0, 'facts and event.mapping contradict each other');
    event.facts.forEach((fact) => this.fact(fact, source));
  }

  private eventHead({ nativeType, part, parts, mapping }: Event): void {
    this.optionalCode(nativeType, 'event.native_type');
    this.ensure(parts > 0 && parts <= PARTS_MAX, 'event.parts is not in 1 to 1,000');
    this.ensure(part < parts, 'event.part is not below event.parts');
    this.known(mapping, MAX.mapping, 'event.mapping');
  }

  /** What is repeated may need records of its own, without facts. */
  private remapped(remapped: EventRemapped, index: bigint, source: Source): void {
    const { firstIndex, replaces, entities } = remapped;
    const event = remapped.event ?? this.fail('event_remapped.event is missing');
    this.ensure(firstIndex > 0n, 'event_remapped.first_index is missing');
    this.ensure(firstIndex <= replaces, 'event_remapped.replaces comes before first_index');
    this.ensure(replaces < index - BigInt(event.part), 'event_remapped.replaces is not an earlier record');
    this.hash(remapped.replacesLeaf, 'event_remapped.replaces_leaf');
    this.ensure(entities.every((entity) => Entity.fromBytes(entity)), 'event_remapped.entities has no id of an entity');
    this.ensure(ascends(entities.map(binary)), 'event_remapped.entities are not in ascending order');
    if (event.parts > 1 && event.facts.length === 0) {
      this.eventHead(event);
    } else {
      this.event(event, source);
    }
  }

  private fact(fact: Fact, source: Source): void {
    this.known(fact.kind, MAX.factKind, 'fact.kind');
    this.requiredTime(fact.occurredAt, 'fact.occurred_at');
    this.known(fact.outcome, MAX.outcome, 'fact.outcome');
    this.optionalCode(fact.reason, 'fact.reason');
    this.known(fact.confidence, MAX.confidence, 'fact.confidence');
    this.optionalOpaque(fact.scope, 'fact.scope');
    const named = references(fact);
    this.ensure(named.length <= FACTS_MAX, 'a fact names more than 1,000 entities');
    named.forEach((reference) => this.reference(reference, source));
    if (fact.correlation) {
      this.said(fact.correlation, 'correlation');
      this.optionalOpaque(fact.correlation.transaction, 'correlation.transaction');
      this.optionalOpaque(fact.correlation.request, 'correlation.request');
    }
    this.detail(fact);
  }

  private reference(reference: Ref, source: Source): void {
    const { kind, system, instance, id, tokens } = reference;
    this.known(kind, MAX.entityKind, 'the kind of a reference');
    const isOwnKind = kind !== Kind.unresolved && kind !== Kind.source && kind !== Kind.correlation;
    this.ensure(isOwnKind, 'unresolved, source and correlation are no kinds of a reference');
    this.ensure((system === '') === (instance === ''), 'system and instance are given both, or neither');
    if (system !== '') {
      this.name(system, 'the system of a reference');
      this.name(instance, 'the instance of a reference');
      const isOwn = system === source.system && instance === source.instance;
      this.ensure(!isOwn, "the source's own system and instance are left out");
    }
    this.optionalOpaque(id, 'the id of a reference');
    this.ensure(id !== '' || tokens.length > 0, 'neither an id nor an identifier is given');
    this.ensure(kind !== Kind.identifier || id === '', 'an identifier has no id');
    this.ensure(tokens.every((token) => token.length === TOKEN_BYTES), 'a token is not 16 bytes');
    this.ensure(ascends(tokens.map(binary)), 'tokens are not in ascending order');
    this.optionalKnown(reference.identityType, MAX.identityType, 'identity_type');
  }

  private detail(fact: Fact): void {
    const { grant, ticket, approval, account, credential, entitlement, ownership, lifecycle } = fact;
    const { snapshot, review, policyDecision, matchingRule } = fact;
    if (grant) {
      this.said(grant, 'grant');
      this.optionalTime(grant.expiresAt, 'grant.expires_at');
      this.optionalKnown(grant.mode, MAX.grantMode, 'grant.mode');
    } else if (ticket) {
      this.ticket(ticket);
    } else if (approval) {
      this.optionalOpaque(approval.id, 'approval.id');
      this.ensure(approval.level > 0, 'approval.level is missing');
      this.optionalKnown(approval.rule, MAX.approvalRule, 'approval.rule');
      this.optionalKnown(approval.sourceDecision, MAX.decision, 'approval.source_decision');
    } else if (account) {
      this.said(account, 'account');
      this.codes(account.changed, 'account.changed');
      this.optionalOpaque(account.department, 'account.department');
    } else if (credential) {
      this.said(credential, 'credential');
      this.optionalTime(credential.expiresAt, 'credential.expires_at');
      this.optionalTime(credential.lastUsedAt, 'credential.last_used_at');
    } else if (entitlement) {
      this.said(entitlement, 'entitlement');
      this.optionalOpaque(entitlement.version, 'entitlement.version');
    } else if (ownership) {
      this.ownership(ownership);
    } else if (lifecycle) {
      this.said(lifecycle, 'lifecycle');
      this.optionalTime(lifecycle.effectiveAt, 'lifecycle.effective_at');
      this.optionalOpaque(lifecycle.department, 'lifecycle.department');
    } else if (snapshot) {
      this.known(snapshot.completeness, MAX.completeness, 'snapshot.completeness');
      this.optionalTime(snapshot.asOf, 'snapshot.as_of');
      this.ensure(snapshot.root.length === 0 || snapshot.root.length === HASH_BYTES, 'snapshot.root is not 32 bytes');
    } else if (review) {
      this.said(review, 'review');
      this.optionalKnown(review.decision, MAX.reviewDecision, 'review.decision');
    } else if (policyDecision) {
      this.known(policyDecision.effect, MAX.policyEffect, 'policy_decision.effect');
      this.optionalOpaque(policyDecision.policy, 'policy_decision.policy');
      this.optionalOpaque(policyDecision.policyVersion, 'policy_decision.policy_version');
    } else if (matchingRule) {
      this.ensure(matchingRule.version > 0, 'matching_rule.version is missing');
      this.known(matchingRule.matchedBy, MAX.matchedBy, 'matching_rule.matched_by');
      this.systems(matchingRule.systems, 'matching_rule.systems');
    }
  }

  private ticket(ticket: Ticket): void {
    this.known(ticket.type, MAX.ticketType, 'ticket.type');
    this.optionalKnown(ticket.status, MAX.ticketStatus, 'ticket.status');
    this.optionalTime(ticket.windowStart, 'ticket.window_start');
    this.optionalTime(ticket.windowEnd, 'ticket.window_end');
    this.optionalKnown(ticket.sourceDecision, MAX.decision, 'ticket.source_decision');
    this.ensure(ascends(ticket.texts), 'ticket.texts are not in ascending order');
    ticket.texts.forEach((text) => this.known(text, MAX.ticketText, 'ticket.texts'));
    for (const item of ticket.items) {
      this.known(item.operation, MAX.accessOperation, 'item.operation');
      this.ensure(isCode(item.targetType), 'item.target_type is not a code');
      this.optionalTime(item.from, 'item.from');
      this.optionalTime(item.until, 'item.until');
    }
  }

  private ownership(ownership: Ownership): void {
    this.said(ownership, 'ownership');
    this.optionalTime(ownership.expiresAt, 'ownership.expires_at');
    this.systems(ownership.systems, 'ownership.systems');
    this.codes(ownership.operations, 'ownership.operations');
    this.optionalTime(ownership.suspectedAt, 'ownership.suspected_at');
    this.optionalTime(ownership.retiredAt, 'ownership.retired_at');
  }

  private systems(systems: readonly string[], what: string): void {
    this.ensure(systems.length <= FACTS_MAX, `${what} has more than 1,000`);
    systems.forEach((system) => this.name(system, what));
    this.ensure(ascends(systems), `${what} is not in ascending order`);
  }

  private codes(codes: readonly string[], what: string): void {
    this.ensure(codes.every(isCode), `${what} holds something that is not a code`);
    this.ensure(ascends(codes), `${what} is not in ascending order`);
  }

  private ensure(holds: boolean, what: string): void {
    if (!holds) {
      this.fail(`the record breaks a rule: ${what}`);
    }
  }

  private said(detail: object, what: string): void {
    this.ensure(!isEmpty(detail), `an empty ${what} is left out`);
  }

  private known(value: number, max: number, what: string): void {
    this.ensure(value > 0 && value <= max, `${what} has the value ${value}, which is not known`);
  }

  private optionalKnown(value: number, max: number, what: string): void {
    this.ensure(value >= 0 && value <= max, `${what} has the value ${value}, which is not known`);
  }

  private requiredTime(time: Time | undefined, what: string): void {
    this.ensure(time !== undefined, `${what} is missing`);
    this.optionalTime(time, what);
  }

  private optionalTime(time: Time | undefined, what: string): void {
    this.ensure(time === undefined || isTime(time), `${what} is not in year 1 to 9999, or has no precision`);
  }

  private hash(bytes: Uint8Array, what: string): void {
    this.ensure(bytes.length === HASH_BYTES, `${what} is not 32 bytes`);
  }

  private name(text: string, what: string): void {
    this.ensure(isName(text), `${what} is not a name of 1 to 128 letters, digits and . _ -`);
  }

  private opaque(text: string, what: string): void {
    this.ensure(isOpaque(text), `${what} is not an opaque id of 1 to 255 visible ASCII characters without '@'`);
  }

  private optionalOpaque(text: string, what: string): void {
    if (text !== '') {
      this.opaque(text, what);
    }
  }

  private optionalCode(text: string, what: string): void {
    this.ensure(text === '' || isCode(text), `${what} is not a code of 1 to 128 letters, digits and . _ - / :`);
  }
}
