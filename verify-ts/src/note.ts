// C2SP signed notes, and the keys that verify them.

import { concat, fromBase64, hex, textOf, utf8 } from './bytes.js';
import { isKey, verifies } from './ed25519.js';
import { sha256 } from './hash.js';
import type { Fail } from './rejected.js';

const NOTE_BYTES_MAX = 1 << 20;
const SIGNATURES_MAX = 100;

/** A text and the signatures under it, not verified. */
export type Note = Readonly<{ text: string; signatures: readonly Signature[] }>;

/** A signature line. */
type Signature = Readonly<{ name: string; id: string; bytes: Uint8Array }>;

/** 1: Ed25519 over the text. 4: Ed25519 over a time and the text of a checkpoint. */
export type KeyType = 1 | 4;

/** A public key under a name. The id is in hexadecimal digits. */
export type Key = Readonly<{ name: string; id: string; type: KeyType; bytes: Uint8Array }>;

/** A signature that verified, and when a cosigner says that it saw the checkpoint, in seconds since 1970. */
export type Verified = Readonly<{ key: Key; at: bigint | undefined }>;

/** Reads a note: the text, an empty line, and signature lines, each in its one spelling. */
export function parse(bytes: Uint8Array, fail: Fail): Note {
  if (bytes.length > NOTE_BYTES_MAX) {
    fail(`expected a note of at most ${NOTE_BYTES_MAX} bytes, got ${bytes.length}`);
  }
  const note = textOf(bytes) ?? fail('expected a note in UTF-8');
  if (/[\0-\x09\x0b-\x1f]/.test(note)) {
    fail('expected a note without control characters');
  }
  const separator = note.lastIndexOf('\n\n');
  if (separator < 0 || !note.endsWith('\n') || separator + 2 === note.length) {
    fail('expected a text, an empty line, and signature lines, each ended by a newline');
  }
  const lines = note.slice(separator + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) {
    fail(`expected at most ${SIGNATURES_MAX} signature lines, got ${lines.length}`);
  }
  const signatures = lines.map((line) => parseSignature(line) ?? fail('a signature line is not of its form'));
  return { text: note.slice(0, separator + 1), signatures };
}

/** Whether it has one signature, or two under the name of a log: that of its key, and while that changes, of the one beside
 * it. */
export function hasOneSigner({ signatures }: Note, origin: string): boolean {
  const [one, other, third] = signatures;
  const areOfLog = signatures.every(({ name, bytes }) => name === origin && bytes.length === 64);
  return one !== undefined && (other === undefined || (third === undefined && one.id !== other.id && areOfLog));
}

function parseSignature(line: string): Signature | undefined {
  const [, name, encoded] = /^\u2014 ([^ ]*) (.*)$/su.exec(line) ?? [];
  const blob = fromBase64(encoded ?? '');
  if (name === undefined || !isKeyName(name) || blob === undefined || blob.length < 5) {
    return undefined;
  }
  return { name, id: hex(blob.subarray(0, 4)), bytes: blob.subarray(4) };
}

/** Which of these keys have signed a note. Signatures by others are ignored; one under the name and the id of a known key
 * has to verify, every time it occurs. */
export async function verify(note: Note, keys: readonly Key[], ambiguous: Fail, bad: Fail): Promise<Verified[]> {
  const verified: Verified[] = [];
  for (const signature of note.signatures) {
    const [key, other] = keys.filter((key) => key.name === signature.name && key.id === signature.id);
    if (!key) {
      continue;
    }
    if (other) {
      ambiguous(`two keys are named ${key.name} and have the id ${key.id}`);
    }
    const valid = (await verifySignature(key, note.text, signature.bytes)) ?? bad(`${key.name} has not made its signature`);
    if (!verified.some((earlier) => earlier.key === key)) {
      verified.push(valid);
    }
  }
  return verified.length > 0 ? verified : bad('no known key has signed');
}

async function verifySignature(key: Key, text: string, bytes: Uint8Array): Promise<Verified | undefined> {
  if (key.type === 1) {
    return (await verifies(key.bytes, bytes, utf8(text))) ? { key, at: undefined } : undefined;
  }
  if (bytes.length !== 8 + 64) {
    return undefined;
  }
  const at = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  const message = utf8(`cosignature/v1\ntime ${at}\n${text}`);
  const isValid = at < 1n << 63n && (await verifies(key.bytes, bytes.subarray(8), message));
  return isValid ? { key, at } : undefined;
}

/** Reads a C2SP vkey: `name+id+base64(type ‖ public key)`. */
export async function parseKey(text: string, fail: Fail): Promise<Key> {
  const [, name, id, encoded] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/su.exec(text) ?? [];
  const material = fromBase64(encoded ?? '');
  if (name === undefined || id === undefined || !isKeyName(name) || material === undefined) {
    return fail('expected a key as name+8 hexadecimal digits+base64');
  }
  const type = material[0];
  if ((type !== 1 && type !== 4) || material.length !== 33) {
    return fail(`expected a key of type 1 or 4 with 32 bytes for ${name}`);
  }
  const bytes = material.subarray(1);
  if (!isKey(bytes)) {
    fail(`expected a public key of full order for ${name}`);
  }
  const hash = await sha256(concat(utf8(`${name}\n`), material));
  if (hex(hash.subarray(0, 4)) !== id) {
    fail(`expected the key id ${hex(hash.subarray(0, 4))} for ${name}, got ${id}`);
  }
  return { name, id, type, bytes };
}

function isKeyName(name: string): boolean {
  return name !== '' && !/[+\0-\x1f\p{White_Space}]/u.test(name);
}
