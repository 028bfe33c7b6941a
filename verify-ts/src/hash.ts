// The hashes: those of the RFC 6962 tree, and the domain-separated hash and HMAC of everything else.

import { concat, utf8 } from './bytes.js';

export const HASH_BYTES = 32;

/** WebCrypto takes bytes whose memory nobody shares. */
type Bytes = Uint8Array<ArrayBuffer>;

export async function sha256(...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...parts) as Bytes));
}

/** The hash of a record as a leaf of the tree (RFC 6962, section 2.1). */
export function leafHash(record: Uint8Array): Promise<Uint8Array> {
  return sha256(Uint8Array.of(0), record);
}

/** The hash of an inner node of the tree (RFC 6962, section 2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
  return sha256(Uint8Array.of(1), left, right);
}

/** `H(domain, parts)` of docs/formats.md. */
export function domainHash(domain: string, ...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  return sha256(utf8(`${domain}\0`), ...parts);
}

export type MacKey = CryptoKey;

export function macKey(bytes: Uint8Array): Promise<MacKey> {
  return crypto.subtle.importKey('raw', bytes as Bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

/** HMAC-SHA-256 (RFC 2104). */
export async function hmac(key: MacKey, ...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, concat(...parts) as Bytes));
}

/** The hashes that stand one behind the other; none where the last one is cut. */
export function hashes(bytes: Uint8Array): Uint8Array[] | undefined {
  if (bytes.length % HASH_BYTES !== 0) {
    return undefined;
  }
  const starts = Array.from({ length: bytes.length / HASH_BYTES }, (_, number) => number * HASH_BYTES);
  return starts.map((start) => bytes.subarray(start, start + HASH_BYTES));
}
