// Changes that somebody makes who knows how a file is written: a field somewhere inside of a member is another one, or is
// gone, or is there twice, and all around it fits again.

import { type Field, fieldsOf, messageOf } from './fields.js';
import { type Members, mended } from './mended.js';

/** Numbers from a seed: the same seed gives the same changes. */
export function drawing(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Draw = ReturnType<typeof drawing>;

/** The members in which there are messages. */
const MESSAGES = ['manifest', 'records', 'records', 'records', 'records', 'proofs', 'openings'];

/** A file in which one thing is changed. */
export function changed(members: Members, draw: Draw): Buffer {
  const name = MESSAGES[draw(MESSAGES.length)] ?? '';
  return mended(members, name, changedMessage(members.get(name) ?? Buffer.alloc(0), draw));
}

/** A message with a change in one of its fields, or in what is in that. */
function changedMessage(message: Buffer, draw: Draw): Buffer {
  const fields = fieldsOf(message) ?? [];
  const at = draw(fields.length);
  const field = fields[at];
  if (!field) {
    return Buffer.concat([message, Buffer.from([8, draw(3)])]);
  }
  const inner = Buffer.isBuffer(field.value) ? fieldsOf(field.value) : undefined;
  if (Buffer.isBuffer(field.value) && inner && inner.length > 0 && draw(8) > 0) {
    const value = changedMessage(field.value, draw);
    return messageOf([...fields.slice(0, at), { ...field, value }, ...fields.slice(at + 1)]);
  }
  return messageOf(changedFields(fields, at, field, draw));
}

function changedFields(fields: readonly Field[], at: number, field: Field, draw: Draw): Field[] {
  const [before, after] = [fields.slice(0, at), fields.slice(at + 1)];
  switch (draw(6)) {
    case 0:
      return [...before, ...after];
    case 1:
      return [...before, field, field, ...after];
    case 2:
      return [...before, ...after.slice(0, 1), field, ...after.slice(1)];
    case 3:
      return [...before, { ...field, number: 1 + draw(24) }, ...after];
    default:
      return [...before, { ...field, value: changedValue(field.value, draw) }, ...after];
  }
}

const NUMBERS = [0n, 1n, 2n, 3n, 9n, 10n, 55n, 1_000n, 1_001n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n];
const TEXTS = ['', ' ', 'a@b', 'okta', 'acme', 'é', '~', 'x'.repeat(128), 'x'.repeat(129), 'x'.repeat(256), 'a/b:c', '\0'];

function changedValue(value: bigint | Buffer, draw: Draw): bigint | Buffer {
  if (typeof value === 'bigint') {
    return draw(2) === 0 ? value + 1n : (NUMBERS[draw(NUMBERS.length)] ?? 0n);
  }
  switch (draw(4)) {
    case 0:
      return Buffer.from(TEXTS[draw(TEXTS.length)] ?? '');
    case 1:
      return value.subarray(0, draw(value.length + 1));
    case 2:
      return Buffer.concat([value, Buffer.from([draw(256)])]);
    default: {
      const flipped = Buffer.from(value);
      const at = draw(value.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << draw(8));
      return value.length === 0 ? Buffer.from([0]) : flipped;
    }
  }
}
