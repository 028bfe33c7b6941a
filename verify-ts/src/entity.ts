// What has a history, and the bytes and the text that name it.

import { binary, fromBinary, hex } from './bytes.js';
import { TOKEN_BYTES } from './identifier.js';
import type { Ref, Source } from './messages.js';
import { Kind, MAX } from './words.js';

const KIND_NAMES = [
  'unspecified',
  'person',
  'account',
  'credential',
  'entitlement',
  'ticket',
  'integration',
  'snapshot_scope',
  'identifier',
  'unresolved',
  'source',
  'rule',
  'correlation',
];

/** The id of an entity. Two are the same exactly if their keys are. */
export class Entity {
  private constructor(
    readonly kind: number,
    readonly system: string,
    readonly instance: string,
    /** The native id; of an identifier its token, one character for each byte. */
    private readonly id: string,
  ) {
    const parts = [system, instance, id].map((part) => String.fromCharCode(part.length) + part);
    this.key = String.fromCharCode(kind) + parts.join('');
  }

  /** The binary form, one character for each byte: a key of maps, in the order of entities. */
  readonly key: string;

  static identifier(token: Uint8Array): Entity {
    return new Entity(Kind.identifier, '', '', binary(token));
  }

  /** The entity that every declaration of a matching rule belongs to. */
  static readonly matchingRules = new Entity(Kind.rule, 'counterfoil', 'ledger', 'declared');

  /** What a system's tickets say about somebody they do not name. */
  static unresolved(source: Source): Entity {
    return new Entity(Kind.unresolved, source.system, source.instance, '');
  }

  /** What records that name a ticket in one transaction or one request of a system belong to. */
  static correlation(place: Place, digest: string): Entity {
    return new Entity(Kind.correlation, place.system, place.instance, digest);
  }

  /** The id that a reference of a record gives, where it gives one. */
  static of(reference: Ref, source: Source): Entity | undefined {
    const place = placeOf(reference, source);
    return reference.id === '' ? undefined : new Entity(reference.kind, place.system, place.instance, reference.id);
  }

  /** Reads the binary form; none of anything else. */
  static fromBytes(bytes: Uint8Array): Entity | undefined {
    const kind = bytes[0] ?? 0;
    const parts: string[] = [];
    let at = 1;
    for (let number = 0; number < 3; number++) {
      const length = bytes[at];
      if (length === undefined || at + 1 + length > bytes.length) {
        return undefined;
      }
      parts.push(binary(bytes.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    }
    const [system = '', instance = '', id = ''] = parts;
    const isWhole = at === bytes.length && kind > 0 && kind <= MAX.entityKind;
    return isWhole && isId(kind, system, instance, id) ? new Entity(kind, system, instance, id) : undefined;
  }

  get bytes(): Uint8Array {
    return fromBinary(this.key);
  }

  /** The token of an identifier. */
  get token(): Uint8Array | undefined {
    return this.kind === Kind.identifier ? fromBinary(this.id) : undefined;
  }

  /** The text form, such as "account:okta:default:00u1". */
  get text(): string {
    const kind = KIND_NAMES[this.kind] ?? '';
    if (this.token) {
      return `${kind}:${hex(this.token)}`;
    }
    const place = `${kind}:${this.system}:${this.instance}`;
    return this.kind === Kind.unresolved ? place : `${place}:${this.id}`;
  }

  /** Where an identifier is one entity's at a time. */
  get place(): string {
    return [String.fromCharCode(this.kind), this.system, this.instance].join('\0');
  }

  isIn(place: Place): boolean {
    return this.system === place.system && this.instance === place.instance;
  }

  is(other: Entity): boolean {
    return this.key === other.key;
  }

  isAmong(others: readonly Entity[]): boolean {
    return others.some((other) => other.is(this));
  }
}

/** A system and a tenant in it. */
export type Place = Readonly<{ system: string; instance: string }>;

/** The place that a reference is of. */
export function placeOf(reference: Ref, source: Source): Place {
  const { system, instance } = reference.system === '' ? source : reference;
  return { system, instance };
}

function isId(kind: number, system: string, instance: string, id: string): boolean {
  switch (kind) {
    case Kind.identifier:
      return system === '' && instance === '' && id.length === TOKEN_BYTES;
    case Kind.unresolved:
      return isName(system) && isName(instance) && id === '';
    case Kind.source:
      return isName(system) && isName(instance) && isName(id);
    default:
      return isName(system) && isName(instance) && isOpaque(id);
  }
}

/** Whether text may stand in a record as a native id: visible ASCII without '@'. */
export function isOpaque(text: string): boolean {
  return /^[!-?A-~]{1,255}$/.test(text);
}

/** Whether text may stand in a record as a code. */
export function isCode(text: string): boolean {
  return /^[A-Za-z0-9._\-/:]{1,128}$/.test(text);
}

/** Whether text may be the name of a system, an instance or a stream. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,128}$/.test(text);
}
