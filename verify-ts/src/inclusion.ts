// That a record is in the tree (RFC 9162, section 2.1.3.2).

import { equal } from './bytes.js';
import { nodeHash } from './hash.js';
import type { Fail } from './rejected.js';

/** Hashes in a path, at most. */
const PATH_HASHES_MAX = 63;

/** Checks that `leaf` is the record at `index` of the tree with `size` records and this `root`. */
export async function checkInclusion(
  leaf: Uint8Array,
  index: bigint,
  size: bigint,
  path: readonly Uint8Array[],
  root: Uint8Array,
  fail: Fail,
): Promise<void> {
  if (index >= size || path.length > PATH_HASHES_MAX) {
    fail(`expected an index below ${size} and a path of at most ${PATH_HASHES_MAX} hashes`);
  }
  let [node, last, found] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (last === 0n) {
      fail('the path goes on above the root');
    }
    if (node % 2n === 1n || node === last) {
      found = await nodeHash(sibling, found);
      // The last node of a level may have no sibling there: climb to where it has one.
      while (node % 2n === 0n && node !== 0n) {
        [node, last] = [node / 2n, last / 2n];
      }
    } else {
      found = await nodeHash(found, sibling);
    }
    [node, last] = [node / 2n, last / 2n];
  }
  if (last !== 0n || !equal(found, root)) {
    fail('the path does not lead to the root');
  }
}
