// Who is who at one moment, by the first so many records: whom an identifier means, and who are two persons.

import { order } from './bytes.js';
import { Entity } from './entity.js';
import { contested, type MatchingRules } from './identity.js';
import { hasLost, type Run } from './mention.js';
import { Recorded, type Traits } from './recorded.js';
import { type Evidence, inOrder, type LinkState, sorted, type State } from './state.js';
import type { Moment } from './time.js';
import { AccountStatus, Kind } from './words.js';

/** Whom an identifier means, and the record that first said so. */
export type Meant = Readonly<{ entity: Entity; record: bigint }>;

/** An entity that had an identifier, and the first fact that says so. */
type Holder = Readonly<{ entity: Entity; first: Evidence }>;

export class People {
  private readonly traitsOf = new Map<string, Traits>();
  private readonly states = new Map<string, State>();
  private readonly runsOf = new Map<string, Run[] | undefined>();
  private readonly identifiersOf = new Map<string, string[]>();
  private rulesInForce: MatchingRules | undefined;

  constructor(
    private readonly recorded: Recorded,
    private readonly at: Moment,
    private readonly known: bigint,
  ) {}

  /** The matching rules that hold. */
  get rules(): MatchingRules {
    return (this.rulesInForce ??= this.recorded.rules(this.known));
  }

  /** The tokens of the identifiers that an entity ever had, by the records that count. */
  identifiers(entity: Entity): readonly string[] {
    return kept(this.identifiersOf, entity.key, () => this.recorded.identifiers(entity, this.known));
  }

  /** Whom an entity is linked with, by key. */
  links(entity: Entity): LinkState[] {
    return sorted(this.stateOf(entity).linked);
  }

  /** Whether records contradict each other about a link, seen from its other end. */
  isContested(entity: Entity, other: Entity): boolean {
    const isClaimed = entity.kind === Kind.account || entity.kind === Kind.person;
    return isClaimed && contested(other, this.links(other)).some(({ counterpart }) => counterpart.is(entity));
  }

  /** The entities that an identifier meant. Identifiers are given away again: within one kind and one system it means those
   * that had it by then and were neither gone nor called otherwise since. If there is none, it means the last that had it.
   * Only where it is `named` by itself, as in a question, the next one that got it goes before that. */
  meantBy(identifier: Entity, token: string, named: boolean): Meant[] {
    const places = new Map<string, Holder[]>();
    for (const holder of this.holders(identifier, token)) {
      places.set(holder.entity.place, [...(places.get(holder.entity.place) ?? []), holder]);
    }
    const ascending = [...places].sort(([one], [other]) => order(one, other));
    const meant = ascending.flatMap(([, holders]) => this.meantAmong(holders, token, named));
    return meant.map(({ entity, first }) => ({ entity, record: first.index }));
  }

  /** Those that ever had an identifier, by when they had it first. */
  private holders(identifier: Entity, token: string): Holder[] {
    const holders = new Map<string, Holder>();
    for (const [fact, bound] of this.recorded.bindings(identifier, token)) {
      for (const { entity } of this.recorded.counts(fact, this.known) ? bound : []) {
        kept(holders, entity.key, () => ({ entity, first: fact.evidence }));
      }
    }
    const byFirst = (one: Holder, other: Holder) =>
      inOrder(one.first, other.first) || order(one.entity.key, other.entity.key);
    return [...holders.values()].sort(byFirst);
  }

  private meantAmong(holders: readonly Holder[], token: string, named: boolean): readonly Holder[] {
    // The only one that ever had it is meant at any time.
    if (holders.length === 1) {
      return holders;
    }
    const before = holders.filter(({ first }) => first.occurredAt <= this.at);
    const there = before.filter(({ entity }) => !this.isGone(entity));
    const called = there.length > 1 ? this.stillCalled(there, token) : there;
    if (called.length > 0) {
      return called;
    }
    const [last, next] = [before.at(-1), holders[before.length]];
    const free = named ? (next ?? last) : (last ?? next);
    return free ? [free] : [];
  }

  /** Of several that had an identifier, those that are not called otherwise since; all of them, if all are. */
  private stillCalled(holders: readonly Holder[], token: string): readonly Holder[] {
    const still = holders.filter(({ entity }) => {
      const runs = kept(this.runsOf, entity.key, () => this.recorded.runs(entity, this.known));
      return !(runs && hasLost(runs, token, this.at));
    });
    return still.length === 0 ? holders : still;
  }

  /** Whether two that share an identifier are two persons all the same: other records say so of each, or one was made when
   * the other was gone, and so was given what the other had been called. */
  areTwo(one: Entity, other: Entity): boolean {
    const [first, second] = [this.traits(one), this.traits(other)];
    if (this.hasReplaced(first, second) || this.hasReplaced(second, first)) {
      return true;
    }
    const [ours, theirs] = [this.personsOf(one, first), this.personsOf(other, second)];
    return ours.some((person) => {
      const isOfPlace = theirs.some(({ place }) => place === person.place);
      return isOfPlace && !theirs.some((one) => one.is(person));
    });
  }

  /** Whether something was made when another was over. Who is switched on again was not replaced. */
  private hasReplaced(made: Traits, old: Traits): boolean {
    const { createdAt } = made;
    return old.isEnded && isOver(old.at(this.at)) && createdAt !== undefined && isOver(old.at(createdAt));
  }

  /** The persons whose something is, by records that nothing contradicts. */
  private personsOf(entity: Entity, traits: Traits): Entity[] {
    if (entity.kind === Kind.person) {
      return [entity];
    }
    const links = traits.isLinked ? sorted(traits.at(this.at).linked) : [];
    const contradicted = contested(entity, links);
    const persons = links.filter((link) => link.counterpart.kind === Kind.person && !contradicted.includes(link));
    return persons.map(({ counterpart }) => counterpart);
  }

  /** Whether an account was disabled or deleted by then. */
  private isGone(entity: Entity): boolean {
    const { account } = this.stateOf(entity);
    return account?.status === AccountStatus.disabled || account?.status === AccountStatus.deleted;
  }

  private traits(entity: Entity): Traits {
    return kept(this.traitsOf, entity.key, () => this.recorded.traits(entity, this.known));
  }

  private stateOf(entity: Entity): State {
    const traits = this.traits(entity);
    return kept(this.states, entity.key, () => traits.at(this.at));
  }
}

/** Whether an account is switched off for good. */
function isOver({ account }: State): boolean {
  const isDisabled = account?.status === AccountStatus.disabled && !account.reversible;
  return isDisabled || account?.status === AccountStatus.deleted;
}

/** What was found out, or is now. */
function kept<V>(found: Map<string, V>, key: string, find: () => V): V {
  if (!found.has(key)) {
    found.set(key, find());
  }
  return found.get(key) as V;
}
