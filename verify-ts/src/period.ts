// What changed in a period, as it is reported, and the totals of what that was drawn from.

import { Entity } from './entity.js';
import { named } from './fact.js';
import type { Ref } from './messages.js';
import type { Names } from './names.js';
import type { FactCounts, Gap, RecordCounts, SourceCounts } from './population.js';
import { recordedFrom } from './population.js';
import type { Answer } from './question.js';
import { recordedAt, sourceOf } from './record.js';
import type { FactAt } from './replay.js';
import { secondsOf, shown } from './time.js';
import { DELIVERY_BACKFILL, FACT_KIND_NAMES, GAP_REASON_NAMES } from './words.js';

/** What changed in a period. */
export type PeriodOf = Readonly<{
  from: string;
  to: string;
  /** From when on records may tell of it, and the first that does. */
  recordedFrom: string;
  first: bigint;
  records: RecordCounts;
  facts: FactCounts;
  kinds: readonly Readonly<{ kind: string; facts: number; changes: number }>[];
  sources: readonly (Readonly<{ source: string }> & SourceCounts)[];
  gaps: readonly GapOf[];
  changes: readonly Row[];
}>;

/** What a source lost: positions from one to another. */
export type GapOf = Readonly<{ record: bigint; source: string; from: bigint; to: bigint; reason: string }>;

/** Somebody, and what they are called, where anybody says so. */
export type Who = Readonly<{ entity: string; name?: string }>;

/** One change. What does not apply is left out. */
export type Row = Readonly<{
  record: bigint;
  fact: number;
  kind: string;
  happened: string;
  recorded: string;
  /** How long after it happened it was recorded, rounded down. */
  lateSeconds?: bigint;
  /** It came with a first import of old logs. */
  backfill?: true;
  /** The record in which its event first came, where it was read again. */
  firstCame?: bigint;
  source: string;
  /** The event's id at its source. */
  event: string;
  subject?: Who;
  object?: Who;
  scope?: string;
  actor?: Who;
  /** The tickets that the change itself names. */
  tickets?: readonly string[];
}>;

export function periodOfAnswer(answer: Extract<Answer, { about: 'period' }>, first: bigint, names: Names): PeriodOf {
  const { period, population } = answer;
  const { records, facts, kinds, sources, gaps, changes } = population;
  return {
    from: shown(period.from),
    to: shown(period.to),
    recordedFrom: shown(recordedFrom(period)),
    first,
    records,
    facts,
    kinds: kinds.map(([kind, counts]) => ({ kind: kindName(kind), ...counts })),
    sources: sources.map(([source, counts]) => ({ source: source.replaceAll('\0', ':'), ...counts })),
    gaps: gaps.map(gapOf),
    changes: changes.map((change) => rowOf(change, names)),
  };
}

function kindName(kind: number): string {
  return FACT_KIND_NAMES[kind - 1] ?? '';
}

function gapOf({ record, gap: { from, to, reason } }: Gap): GapOf {
  const source = sourceOf(record);
  const names = [source?.system, source?.instance, source?.stream].join(':');
  return { record: record.index, source: names, from, to, reason: GAP_REASON_NAMES[reason] ?? '' };
}

function rowOf({ fact, source, evidence, record }: FactAt, names: Names): Row {
  const who = (as: 'subject' | 'object' | 'actor') => whoIs(as, fact[as], names, (reference) => named(reference, source)[0]);
  const tickets = (fact.correlation?.tickets ?? []).flatMap((ticket) => named(ticket, source));
  const isReadAgain = record.eventRemapped !== undefined;
  return {
    record: evidence.index,
    fact: evidence.fact,
    kind: kindName(fact.kind),
    happened: shown(evidence.occurredAt),
    recorded: shown(recordedAt(record)),
    ...(!isReadAgain && { lateSeconds: secondsOf(recordedAt(record) - evidence.occurredAt) }),
    ...(record.provenance?.delivery === DELIVERY_BACKFILL && { backfill: true as const }),
    ...(isReadAgain && { firstCame: evidence.place }),
    source: [source.system, source.instance, source.stream].join(':'),
    event: record.provenance?.eventId ?? '',
    ...who('subject'),
    ...who('object'),
    ...(fact.scope !== '' && { scope: fact.scope }),
    ...who('actor'),
    ...(tickets.length > 0 && { tickets: tickets.map(({ text }) => text) }),
  };
}

/** Somebody under the name that they have in a change. */
function whoIs<As extends string>(
  as: As,
  reference: Ref | undefined,
  names: Names,
  find: (reference: Ref) => Entity | undefined,
): { [K in As]?: Who } {
  const entity = reference && find(reference);
  if (!entity) {
    return {};
  }
  const name = names.of(entity);
  return { [as]: { entity: entity.text, ...(name !== '' && { name }) } } as { [K in As]?: Who };
}
