// Whom a fact names, what it says that they are called, and what somebody was called over time.

import { binary } from './bytes.js';
import { Entity } from './entity.js';
import { named, references } from './fact.js';
import type { FactAt } from './replay.js';
import type { Moment } from './time.js';
import { FactKind } from './words.js';

/** An entity, and the tokens that a fact binds to it, one character for each byte. */
export type Mention = Readonly<{ entity: Entity; tokens: Set<string> }>;

/** The entities that a fact names. A reference with an id binds its identifiers to that id; one without names each of its
 * identifiers and binds none. */
export function mentions({ fact, source }: FactAt): Map<string, Mention> {
  const found = new Map<string, Mention>();
  const mention = (entity: Entity): Mention => {
    const own = found.get(entity.key) ?? { entity, tokens: new Set() };
    found.set(entity.key, own);
    return own;
  };
  for (const reference of references(fact)) {
    const bound = reference.id === '' ? [] : reference.tokens.map(binary);
    for (const entity of named(reference, source)) {
      bound.forEach((token) => mention(entity).tokens.add(token));
    }
  }
  const { subject, object } = fact;
  if (fact.kind === FactKind.identifierBound && subject && object) {
    // The id stands at one end, and the identifiers at the other.
    const [id, called] = subject.id === '' ? [object, subject] : [subject, object];
    const entity = called.id === '' ? Entity.of(id, source) : undefined;
    called.tokens.forEach((token) => entity && mention(entity).tokens.add(binary(token)));
  }
  return found;
}

/** Of how many facts it is looked at what they call somebody: whoever has more was called everything all the time. */
export const RUNS_FACTS_MAX = 1_000;

/** What an entity was called from a moment on. */
export type Run = Readonly<{ from: Moment; tokens: ReadonlySet<string> }>;

/** Adds what a fact calls somebody. What says the same as the one before it adds nothing. */
export function addRun(runs: Run[], from: Moment, tokens: ReadonlySet<string>): void {
  const before = runs.at(-1)?.tokens;
  const isSame = before?.size === tokens.size && [...tokens].every((token) => before.has(token));
  if (!isSame) {
    runs.push({ from, tokens });
  }
}

/** Whether somebody had an identifier once and was called otherwise by then. That something is not said again is no other
 * name. */
export function hasLost(runs: readonly Run[], token: string, at: Moment): boolean {
  const begun = runs.filter(({ from }) => from <= at);
  const newest = begun.at(-1);
  const had = [...begun].reverse().find(({ tokens }) => tokens.has(token));
  const isOther = [...(newest?.tokens ?? [])].some((one) => !had?.tokens.has(one));
  return had !== undefined && newest !== undefined && isOther && !newest.tokens.has(token);
}
