// Everything that is one person's. Of what records contradict each other about it shows every side, and goes no further from
// there.

import { type Aliases, aliasesOf, type Step } from './aliases.js';
import { binary, order } from './bytes.js';
import type { Entity } from './entity.js';
import { contested } from './identity.js';
import type { People } from './people.js';
import type { LinkState } from './state.js';
import { Kind } from './words.js';

/** Something that is a person's: how one comes to it, and who else has it, by other records. */
export type Member = Readonly<{ entity: Entity; steps: readonly Step[]; contestedBy: readonly LinkState[] }>;

/** What a question about somebody covers. */
export type Covered = Readonly<{
  /** The person; or whoever the question names, where nobody says whose that is, or several records do. */
  whose: Entity;
  members: readonly Member[];
  /** More is theirs than was followed. */
  isCut: boolean;
}>;

/** What is covered by a question about an entity: that of an account, or of whatever else is somebody's, is about whose it
 * is. */
export function coveredBy(entity: Entity, people: People): Covered {
  const own = aliasesOf([entity], people);
  const [person, another] = own.entities.filter(({ kind }) => kind === Kind.person);
  const whose = entity.kind !== Kind.person && person && !another ? person : entity;
  const aliases = whose.is(entity) ? own : aliasesOf([whose], people);
  const others = aliases.entities.filter((one) => !one.is(whose) && isSomebody(one));
  const members = new Map<string, Member>();
  // What is contested is said to be so, also where an address leads there as well.
  for (const member of [...claimed(aliases, people), ...others.map((one) => ({ entity: one, steps: aliases.steps(one), contestedBy: [] }))]) {
    members.set(member.entity.key, members.get(member.entity.key) ?? member);
  }
  const ascending = [...members.values()].sort((one, other) => order(one.entity.key, other.entity.key));
  return { whose, members: ascending, isCut: aliases.isCut };
}

/** What records say is one of these persons', and others say is somebody else's. */
function claimed(aliases: Aliases, people: People): Member[] {
  const persons = aliases.entities.filter(({ kind }) => kind === Kind.person);
  return persons.flatMap((person) => people.links(person).flatMap((link) => claimedBy(person, link, aliases, people)));
}

function claimedBy(person: Entity, link: LinkState, aliases: Aliases, people: People): Member[] {
  const { counterpart: other, evidence } = link;
  const contradicting = contested(other, people.links(other));
  const contestedBy = contradicting.filter(({ counterpart }) => !counterpart.is(person));
  if (contestedBy.length === contradicting.length) {
    return [];
  }
  const first: Step = { from: person, to: other, record: evidence.index, rule: undefined, before: undefined };
  const steps = [...aliases.steps(person), first];
  if (!other.token) {
    return [{ entity: other, steps, contestedBy }];
  }
  const meant = people.meantBy(other, binary(other.token), false).filter(({ entity }) => entity.isIn(link));
  return meant.map(({ entity, record }) => {
    const further: Step = { from: other, to: entity, record, rule: undefined, before: first };
    return { entity, steps: [...steps, further], contestedBy };
  });
}

/** Whether an entity is somebody or something that can act or hold access, rather than what it is called. */
function isSomebody({ kind }: Entity): boolean {
  const kinds: readonly number[] = [Kind.person, Kind.account, Kind.credential, Kind.integration];
  return kinds.includes(kind);
}
