// What an item of a ticket may call the object of a change.

import type { Entity } from './entity.js';
import { entitiesOf } from './fact.js';
import type { Ref, Source } from './messages.js';
import type { ItemState } from './state.js';

/** The object's id and its names, since a ticket may know nothing else; and the system and the type of thing that it is, as one
 * text. */
export type Targets = Readonly<{ names: readonly Entity[]; type: string | undefined }>;

/** Without an object, the change is about an account of the source. */
export function targetsOf(object: Ref | undefined, source: Source): Targets {
  if (!object) {
    return { names: [], type: `${source.system}:account` };
  }
  const system = object.system === '' ? source.system : object.system;
  const slash = object.id.indexOf('/');
  return { names: entitiesOf(object, source), type: slash < 0 ? undefined : `${system}:${object.id.slice(0, slash)}` };
}

/** Whether an item names this very thing. */
export function isNamedBy({ names }: Targets, { targets }: ItemState): boolean {
  return targets.some((target) => target.isAmong(names));
}

/** By what an item asks for it: its id, its name, or any of its type; none if it does not. */
export function likeness(targets: Targets, item: ItemState): 'id' | 'name' | 'type' | undefined {
  const named = targets.names.filter((name) => name.isAmong(item.targets));
  if (named.length > 0) {
    return named.some((name) => !name.token) ? 'id' : 'name';
  }
  return item.targets.length === 0 && item.targetType === targets.type ? 'type' : undefined;
}
