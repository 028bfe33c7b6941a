// Messages as fields, whatever they mean: read and written without any rule.

/** A field: its number, and a varint or bytes. */
export type Field = Readonly<{ number: number; value: bigint | Buffer }>;

/** The fields of a message; none where these bytes are no such thing. */
export function fieldsOf(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [key, start] = varintAt(bytes, at);
    const [value, next] = varintAt(bytes, start);
    const wire = Number(key & 7n);
    const end = wire === 2 ? next + Number(value) : next;
    if (key < 8n || key > 0xffffn || !(wire === 0 || wire === 2) || end > bytes.length) {
      return undefined;
    }
    fields.push({ number: Number(key >> 3n), value: wire === 2 ? bytes.subarray(next, end) : value });
    at = end;
  }
  return fields;
}

/** The message of these fields. */
export function messageOf(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(({ number, value }) => {
    const wire = typeof value === 'bigint' ? 0 : 2;
    const head = varint(BigInt(number * 8 + wire));
    return typeof value === 'bigint' ? [head, varint(value)] : [head, varint(BigInt(value.length)), value];
  });
  return Buffer.concat(parts);
}

export function varint(number: bigint): Buffer {
  const bytes: number[] = [];
  let rest = number;
  for (; rest > 127n; rest >>= 7n) {
    bytes.push(Number(rest & 127n) | 128);
  }
  return Buffer.from([...bytes, Number(rest)]);
}

function varintAt(bytes: Buffer, at: number): [value: bigint, next: number] {
  let value = 0n;
  for (let count = 0; count < 10; count++) {
    const byte = bytes[at + count] ?? 0;
    value |= BigInt(byte & 127) << BigInt(7 * count);
    if (byte < 128) {
      return [value, at + count + 1];
    }
  }
  return [0n, bytes.length + 1];
}
