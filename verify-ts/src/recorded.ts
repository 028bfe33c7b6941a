// What records themselves tell of who is who: the reading of whole histories, one entity at a time.
//
// It notes whose histories were asked for, which are those that an evidence file has to hold.

import { order } from './bytes.js';
import { Entity } from './entity.js';
import { entitiesOf, groupOf, named } from './fact.js';
import type { Histories } from './histories.js';
import { MatchingRules } from './identity.js';
import { addRun, type Mention, mentions, type Run, RUNS_FACTS_MAX } from './mention.js';
import type { Record } from './messages.js';
import { Readings } from './remap.js';
import { applied, bearers, type FactAt, factsOf, factsOfRecord, replay } from './replay.js';
import type { State } from './state.js';
import { LAST, type Moment } from './time.js';
import { FactKind } from './words.js';

export class Recorded {
  private readonly read = new Map<string, Readonly<{ entity: Entity; records: readonly Record[] }>>();
  private readonly readings = new Readings();

  constructor(private readonly histories: Histories) {}

  /** Whether the history of an entity was asked for. */
  wasAsked(entity: Entity): boolean {
    return this.read.has(entity.key);
  }

  /** The history of an entity. */
  records(entity: Entity): readonly Record[] {
    const known = this.read.get(entity.key);
    if (known) {
      return known.records;
    }
    const records = this.histories.of(entity);
    this.readings.add(records);
    this.read.set(entity.key, { entity, records });
    return records;
  }

  /** The records that a period needs, in the order of the log. */
  stretch(): readonly Record[] {
    return this.histories.stretch;
  }

  /** The state of an entity, as all its records give it. */
  state(entity: Entity, at: Moment, known: bigint): State {
    return replay(entity, this.records(entity), at, known);
  }

  /** What an entity is, at any moment. */
  traits(entity: Entity, known: bigint): Traits {
    return new Traits(entity, this.records(entity), known);
  }

  /** The tokens of the identifiers that an entity ever had by the first `known` records, ascending. */
  identifiers(entity: Entity, known: bigint): string[] {
    const facts = this.records(entity).filter(({ index }) => index < known).flatMap(factsOfRecord);
    const tokens = facts.flatMap((fact) => [...(mentions(fact).get(entity.key)?.tokens ?? [])]);
    return [...new Set(tokens)].sort(order);
  }

  /** The facts that bind an identifier, in their order, each with those to whom it is bound. */
  bindings(identifier: Entity, token: string): (readonly [FactAt, Mention[]])[] {
    return factsOf(this.records(identifier)).map((fact) => {
      const bound = [...mentions(fact).values()].filter(({ tokens }) => tokens.has(token));
      return [fact, bound] as const;
    });
  }

  /** The tickets that may be for somebody, also by records that count no longer. */
  requests(beneficiary: Entity): Entity[] {
    return this.records(beneficiary).flatMap(factsOfRecord).flatMap(({ fact, source }) => {
      const { kind, subject, object } = fact;
      const isFor = groupOf(kind) === 'ticket' && subject && beneficiary.isAmong(entitiesOf(subject, source));
      return isFor && object ? named(object, source) : [];
    });
  }

  /** The facts about a ticket that count, in their order. */
  ticket(ticket: Entity, known: bigint): FactAt[] {
    const own = factsOf(this.records(ticket)).filter((fact) => ticket.isAmong(bearers(fact)));
    return own.filter((fact) => this.counts(fact, known));
  }

  /** Whether a record counts by the first `known` records, as far as the histories say that were asked for. */
  recordCounts(record: Record, known: bigint): boolean {
    return this.readings.count(record, known);
  }

  /** One record of those that count for the question. */
  record(index: bigint): Record {
    return this.histories.record(index);
  }

  /** Whether a fact counts by the first `known` records. */
  counts({ record }: FactAt, known: bigint): boolean {
    return this.recordCounts(record, known);
  }

  /** What an entity was called over time; none where there is too much of it. */
  runs(entity: Entity, known: bigint): Run[] | undefined {
    const runs: Run[] = [];
    let count = 0;
    for (const fact of factsOf(this.records(entity))) {
      const tokens = mentions(fact).get(entity.key)?.tokens ?? new Set<string>();
      if (tokens.size === 0 || !this.counts(fact, known)) {
        continue;
      }
      count += 1;
      if (count > RUNS_FACTS_MAX) {
        return undefined;
      }
      addRun(runs, fact.evidence.occurredAt, tokens);
    }
    return runs;
  }

  /** The matching rules that hold: whenever they were declared, they say how evidence is read from then on. */
  rules(known: bigint): MatchingRules {
    const records = this.records(Entity.matchingRules);
    const declaring = factsOf(records).filter(({ fact }) => fact.kind === FactKind.ruleDeclared);
    const rules = new Map(declaring.flatMap(bearers).map((rule) => [rule.key, rule]));
    const ascending = [...rules.values()].sort((one, other) => order(one.key, other.key));
    return MatchingRules.inForce(ascending.map((rule) => [rule, replay(rule, records, LAST, known).rule] as const));
  }
}

/** The facts that say whom an entity is linked with, and whether it is there. */
const TRAITS: ReadonlySet<number> = new Set([
  FactKind.identityLinked,
  FactKind.identityUnlinked,
  FactKind.accountCreated,
  FactKind.accountEnabled,
  FactKind.accountDisabled,
  FactKind.accountDeleted,
]);

/** What one entity is, as far as it decides who is who, also by facts that count no longer. */
export class Traits {
  private readonly facts: readonly FactAt[];
  private readonly counting: readonly FactAt[];

  constructor(
    private readonly entity: Entity,
    records: readonly Record[],
    known: bigint,
  ) {
    const readings = new Readings().add(records);
    const traits = factsOf(records).filter(({ fact }) => TRAITS.has(fact.kind));
    this.facts = traits.filter((fact) => bearers(fact).some((bearer) => bearer.is(entity)));
    this.counting = this.facts.filter(({ record }) => readings.count(record, known));
  }

  /** Whether any of them links it with somebody. */
  get isLinked(): boolean {
    return this.facts.some(({ fact }) => fact.kind === FactKind.identityLinked);
  }

  /** Whether any of them switches it off. */
  get isEnded(): boolean {
    const ends: readonly number[] = [FactKind.accountDisabled, FactKind.accountDeleted];
    return this.facts.some(({ fact }) => ends.includes(fact.kind));
  }

  /** When it was made: the last time, if it was made anew. */
  get createdAt(): Moment | undefined {
    return this.counting.filter(({ fact }) => fact.kind === FactKind.accountCreated).at(-1)?.evidence.occurredAt;
  }

  /** What they come to at a moment. The other parts of a state are not there. */
  at(at: Moment): State {
    return applied(this.entity, this.counting.filter(({ evidence }) => evidence.occurredAt <= at));
  }
}
