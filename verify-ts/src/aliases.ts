// Who else somebody is: the identifiers, accounts and persons that stand for one.
//
// Owns the closure over bindings, links and matching rules, and what each step rests on. It links nothing by similarity: a
// step is a fact that somebody recorded, or a rule that holds. Links that contradict each other are not followed.

import { binary, fromBinary } from './bytes.js';
import { Entity, type Place } from './entity.js';
import { contested, type MatchingRule, type MatchingRules } from './identity.js';
import type { People } from './people.js';
import type { LinkState } from './state.js';
import { Kind } from './words.js';

/** The most entities that one is followed to. More would be a shared mailbox, not a person. */
const ALIASES_MAX = 256;

/** A step from one entity to another that stands for the same one. */
export type Step = Readonly<{
  from: Entity;
  to: Entity;
  record: bigint;
  /** The rule that it rests on as well, where it leads into another system. */
  rule: MatchingRule | undefined;
  before: Step | undefined;
}>;

/** In which sense an identifier is meant. Named: as whoever is called so, anywhere. In: as that of an entity of this place;
 * whoever else is called so is the same one by a rule alone. Outside: anywhere but among the accounts of this place, which
 * have their own. */
type Sense = Readonly<{ as: 'named' }> | Readonly<{ as: 'in' | 'outside'; place: Place }>;

/** An entity that is to be looked at, and how one came to it. */
type Next = Readonly<{
  entity: Entity;
  sense: Sense;
  step: Step | undefined;
  /** It stands for them, and nothing else does because of it. */
  isEnd: boolean;
}>;

/** Every entity that stands for one, in ascending order, and how one comes to each. Some were come to that do not stand for
 * them. */
export type Aliases = Readonly<{
  entities: readonly Entity[];
  reached: readonly Entity[];
  steps: (entity: Entity) => readonly Step[];
  /** There are more than were followed. */
  isCut: boolean;
}>;

/** Everything that stands for one of these, who are one. */
export function aliasesOf(start: readonly Entity[], people: People): Aliases {
  const closure = new Closure(people);
  const isCut = closure.follow(start);
  const entities = ascending([...closure.reached.values()].filter(({ stands }) => stands).map(({ entity }) => entity));
  const reached = [...closure.reached.values()].map(({ entity }) => entity);
  return { entities, reached, steps: (entity) => stepsTo(closure.reached.get(entity.key)?.step), isCut };
}

/** The records by which those of some entities stand for whom they stand for that also stand for others. */
export function sharedRecords(aliases: Aliases, others: Aliases): bigint[] {
  const shared = aliases.reached.filter((entity) => entity.isAmong(others.entities));
  return shared.flatMap((entity) => aliases.steps(entity).map(({ record }) => record));
}

function stepsTo(last: Step | undefined): readonly Step[] {
  return last ? [...stepsTo(last.before), last] : [];
}

function ascending(entities: readonly Entity[]): Entity[] {
  return [...entities].sort((one, other) => (one.key < other.key ? -1 : 1));
}

class Closure {
  readonly reached = new Map<string, Readonly<{ entity: Entity; step: Step | undefined; stands: boolean }>>();
  /** Identifiers with the senses in which they were looked at, and those that were followed to all whom they mean. */
  private readonly meant = new Set<string>();
  private readonly expanded = new Set<string>();

  /** They decide also about nobody: their history is a part of any answer. */
  private readonly rules: MatchingRules;

  constructor(private readonly people: People) {
    this.rules = people.rules;
  }

  /** Follows everything, and says whether there is more. */
  follow(start: readonly Entity[]): boolean {
    const next: Next[] = start.map((entity) => ({ entity, sense: { as: 'named' }, step: undefined, isEnd: false }));
    // What records say outright goes before what an identifier joins, which has to fit to it.
    const called: Next[] = [];
    for (let one = next.shift(); one; one = next.shift() ?? called.shift()) {
      const { entity, sense } = one;
      const isNew = !this.reached.has(entity.key);
      if (!isNew && (!entity.token || this.meant.has(keyOf(entity, sense)))) {
        continue;
      }
      if (isNew && this.reached.size === ALIASES_MAX) {
        return true;
      }
      for (const further of this.look(one)) {
        (further.entity.token ? called : next).push(further);
      }
      if (entity.token) {
        this.meant.add(keyOf(entity, sense));
      }
      if (isNew) {
        // Where a rule has to join two systems, that both know an address joins nobody.
        const stands = !entity.token || sense.as === 'named' || this.rules.joinEverything;
        this.reached.set(entity.key, { entity, step: one.step, stands });
      }
    }
    return false;
  }

  /** Those one step further. */
  private look({ entity, sense, step, isEnd }: Next): Next[] {
    // If rules join everything, whoever is meant among some accounts is meant among all.
    const isExpanded = this.rules.joinEverything && this.expanded.has(entity.key);
    const further = isEnd ? [] : this.stepsFrom(entity, sense, step, isExpanded);
    if (entity.token && sense.as !== 'outside') {
      this.expanded.add(entity.key);
    }
    const divided = sense.as === 'named' && entity.token ? this.divided(further.map(({ entity }) => entity)) : new Set();
    // Whom an address joins, records may tell apart: one may have had it before the other.
    const isJoined = entity.token !== undefined && sense.as !== 'named';
    const same = further.filter((one) => !isJoined || !this.isSomebodyElse(one.entity));
    return same.map((one) => ({ ...one, isEnd: divided.has(one.entity.key) }));
  }

  /** Those whom an identifier that the question names means, and whom records tell apart: it means each of them, and none of
   * what else is theirs. */
  private divided(entities: readonly Entity[]): Set<string> {
    const divided = new Set<string>();
    for (const [number, one] of entities.entries()) {
      for (const other of entities.slice(0, number).filter((other) => this.people.areTwo(one, other))) {
        divided.add(one.key).add(other.key);
      }
    }
    return divided;
  }

  /** Whether an entity is not the same as one of those that stand for the same one. */
  private isSomebodyElse(entity: Entity): boolean {
    const others = [...this.reached.values()].map((reached) => reached.entity);
    const known = ascending(others.filter((one) => !one.token && !one.is(entity)));
    return known.some((one) => this.people.areTwo(one, entity));
  }

  /** The entities one step away, and in which sense each is meant. */
  private stepsFrom(entity: Entity, sense: Sense, before: Step | undefined, isExpanded: boolean): Next[] {
    const next = (to: Entity, record: bigint, rule: MatchingRule | undefined, sense: Sense): Next => {
      const step = { from: entity, to, record, rule, before };
      return { entity: to, sense, step, isEnd: false };
    };
    const joined = entity.token ? (isExpanded ? [] : this.joinedBy(entity, entity.token, sense)) : this.callsOf(entity);
    const links = this.linksFrom(entity, sense);
    return [...joined, ...links].map(({ to, record, rule, sense }) => next(to, record, rule, sense));
  }

  /** Whom an identifier means. */
  private joinedBy(identifier: Entity, token: Uint8Array, sense: Sense): Found[] {
    return this.people.meantBy(identifier, binary(token), sense.as === 'named').flatMap(({ entity, record }) => {
      const isElsewhere = sense.as !== 'named' && !entity.isIn(sense.place);
      const rule = sense.as === 'in' && isElsewhere ? this.rules.joining(sense.place.system, entity.system) : undefined;
      const isMeant = sense.as === 'named' || (sense.as === 'in' ? !isElsewhere || rule !== undefined : isElsewhere);
      return isMeant ? [{ to: entity, record, rule, sense: { as: 'in', place: entity } as const }] : [];
    });
  }

  /** What an entity is called: the identifiers that mean it. */
  private callsOf(entity: Entity): Found[] {
    return this.people.identifiers(entity).flatMap((token) => {
      const identifier = Entity.identifier(fromBinary(token));
      const own = this.people.meantBy(identifier, token, false).find((meant) => meant.entity.is(entity));
      const sense = { as: 'in', place: entity } as const;
      return own ? [{ to: identifier, record: own.record, rule: undefined, sense }] : [];
    });
  }

  /** Whom an entity is linked with. */
  private linksFrom(entity: Entity, sense: Sense): Found[] {
    const kinds: readonly number[] = [Kind.account, Kind.person, Kind.identifier];
    const links = kinds.includes(entity.kind) ? this.people.links(entity) : [];
    const contradicted = contested(entity, links);
    return links.flatMap((link) => {
      const { counterpart: to, system, instance, evidence } = link;
      const isMeant = !entity.token || isMeantIn(sense, link);
      if (contradicted.includes(link) || !isMeant || this.people.isContested(entity, to)) {
        return [];
      }
      const own: Sense = { as: 'in', place: to };
      const called: Sense = system === '' ? { as: 'outside', place: entity } : { as: 'in', place: { system, instance } };
      return [{ to, record: evidence.index, rule: undefined, sense: to.token ? called : own }];
    });
  }
}

type Found = Readonly<{ to: Entity; record: bigint; rule: MatchingRule | undefined; sense: Sense }>;

/** Whether a link of an identifier is one of whom the identifier means in this sense. */
function isMeantIn(sense: Sense, { counterpart, system, instance }: LinkState): boolean {
  switch (sense.as) {
    case 'named':
      return true;
    case 'in':
      return system === '' ? !counterpart.isIn(sense.place) : system === sense.place.system && instance === sense.place.instance;
    case 'outside':
      return false;
  }
}

function keyOf(entity: Entity, sense: Sense): string {
  const place = sense.as === 'named' ? [] : [sense.place.system, sense.place.instance];
  return [entity.key, sense.as, ...place].join('\0');
}
