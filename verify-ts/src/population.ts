// The population of a period: all that changed in it, out of records of which none is missing.
//
// Owns which facts are of a period, which of them are changes, and the totals over all that was read: every record and every
// fact is counted once in each.

import { changesAccess, groupOf } from './fact.js';
import type { Fact, Record, SourceGap } from './messages.js';
import { eventOf, sourceOf } from './record.js';
import { Readings } from './remap.js';
import { type FactAt, factsOfRecord } from './replay.js';
import { inOrder } from './state.js';
import { CLOCK_TOLERANCE_SECONDS } from './ticket.js';
import { type Moment, plusSeconds } from './time.js';
import { Confidence, Mapping, OUTCOME_SUCCESS } from './words.js';

/** From one moment on by the sources' clocks, up to another one, which is not in it any more. */
export type Period = Readonly<{ from: Moment; to: Moment }>;

/** From when on records may tell of a period: what happened is recorded afterwards, by clocks that differ by no more than is
 * tolerated. */
export function recordedFrom({ from }: Period): Moment {
  return plusSeconds(from, -CLOCK_TOLERANCE_SECONDS);
}

export type Gap = Readonly<{ record: Record; gap: SourceGap }>;

/** What some records say of a period. */
export type Population = Readonly<{
  /** In the order of the replay. */
  changes: readonly FactAt[];
  records: RecordCounts;
  facts: FactCounts;
  /** The facts of the period by their kind, ascending by its number. */
  kinds: readonly (readonly [number, Counts])[];
  /** Ascending by system, instance and stream. */
  sources: readonly (readonly [string, SourceCounts])[];
  gaps: readonly Gap[];
}>;

/** Records by what they are. Those that were rejected and read since are among the rejected ones, and those beside which
 * something was removed are any. */
export type RecordCounts = {
  total: number;
  origin: number;
  events: number;
  readAgain: number;
  conflicts: number;
  rejected: number;
  rejectedReadSince: number;
  gaps: number;
  redactions: number;
  redacted: bigint;
  keyAnnouncements: number;
  seals: number;
};

/** Facts that count no longer, and those that count: before the period, in it and behind it. */
export type FactCounts = { total: number; replaced: number; before: number; within: number; after: number };

type Counts = { facts: number; changes: number };

/** Records of a source, and what they say of the period. */
export type SourceCounts = Counts & { records: number; unmapped: number; incomplete: number; rejected: number; gaps: number };

/** What these records, which are one behind the other, say of a period by the first `known` of the log. */
export function populationOf(period: Period, records: readonly Record[], known: bigint): Population {
  const readings = new Readings().add(records);
  const [kinds, sources] = [new Map<number, Counts>(), new Map<string, SourceCounts>()];
  const facts: FactCounts = { total: 0, replaced: 0, before: 0, within: 0, after: 0 };
  const changes: FactAt[] = [];
  for (const record of records) {
    const counts = readings.count(record, known);
    const source = countSource(record, counts, sources);
    for (const fact of factsOfRecord(record)) {
      const where = counts ? placeIn(period, fact.evidence.occurredAt) : 'replaced';
      facts.total += 1;
      facts[where] += 1;
      if (where === 'within') {
        const isOne = isChange(fact.fact);
        const kind = kinds.get(fact.fact.kind) ?? { facts: 0, changes: 0 };
        kinds.set(fact.fact.kind, kind);
        for (const counted of source ? [kind, source] : [kind]) {
          counted.facts += 1;
          counted.changes += Number(isOne);
        }
        changes.push(...(isOne ? [fact] : []));
      }
    }
  }
  return {
    changes: changes.sort((one, other) => inOrder(one.evidence, other.evidence)),
    records: countRecords(records),
    facts,
    kinds: [...kinds].sort(([one], [other]) => one - other),
    sources: [...sources].sort(([one], [other]) => (one < other ? -1 : 1)),
    gaps: records.flatMap((record) => (record.sourceGap ? [{ record, gap: record.sourceGap }] : [])),
  };
}

function placeIn({ from, to }: Period, at: Moment): 'before' | 'within' | 'after' {
  return at < from ? 'before' : at < to ? 'within' : 'after';
}

/** Whether a fact is a change of the population: it changed access, or somebody joined, moved or left. */
function isChange(fact: Fact): boolean {
  const isStep = groupOf(fact.kind) === 'lifecycle';
  return (isStep && fact.outcome === OUTCOME_SUCCESS && fact.confidence !== Confidence.snapshot) || changesAccess(fact);
}

/** Counts a record for its source, by whose names the counts are kept. */
function countSource(record: Record, counts: boolean, sources: Map<string, SourceCounts>): SourceCounts | undefined {
  const source = sourceOf(record);
  if (!source) {
    return undefined;
  }
  const names = [source.system, source.instance, source.stream].join('\0');
  const nothing = { records: 0, facts: 0, changes: 0, unmapped: 0, incomplete: 0, rejected: 0, gaps: 0 };
  const counted = sources.get(names) ?? nothing;
  sources.set(names, counted);
  const mapping = counts ? eventOf(record)?.mapping : undefined;
  counted.records += 1;
  counted.unmapped += Number(mapping === Mapping.unmapped);
  counted.incomplete += Number(mapping === Mapping.incomplete);
  counted.rejected += Number(record.sourceRejected !== undefined);
  counted.gaps += Number(record.sourceGap !== undefined);
  return counted;
}

function countRecords(records: readonly Record[]): RecordCounts {
  const count = (is: (record: Record) => unknown) => records.filter(is).length;
  const isRead = ({ event, eventConflict }: Record) => event ?? eventConflict;
  const retries = new Set(records.filter(isRead).map(({ provenance }) => provenance?.retryOf));
  return {
    total: records.length,
    origin: count(({ origin }) => origin),
    events: count(({ event }) => event),
    readAgain: count(({ eventRemapped }) => eventRemapped),
    conflicts: count(({ eventConflict }) => eventConflict),
    rejected: count(({ sourceRejected }) => sourceRejected),
    rejectedReadSince: count(({ sourceRejected, index }) => sourceRejected && retries.has(index)),
    gaps: count(({ sourceGap }) => sourceGap),
    redactions: count(({ redaction }) => redaction),
    redacted: countRedacted(records),
    keyAnnouncements: count(({ keyAnnouncement }) => keyAnnouncement),
    seals: count(({ seal }) => seal),
  };
}

/** Beside how many of these records something was removed. */
function countRedacted(records: readonly Record[]): bigint {
  const removed = records.flatMap(({ redaction }) => redaction?.removed ?? []);
  const ranges = removed.map(({ first, records }) => [first, first + records] as const);
  ranges.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
  let [count, counted] = [0n, records[0]?.index ?? 0n];
  for (const [from, to] of ranges) {
    const begin = from > counted ? from : counted;
    count += to > begin ? to - begin : 0n;
    counted = to > counted ? to : counted;
  }
  return count;
}
