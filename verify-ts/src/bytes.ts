// Bytes as text and as numbers, each in one spelling, and the order of bytes.

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text that these bytes are in UTF-8; none where they are not. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** One character for each byte: such texts are in the order of their bytes, and are keys of maps. */
export function binary(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    text += String.fromCharCode(byte);
  }
  return text;
}

export function fromBinary(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(binary(bytes));
}

/** Padded standard base64 (RFC 4648, section 4) in its one spelling; none of anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    return undefined;
  }
  const bytes = fromBinary(atob(text));
  return toBase64(bytes) === text ? bytes : undefined;
}

export function u32(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export function u64(number: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, number);
  return bytes;
}

/** A number in decimal digits without sign or leading zeros, of at most 64 bits; none of anything else. */
export function decimal(text: string): bigint | undefined {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) {
    return undefined;
  }
  const number = BigInt(text);
  return number < 1n << 64n ? number : undefined;
}

/** The order of two keys, for sorting. */
export function order<T extends string | number | bigint>(one: T, other: T): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Whether each stands before the next one, so that none is there twice. */
export function ascends<T extends string | number | bigint>(items: readonly T[]): boolean {
  return items.every((item, at) => at === 0 || (items[at - 1] as T) < item);
}
