// What entities are called, as far as values were opened.

import type { Entity } from './entity.js';
import type { Opened } from './openings.js';

const NAMES = ['display_name', 'name', 'subject', 'login', 'email'];

export class Names {
  constructor(private readonly opened: Opened) {}

  /** The name, the login or the address of an entity; empty where none is open. */
  of(entity: Entity): string {
    const values = this.opened.values.get(entity.key);
    return NAMES.map((name) => values?.get(name)).find((value) => value !== undefined) ?? '';
  }

  /** The same with the id. */
  shown(entity: Entity): string {
    const name = this.of(entity);
    return name === '' ? entity.text : `${name} (${entity.text})`;
  }
}
