// Which matching rules hold, and which links contradict each other. It links nothing by itself.

import type { Entity } from './entity.js';
import type { LinkState, State } from './state.js';
import { Kind, MATCHED_BY_EMAIL } from './words.js';

/** A rule that takes accounts with the same e-mail address for one person's: its name, and the systems that it joins; all
 * of them, where there are none. */
export type MatchingRule = Readonly<{ id: string; systems: readonly string[] }>;

const BUILT_IN: MatchingRule = { id: 'built-in:email', systems: [] };

export class MatchingRules {
  private constructor(private readonly rules: readonly MatchingRule[]) {}

  /** Those that hold where these were declared, ascending by entity, each as its state has it. Where none was ever declared,
   * the built-in one holds; where all were withdrawn, none. */
  static inForce(declared: readonly (readonly [Entity, State['rule']])[]): MatchingRules {
    const known = declared.flatMap(([entity, state]) => (state ? [{ entity, rule: state.rule }] : []));
    const holding = known.filter(({ rule }) => !rule.withdrawn && rule.matchedBy === MATCHED_BY_EMAIL);
    const rules = holding.map(({ entity, rule }) => ({ id: entity.text, systems: rule.systems }));
    return new MatchingRules(known.length === 0 ? [BUILT_IN] : rules);
  }

  /** Whether one of them joins the accounts of all systems. */
  get joinEverything(): boolean {
    return this.rules.some(({ systems }) => systems.length === 0);
  }

  /** The first rule that joins accounts of these two systems. */
  joining(one: string, other: string): MatchingRule | undefined {
    const joins = (systems: readonly string[]) => systems.includes(one) && systems.includes(other);
    return this.rules.find(({ systems }) => systems.length === 0 || joins(systems));
  }
}

/** The links of an entity that contradict each other: an account is one person's of each source at a time, and an identifier
 * is one account's of each system. A person may have any number of accounts. */
export function contested(entity: Entity, links: readonly LinkState[]): LinkState[] {
  const claims = ({ kind }: Entity): boolean => {
    switch (entity.kind) {
      case Kind.person:
        return false;
      case Kind.identifier:
        return kind === Kind.person || kind === Kind.account;
      default:
        return kind === Kind.person;
    }
  };
  const claimed = links.filter(({ counterpart }) => claims(counterpart));
  const contradicts = (one: LinkState, other: LinkState) =>
    !one.counterpart.is(other.counterpart) &&
    one.system === other.system &&
    one.instance === other.instance &&
    one.counterpart.place === other.counterpart.place;
  return claimed.filter((one) => claimed.some((other) => contradicts(one, other)));
}
