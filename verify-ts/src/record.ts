// The record: its bytes, and what is asked of it.

import { order } from './bytes.js';
import { Entity } from './entity.js';
import { entitiesOf, groupOf, isUnresolved, references } from './fact.js';
import { type Event, Record as Description, type Record, type Source } from './messages.js';
import { read } from './protobuf.js';
import { malformed } from './rejected.js';
import * as rules from './rules.js';
import { type Moment, momentOf } from './time.js';

/** The largest record, in bytes. */
const RECORD_BYTES_MAX = 65_535;

/** Reads a record: its canonical form alone, and every rule that it must keep. */
export function decode(bytes: Uint8Array): Record {
  const fail = malformed('records');
  if (bytes.length > RECORD_BYTES_MAX) {
    fail(`a record of ${bytes.length} bytes is too large`);
  }
  const record = read(Description, bytes, fail);
  rules.check(record, fail);
  return record;
}

/** What a record says of an event: as it first came, or as it was read again. */
export function eventOf(record: Record): Event | undefined {
  return record.event ?? record.eventRemapped?.event;
}

/** The first of the entities that a record with facts belongs to: of an event that was read again, that reading belongs to it
 * too. What it shares with others is never the first one. */
export function firstEntityOf(record: Record): Entity | undefined {
  const source = sourceOf(record);
  const repeated = (record.eventRemapped?.entities ?? []).map((entity) => Entity.fromBytes(entity));
  const named = (source ? (eventOf(record)?.facts ?? []) : []).flatMap((fact) => [
    ...references(fact).flatMap((reference) => entitiesOf(reference, source as Source)),
    ...(isUnresolved(fact) ? [Entity.unresolved(source as Source)] : []),
    ...(groupOf(fact.kind) === 'rule' ? [Entity.matchingRules] : []),
  ]);
  const all = [...named, ...repeated.filter((entity) => entity !== undefined)];
  return all.sort((one, other) => order(one.key, other.key))[0];
}

/** The source of a record that is neither the first one nor a seal. */
export function sourceOf(record: Record): Source | undefined {
  return record.provenance?.source;
}

/** When the ledger learned it. */
export function recordedAt(record: Record): Moment {
  return record.recordedAt ? momentOf(record.recordedAt) : 0n;
}
