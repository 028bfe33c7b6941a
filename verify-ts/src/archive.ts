// The archive of an evidence file: a ZIP file (PKWARE APPNOTE 6.3.10) with one way of writing it.
//
// The members give the bytes of the file: it is read by writing what it should be, and comparing. It never judges what
// the members say.

import { concat, equal, utf8 } from './bytes.js';
import { malformed } from './rejected.js';

/** Bytes of an evidence file, at most. */
export const EVIDENCE_BYTES_MAX = 512 * 1024 * 1024;

/** The members, in their order. */
export const MEMBERS = ['manifest', 'checkpoint', 'records', 'proofs', 'openings', 'cosignatures', 'asked'] as const;

export type MemberName = (typeof MEMBERS)[number];

/** The contents of the members. */
export type Contents = Readonly<Record<MemberName, Uint8Array>>;

const LOCAL_BYTES = 30;
const VERSION = u16le(10);
/** 1 January 1980, the first day there is. */
const DATE = u16le(0x21);

/** The members of a file. */
export function unpack(file: Uint8Array): Contents {
  const fail = malformed('archive');
  if (file.length > EVIDENCE_BYTES_MAX) {
    fail(`expected an evidence file of at most ${EVIDENCE_BYTES_MAX} bytes, got ${file.length}`);
  }
  const contents = {} as Record<MemberName, Uint8Array>;
  const entries: Uint8Array[] = [];
  let at = 0;
  for (const name of MEMBERS) {
    const wrong = `expected the member ${name} next, stored, in the one way of writing it, got something else`;
    const start = at + LOCAL_BYTES + name.length;
    if (start > file.length) {
      fail(wrong);
    }
    const size = new DataView(file.buffer, file.byteOffset).getUint32(at + 18, true);
    const content = file.subarray(start, start + size);
    const common = commonOf(name, content);
    if (content.length !== size || !equal(file.subarray(at, start), concat(signature(3, 4), common, utf8(name)))) {
      fail(wrong);
    }
    entries.push(concat(signature(1, 2), VERSION, common, new Uint8Array(10), u32le(at), utf8(name)));
    contents[name] = content;
    at = start + size;
  }
  const directory = concat(...entries);
  const count = u16le(MEMBERS.length);
  const end = concat(signature(5, 6), new Uint8Array(4), count, count, u32le(directory.length), u32le(at), u16le(0));
  if (!equal(file.subarray(at), concat(directory, end))) {
    fail('expected the directory of these members behind the last one, and the end, got something else');
  }
  return contents;
}

function signature(first: number, second: number): Uint8Array {
  return Uint8Array.of(0x50, 0x4b, first, second);
}

/** What local headers (4.3.7) and the directory (4.3.12) say alike, from the version that is needed on. */
function commonOf(name: string, content: Uint8Array): Uint8Array {
  const size = u32le(content.length);
  const head = concat(VERSION, new Uint8Array(6), DATE, u32le(crc32(content)), size, size);
  return concat(head, u16le(name.length), u16le(0));
}

function u16le(number: number): Uint8Array {
  return Uint8Array.of(number & 255, number >> 8);
}

function u32le(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  }
  return remainder;
});

function crc32(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder = (CRC_TABLE[(remainder ^ byte) & 255] ?? 0) ^ (remainder >>> 8);
  }
  return ~remainder >>> 0;
}
