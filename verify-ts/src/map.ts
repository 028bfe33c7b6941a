// The entity map: what a proof says of an entity, and whether some records are all that it has.

import { ascends, equal, u64 } from './bytes.js';
import type { Entity } from './entity.js';
import { domainHash, HASH_BYTES, hashes } from './hash.js';
import { MapProof as Description } from './messages.js';
import { read } from './protobuf.js';
import type { Fail } from './rejected.js';

/** Bytes of a proof, at most. */
const PROOF_BYTES_MAX = 8_576;

/** How many records an entity has, and the hash over all of them in their order. */
type Chain = Readonly<{ count: bigint; head: Uint8Array }>;

const NO_RECORDS: Chain = { count: 0n, head: new Uint8Array(HASH_BYTES) };

/** The way of a key from the root: the branches, and the leaf at the end, which may be another key's; of an empty map
 * there is none. */
type MapProof = Readonly<{
  path: readonly Readonly<{ bit: number; sibling: Uint8Array }>[];
  end: Readonly<{ key: Uint8Array | undefined; chain: Chain }> | undefined;
}>;

/** Reads a proof. */
export function readProof(bytes: Uint8Array, fail: Fail): MapProof {
  if (bytes.length > PROOF_BYTES_MAX) {
    fail(`expected a map proof of at most ${PROOF_BYTES_MAX} bytes, got ${bytes.length}`);
  }
  const { bits, siblings, key, count, head } = read(Description, bytes, fail);
  const roots = hashes(siblings) ?? fail('a hash of a map proof is cut');
  if (roots.length !== bits.length || !ascends([...bits])) {
    fail('expected one root for each bit of a map proof, and ascending bits');
  }
  const path = roots.map((sibling, at) => ({ bit: bits[at] ?? 0, sibling }));
  if (bytes.length === 0) {
    return { path, end: undefined };
  }
  const isLeaf = count > 0n && head.length === HASH_BYTES && (key.length === 0 || key.length === HASH_BYTES);
  return isLeaf
    ? { path, end: { key: key.length === 0 ? undefined : key, chain: { count, head } } }
    : fail('a map proof ends at no leaf');
}

/** Checks that these are all records of an entity, by their index and leaf hash; of one that is not in the map, none. */
export async function checkComplete(
  proof: MapProof,
  root: Uint8Array,
  entity: Entity,
  records: readonly (readonly [index: bigint, leaf: Uint8Array])[],
  fail: Fail,
): Promise<void> {
  const expected = await verify(proof, root, await domainHash('counterfoil/map-key/v1', entity.bytes), fail);
  if (!ascends(records.map(([index]) => index))) {
    fail('its records are not in the order of the log');
  }
  let head = NO_RECORDS.head;
  for (const [index, leaf] of records) {
    head = await domainHash('counterfoil/entity/v1', head, u64(index), leaf);
  }
  if (expected.count !== BigInt(records.length) || !equal(expected.head, head)) {
    fail(`expected its ${expected.count} records, got ${records.length} that are not those: it is incomplete`);
  }
}

/** The chain of a key under a root. */
async function verify({ path, end }: MapProof, root: Uint8Array, key: Uint8Array, fail: Fail): Promise<Chain> {
  const leafKey = end?.key ?? key;
  const isOther = end?.key !== undefined;
  if (isOther && (equal(leafKey, key) || path.some(({ bit }) => isOne(leafKey, bit) !== isOne(key, bit)))) {
    fail('the proof ends at a leaf that is not on its way');
  }
  let found = end
    ? await domainHash('counterfoil/map-leaf/v1', leafKey, u64(end.chain.count), end.chain.head)
    : await domainHash('counterfoil/map-empty/v1');
  for (const { bit, sibling } of [...path].reverse()) {
    const sides = isOne(key, bit) ? [sibling, found] : [found, sibling];
    found = await domainHash('counterfoil/map-branch/v1', Uint8Array.of(bit), ...sides);
  }
  if (!equal(found, root)) {
    fail('the proof leads to another root of the map');
  }
  return end && !isOther ? end.chain : NO_RECORDS;
}

/** The bit of a key at a position; 0 is the highest of the first byte. */
function isOne(key: Uint8Array, position: number): boolean {
  return (((key[position >> 3] ?? 0) >> (7 - (position & 7))) & 1) === 1;
}
