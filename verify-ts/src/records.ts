// The records of a file: each by itself, that they are those of the log, and how many of them count.

import type { Checkpoint } from './checkpoint.js';
import { equal, order } from './bytes.js';
import { hashes, HASH_BYTES, leafHash } from './hash.js';
import { checkInclusion } from './inclusion.js';
import type { File } from './manifest.js';
import type { InclusionPath, Record, Records as Member } from './messages.js';
import type { Policy } from './policy.js';
import { decode, eventOf, recordedAt } from './record.js';
import { falsified, malformed } from './rejected.js';
import { checkSize, checkTimes, checkWhole } from './stretch.js';
import type { Moment } from './time.js';

/** The most facts in the records of one file. */
const FACTS_MAX = 1_000_000;

/** The records of a file by their index, ascending; and the leaf hashes of all, also of those that are not there whole. */
export type Records = Readonly<{
  whole: ReadonlyMap<bigint, Record>;
  leaves: ReadonlyMap<bigint, Uint8Array>;
}>;

/** How much of the log counts. */
export type Known = Readonly<{
  covered: bigint;
  size: bigint;
  /** When the last record that counts was recorded. */
  at: Moment | undefined;
  /** The root of the map that the seal states. */
  mapRoot: Uint8Array;
}>;

/** Reads each record by itself. */
export async function readRecords(member: Member): Promise<Records> {
  const fail = malformed('records');
  const [whole, leaves] = [new Map<bigint, Record>(), new Map<bigint, Uint8Array>()];
  let after = -1n;
  let facts = 0;
  for (const bytes of member.records) {
    const record = decode(bytes);
    after = record.index > after ? record.index : fail(`record ${record.index} stands behind record ${after}`);
    facts += factsIn(record);
    if (facts > FACTS_MAX) {
      fail(`expected at most ${FACTS_MAX} facts, got more`);
    }
    whole.set(record.index, record);
    leaves.set(record.index, await leafHash(bytes));
  }
  after = -1n;
  for (const { index, leaf } of member.elided) {
    after = index > after ? index : fail(`record ${index} stands behind record ${after}`);
    if (leaf.length !== HASH_BYTES || leaves.has(index)) {
      fail(`record ${index} is there whole and by its hash, or its hash is not 32 bytes`);
    }
    leaves.set(index, leaf);
  }
  return { whole, leaves };
}

/** The records that have to be shown to be in the tree: the first one, that of the change that is asked about, those on both
 * sides of where a period's begin and of the size that counts, and the seal. */
export function placed({ question, basis: { covered, known, first } }: File): Set<bigint> {
  const asked = question.about === 'change' ? [question.record] : [];
  const ends = question.about === 'period' ? [first, known] : [known];
  const sides = ends.flatMap((end) => (end > 0n ? [end - 1n, end] : [end]));
  return new Set([0n, ...asked, ...sides, covered].sort(order));
}

/** Checks that what has to be in the tree is in it, and how many records count. */
export async function checkPlace(records: Records, file: File, checkpoint: Checkpoint, policy: Policy): Promise<Known> {
  const { covered, known } = file.basis;
  const lie = falsified('seal');
  if (known > covered || covered >= checkpoint.size) {
    lie(`expected known ${known} ≤ covered ${covered} < size ${checkpoint.size}`);
  }
  if (file.question.about === 'change' && file.question.record >= known) {
    lie(`expected a change among the ${known} records that count`);
  }
  checkSize(file);
  const paths = await checkInclusions(records, file.proofs.inclusions, placed(file), checkpoint);
  await checkWhole(records, file, paths, checkpoint);
  checkOrigin(records.whole.get(0n), checkpoint, policy);
  const seal = records.whole.get(covered)?.seal ?? lie(`expected a seal at record ${covered}, got another record`);
  const at = (index: bigint): Moment | undefined => {
    const record = records.whole.get(index);
    return record && recordedAt(record);
  };
  const [last, next, asked] = [at(known - 1n), at(known), file.question.knownAt];
  if (asked === undefined && known !== covered) {
    lie(`expected all ${covered} records that the seal covers to count, got ${known}`);
  }
  if (asked !== undefined && last !== undefined && last > asked) {
    lie(`record ${known - 1n} came after the moment that was asked for`);
  }
  if (asked !== undefined && known < covered && (next === undefined || next <= asked)) {
    lie(`record ${known} came by the moment that was asked for, and is not counted`);
  }
  checkTimes(records, file);
  return { covered, size: known, at: last, mapRoot: seal.mapRoot };
}

/** Checks the paths, and hands them on by the index of the record. */
async function checkInclusions(
  { whole, leaves }: Records,
  paths: readonly InclusionPath[],
  placed: ReadonlySet<bigint>,
  checkpoint: Checkpoint,
): Promise<ReadonlyMap<bigint, readonly Uint8Array[]>> {
  const [fail, lie] = [malformed('inclusion'), falsified('inclusion')];
  const read = new Map<bigint, readonly Uint8Array[]>();
  if (paths.map(({ index }) => index).join() !== [...placed].join()) {
    fail(`expected the paths of the records ${[...placed].join(', ')}, in that order, got those of others`);
  }
  for (const { index, path } of paths) {
    const leaf = (whole.has(index) && leaves.get(index)) || lie(`record ${index} is missing`);
    const siblings = hashes(path) ?? fail(`the path of record ${index} is cut`);
    await checkInclusion(leaf, index, checkpoint.size, siblings, checkpoint.root, (what) => lie(`record ${index}: ${what}`));
    read.set(index, siblings);
  }
  return read;
}

/** Record 0 names the log, and the key of its tokens. */
function checkOrigin(first: Record | undefined, checkpoint: Checkpoint, policy: Policy): void {
  const lie = falsified('inclusion');
  const origin = first?.origin ?? lie('record 0 does not say which log it is of');
  if (origin.origin !== checkpoint.origin) {
    lie(`record 0 is of the log ${origin.origin}`);
  }
  if (policy.indexKey && !equal(policy.indexKey.commitment, origin.indexKeyCommitment)) {
    lie('record 0 has another index key than the policy');
  }
}

/** The facts in the records that are there whole. */
export function factsOfAll({ whole }: Records): number {
  return [...whole.values()].reduce((count, record) => count + factsIn(record), 0);
}

function factsIn(record: Record): number {
  return eventOf(record)?.facts.length ?? 0;
}
