// Evidence: one file that answers one question, for somebody who has never heard of the server that wrote it.
//
// Owns the order in which a file is checked (docs/formats.md, section "Evidence files"). The answer is not in the file: it is
// recomputed from the records. Nothing in the file is believed but what the policy's keys have signed, and what follows from
// that.

import { unpack } from './archive.js';
import { type Asked, readAsked } from './asked.js';
import type { Attested } from './attest.js';
import { checkHistories, type Histories } from './histories.js';
import { attested, type File, readFile } from './manifest.js';
import type { SealedSource } from './messages.js';
import { checkOpenings, nameAsked, type Opened } from './openings.js';
import type { Policy } from './policy.js';
import { type Answer, answer } from './question.js';
import { checkPlace, factsOfAll, type Known, type Records, readRecords } from './records.js';
import { falsified } from './rejected.js';

/** What an evidence file shows. */
export type Verified = Readonly<{
  attested: Attested;
  asked: Asked | undefined;
  known: Known;
  /** Of a period: the first record that may tell of it. It and all behind it that count are there. */
  first: bigint;
  answer: Answer;
  histories: Histories;
  records: Records;
  opened: Opened;
  /** What came from each source before the seal, on the word of whoever runs the log. */
  sources: readonly SealedSource[];
}>;

/** Checks an evidence file by a policy, and recomputes the answer to its question. Throws `Rejected`. */
export async function verify(bytes: Uint8Array, policy: Policy): Promise<Verified> {
  const contents = unpack(bytes);
  const file = await readFile(contents);
  const attestation = await attested(file, policy);
  const { checkpoint } = attestation;
  const asked = await readAsked(contents.asked, contents.manifest, contents.cosignatures, checkpoint.origin, policy);
  const records = await readRecords(file.records);
  const known = await checkPlace(records, file, checkpoint, policy);
  const histories = await checkHistories(file, records, known);
  const opened = await checkOpenings(file.openings, records, policy.indexKey);
  const answered = await answer(file.question, histories, known.size);
  checkTotals(file, records, histories);
  if (asked && policy.indexKey) {
    await nameAsked(asked.about, histories.all.map(({ entity }) => entity), policy.indexKey, opened);
  }
  const { sources, basis: { first } } = file;
  return { attested: attestation, asked, known, first, answer: answered, histories, records, opened, sources };
}

/** Compares how much there is with what the manifest says. */
function checkTotals({ totals, openings }: File, records: Records, histories: Histories): void {
  const counted: readonly (readonly [bigint, number])[] = [
    [totals.histories, histories.all.length - histories.absent],
    [totals.absent, histories.absent],
    [totals.records, records.whole.size],
    [totals.elided, records.leaves.size - records.whole.size],
    [totals.facts, factsOfAll(records)],
    [totals.openings, openings.openings.length],
  ];
  if (counted.some(([said, found]) => said !== BigInt(found))) {
    falsified('totals')('the manifest counts something else than is in the file');
  }
}
