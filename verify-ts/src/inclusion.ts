// That a record is in the tree (RFC 9162, section 2.1.3.2), and that of several in a row none is missing.

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

/** Checks that `leaves` are the records from `first` on, none of them left out, by the paths of the first and the last one,
 * which were checked: the root follows from them, from what stands on the left of the first path and on the right of the last. */
export async function checkRange(
  leaves: readonly Uint8Array[],
  first: bigint,
  size: bigint,
  [firstPath, lastPath]: readonly [readonly Uint8Array[], readonly Uint8Array[]],
  root: Uint8Array,
  fail: Fail,
): Promise<void> {
  const [fromLeft, fromRight] = [firstPath[Symbol.iterator](), lastPath[Symbol.iterator]()];
  let [nodes, left, right, end] = [leaves, first, first + BigInt(leaves.length) - 1n, size - 1n];
  for (; end > 0n; [left, right, end] = [left / 2n, right / 2n, end / 2n]) {
    // The last node of a level may have no sibling there: it is the node above as well.
    const onLeft = left % 2n === 1n || left < end ? fromLeft.next().value : undefined;
    const onRight = right % 2n === 1n || right < end ? fromRight.next().value : undefined;
    const row = [
      ...(left % 2n === 1n && onLeft ? [onLeft] : []),
      ...nodes,
      ...(right % 2n === 0n && onRight ? [onRight] : []),
    ];
    const pairs = Array.from({ length: Math.ceil(row.length / 2) }, (_, at) => [row[2 * at], row[2 * at + 1]] as const);
    const joined = pairs.map(([one, other]) => (one && other ? nodeHash(one, other) : one));
    nodes = (await Promise.all(joined)).filter((node) => node !== undefined);
  }
  const [found, ...more] = nodes;
  if (!found || more.length > 0 || !equal(found, root)) {
    fail('the records do not lead to the root');
  }
}
