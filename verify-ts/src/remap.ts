// What is read again: which reading of an event counts by how many records.

import type { Record } from './messages.js';
import { eventOf } from './record.js';

/** The first record of the reading that a record is a part of; itself where it is no event. */
function readingOf(record: Record): bigint {
  const part = BigInt(eventOf(record)?.part ?? 0);
  return record.index > part ? record.index - part : 0n;
}

/** The record in which what a record says first came to the ledger: itself, unless it was read again. */
export function placeOfRecord(record: Record): bigint {
  return record.eventRemapped?.firstIndex ?? record.index;
}

/** The first record of the event as it first came. */
function eventIndex(record: Record): bigint {
  return record.eventRemapped?.firstIndex ?? readingOf(record);
}

/** The readings of events that were read again. */
export class Readings {
  private readonly remapped = new Map<bigint, Set<bigint>>();
  /** Of each event the newest reading by so many records, as it was last asked for. */
  private readonly newest = new Map<bigint, Readonly<{ known: bigint; reading: bigint | undefined }>>();

  /** Looks at records. They may come in any order; those that are no remappings do no harm. */
  add(records: readonly Record[]): this {
    for (const record of records.filter(({ eventRemapped }) => eventRemapped)) {
      const readings = this.remapped.get(eventIndex(record)) ?? new Set();
      this.remapped.set(eventIndex(record), readings.add(readingOf(record)));
      this.newest.delete(eventIndex(record));
    }
    return this;
  }

  /** Whether what a record says counts by the first `known` records: it is known, and no newer reading of its event is. A
   * remapping is known with its first record. */
  count(record: Record, known: bigint): boolean {
    const newest = this.newestOf(eventIndex(record), known);
    return record.index < known && (newest === undefined || newest === readingOf(record));
  }

  private newestOf(event: bigint, known: bigint): bigint | undefined {
    const held = this.newest.get(event);
    if (held?.known === known) {
      return held.reading;
    }
    let reading: bigint | undefined;
    for (const one of this.remapped.get(event) ?? []) {
      reading = one < known && (reading === undefined || one > reading) ? one : reading;
    }
    this.newest.set(event, { known, reading });
    return reading;
  }
}
