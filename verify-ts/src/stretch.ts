// The records that a period needs, one behind the other: from the first that may tell of it to the last that counts.
//
// Owns the check that none of them is missing, which follows from the tree alone, and that they begin where they have to.

import type { Checkpoint } from './checkpoint.js';
import { checkRange } from './inclusion.js';
import type { File } from './manifest.js';
import type { Record } from './messages.js';
import { recordedFrom } from './population.js';
import { recordedAt } from './record.js';
import type { Records } from './records.js';
import { falsified } from './rejected.js';
import type { Moment } from './time.js';

/** Where they begin and end; nowhere, where the question is about no period. */
function stretchOf({ question, basis: { first, known } }: File): readonly [bigint, bigint] {
  return question.about === 'period' ? [first, known] : [0n, 0n];
}

/** Those of them that are there whole. */
export function stretchIn({ whole }: Records, file: File): Record[] {
  const [first, end] = stretchOf(file);
  return first === end ? [] : [...whole.values()].filter(({ index }) => first <= index && index < end);
}

/** Checks that they do not begin behind where they end. */
export function checkSize(file: File): void {
  const [first, end] = stretchOf(file);
  if (first > end) {
    falsified('seal')(`expected first ${first} ≤ known ${end}`);
  }
}

/** Checks that all of them are there, by the paths of the first and the last one. */
export async function checkWhole(
  records: Records,
  file: File,
  paths: ReadonlyMap<bigint, readonly Uint8Array[]>,
  checkpoint: Checkpoint,
): Promise<void> {
  const [first, end] = stretchOf(file);
  if (first === end) {
    return;
  }
  const lie = falsified('inclusion');
  const there = stretchIn(records, file);
  if (BigInt(there.length) !== end - first) {
    lie(`expected the records from ${first} to ${end - 1n}, got ${there.length} of them`);
  }
  const leaves = there.map(({ index }) => records.leaves.get(index)).filter((leaf) => leaf !== undefined);
  const ends = [paths.get(first) ?? [], paths.get(end - 1n) ?? []] as const;
  await checkRange(leaves, first, checkpoint.size, ends, checkpoint.root, (what) => lie(`from record ${first} on: ${what}`));
}

/** Checks that they begin where the period's do, and that their times ascend. */
export function checkTimes(records: Records, file: File): void {
  if (file.question.about !== 'period') {
    return;
  }
  const [lie, from, [first, end]] = [falsified('seal'), recordedFrom(file.question.period), stretchOf(file)];
  const at = (index: bigint): Moment | undefined => {
    const record = records.whole.get(index);
    return record && recordedAt(record);
  };
  const [before, begin] = [at(first - 1n), at(first)];
  if (first > 0n && (before === undefined || before >= from)) {
    lie(`record ${first - 1n} may tell of the period, and is not there as one of its`);
  }
  if (first < end && (begin === undefined || begin < from)) {
    lie(`record ${first} came before any that may tell of the period`);
  }
  const times = stretchIn(records, file).map(recordedAt);
  if (times.some((time, at) => at > 0 && time < (times[at - 1] ?? time))) {
    lie('a record was recorded before the one that it stands behind');
  }
}
