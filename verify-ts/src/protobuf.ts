// Protocol Buffers in canonical form, and in no other.
//
// Owns the reading of a message by its description: fields in ascending order, each once, none that is unknown or has its
// default value, varints as short as possible, numbers of a list packed. So two verifiers never read one message
// differently. It never judges what a message says, and never writes one.

import { textOf } from './bytes.js';
import type { Fail } from './rejected.js';

type Scalar = 'uint32' | 'uint64' | 'sint64' | 'bool' | 'enum' | 'string' | 'bytes';

/** A field: its number, what it holds, and whether it is a list or one of those of which a message has one at most. */
type Field = readonly [number: number, type: Scalar | Message, label?: 'repeated' | 'oneof'];

/** A description of messages: the fields by their names. */
export type Message = { readonly [name: string]: Field };

type ValueOf<T> = T extends 'uint64' | 'sint64'
  ? bigint
  : T extends 'uint32' | 'enum'
    ? number
    : T extends 'bool'
      ? boolean
      : T extends 'string'
        ? string
        : T extends 'bytes'
          ? Uint8Array
          : Of<T>;

type FieldOf<F> = F extends readonly [number, infer T, 'repeated']
  ? readonly ValueOf<T>[]
  : F extends readonly [number, infer T, 'oneof']
    ? ValueOf<T> | undefined
    : F extends readonly [number, infer T]
      ? T extends Scalar
        ? ValueOf<T>
        : ValueOf<T> | undefined
      : never;

/** What is read by a description. */
export type Of<M> = { readonly [K in keyof M]: FieldOf<M[K]> };

/** Reads a message. */
export function read<M extends Message>(message: M, bytes: Uint8Array, fail: Fail): Of<M> {
  return new Reader(bytes, fail).message(message) as Of<M>;
}

/** Whether nothing is said in a message. */
export function isEmpty(message: object): boolean {
  return Object.values(message).every((value) => isDefault(value));
}

function isDefault(value: unknown): boolean {
  const isNothing = value === undefined || value === 0 || value === 0n || value === false || value === '';
  return isNothing || ((Array.isArray(value) || value instanceof Uint8Array) && value.length === 0);
}

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;

class Reader {
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly fail: Fail,
  ) {}

  message(message: Message): Record<string, unknown> {
    const value = nothing(message);
    let [last, hasOne] = [0, false];
    while (this.at < this.bytes.length) {
      const key = Number(this.varint());
      const [number, wire] = [Math.floor(key / 8), key % 8];
      const [name, field] = fieldsOf(message).get(number) ?? this.fail(`there is no field ${number}`);
      const [, type, label] = field;
      const isList = label === 'repeated';
      if (number < last || (number === last && !(isList && !isPacked(type)))) {
        this.fail(`field ${number} does not come behind field ${last}, or is there twice`);
      }
      if (wire !== (isPacked(type) && !isList ? WIRE_VARINT : WIRE_BYTES)) {
        this.fail(`field ${number} is written as something else`);
      }
      if (isList) {
        (value[name] as unknown[]).push(...(isPacked(type) ? this.packed(type) : [this.value(type)]));
      } else {
        value[name] = this.value(type);
        if (isDefault(value[name])) {
          this.fail(`field ${number} has its default value`);
        }
      }
      if (label === 'oneof' && hasOne) {
        this.fail(`field ${number} is there besides another one of its kind`);
      }
      [last, hasOne] = [number, hasOne || label === 'oneof'];
    }
    return value;
  }

  /** A list of numbers, which is not empty. */
  private packed(type: Scalar): unknown[] {
    const inner = new Reader(this.chunk(), this.fail);
    const values: unknown[] = [];
    do {
      values.push(inner.value(type));
    } while (inner.at < inner.bytes.length);
    return values;
  }

  private value(type: Scalar | Message): unknown {
    switch (type) {
      case 'uint32':
        return this.number(0xffffffffn);
      case 'uint64':
        return this.varint();
      case 'sint64': {
        const zigzag = this.varint();
        return zigzag & 1n ? -(zigzag >> 1n) - 1n : zigzag >> 1n;
      }
      case 'bool':
        return this.number(1n) === 1;
      case 'enum': {
        const number = BigInt.asIntN(64, this.varint());
        return number === BigInt.asIntN(32, number) ? Number(number) : this.fail('a number does not fit its field');
      }
      case 'string':
        return textOf(this.chunk()) ?? this.fail('a text is not UTF-8');
      case 'bytes':
        return this.chunk();
      default:
        return new Reader(this.chunk(), this.fail).message(type);
    }
  }

  private number(max: bigint): number {
    const number = this.varint();
    return number <= max ? Number(number) : this.fail('a number does not fit its field');
  }

  private chunk(): Uint8Array {
    const length = this.varint();
    const start = this.at;
    if (length > BigInt(this.bytes.length - start)) {
      this.fail('a field goes on behind the end');
    }
    this.at = start + Number(length);
    return this.bytes.subarray(start, this.at);
  }

  private varint(): bigint {
    let value = 0n;
    for (let count = 0; count < 10; count++) {
      const byte = this.bytes[this.at++] ?? this.fail('a number goes on behind the end');
      value |= BigInt(byte & 127) << BigInt(7 * count);
      if (byte < 128) {
        const isShort = count === 0 || byte !== 0;
        return isShort && value < 1n << 64n ? value : this.fail('a number is longer than it has to be');
      }
    }
    return this.fail('a number has more than 64 bits');
  }
}

function isPacked(type: Scalar | Message): type is Exclude<Scalar, 'string' | 'bytes'> {
  return typeof type === 'string' && type !== 'string' && type !== 'bytes';
}

const descriptions = new WeakMap<Message, Map<number, [string, Field]>>();

/** The fields of a message by their numbers. */
function fieldsOf(message: Message): Map<number, [string, Field]> {
  let fields = descriptions.get(message);
  if (!fields) {
    fields = new Map(Object.entries(message).map(([name, field]) => [field[0], [name, field]]));
    descriptions.set(message, fields);
  }
  return fields;
}

/** What an empty message says. */
function nothing(message: Message): Record<string, unknown> {
  return Object.fromEntries(Object.entries(message).map(([name, field]) => [name, nothingOf(field)]));
}

function nothingOf([, type, label]: Field): unknown {
  if (label === 'repeated') {
    return [];
  }
  switch (type) {
    case 'uint32':
    case 'enum':
      return 0;
    case 'uint64':
    case 'sint64':
      return 0n;
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'bytes':
      return new Uint8Array();
    default:
      return undefined;
  }
}
