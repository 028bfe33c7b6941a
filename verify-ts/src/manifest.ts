// The members of a file, each in its canonical form, and what the manifest says of the others.

import { type Attested, attest } from './attest.js';
import type { Contents, MemberName } from './archive.js';
import { concat, equal } from './bytes.js';
import { sha256 } from './hash.js';
import {
  type Basis,
  Manifest as ManifestDescription,
  Openings as OpeningsDescription,
  type Openings,
  Proofs as ProofsDescription,
  type Proofs,
  Records as RecordsDescription,
  type Records,
  type SealedSource,
  type Totals,
} from './messages.js';
import * as note from './note.js';
import type { Policy } from './policy.js';
import { read } from './protobuf.js';
import { type Question, questionsOf, readQuestion } from './question.js';
import { falsified, malformed } from './rejected.js';

/** The layout of evidence files that is read. */
const EVIDENCE_FORMAT = 1;

/** The members that the manifest hashes, in its order. */
const HASHED: readonly MemberName[] = ['checkpoint', 'records', 'proofs', 'openings'];

/** The members, read. */
export type File = Readonly<{
  question: Question;
  basis: Basis;
  totals: Totals;
  sources: readonly SealedSource[];
  records: Records;
  proofs: Proofs;
  openings: Openings;
  /** The checkpoint with its cosignatures. */
  note: Uint8Array;
}>;

/** Reads the members and compares them with the manifest. */
export async function readFile(contents: Contents): Promise<File> {
  const fail = malformed('manifest');
  const manifest = read(ManifestDescription, contents.manifest, fail);
  if (manifest.format !== EVIDENCE_FORMAT) {
    fail(`expected format ${EVIDENCE_FORMAT}, got ${manifest.format}: a newer verifier may read it`);
  }
  const hashes = await Promise.all(HASHED.map((name) => sha256(contents[name])));
  const isSame = HASHED.every((name, at) => {
    const [said, hash] = [manifest.members[at], hashes[at]];
    const isSized = said?.name === name && said.size === BigInt(contents[name].length);
    return isSized && hash !== undefined && equal(said.sha256, hash);
  });
  if (!isSame || manifest.members.length !== HASHED.length) {
    falsified('manifest')('a member has another size or hash than the manifest says');
  }
  if (questionsOf(manifest).length !== 1) {
    fail('the manifest has no question, or two');
  }
  checkCheckpoint(contents.checkpoint);
  const question = readQuestion(manifest, fail);
  const basis = manifest.basis ?? fail('the manifest has no basis');
  if (basis.first !== 0n && question.about !== 'period') {
    fail('the basis has a first record, and the question no period');
  }
  return {
    question,
    basis,
    totals: manifest.totals ?? fail('the manifest has no totals'),
    sources: manifest.sources,
    records: read(RecordsDescription, contents.records, malformed('records')),
    proofs: read(ProofsDescription, contents.proofs, malformed('histories')),
    openings: read(OpeningsDescription, contents.openings, malformed('openings')),
    note: concat(contents.checkpoint, contents.cosignatures),
  };
}

/** The member has the log's signatures alone: others are in the one for cosignatures. */
function checkCheckpoint(member: Uint8Array): void {
  const fail = malformed('checkpoint');
  const signed = note.parse(member, fail);
  const [origin = ''] = signed.text.split('\n');
  if (!note.hasOneSigner(signed, origin)) {
    fail(`expected one signature in the member, or two of ${origin}, got ${signed.signatures.length}`);
  }
}

/** The checkpoint, judged by the policy, and the same that the manifest names. */
export async function attested(file: File, policy: Policy): Promise<Attested> {
  const attested = await attest(file.note, policy);
  const { origin, size, root } = attested.checkpoint;
  if (origin !== file.basis.origin || size !== file.basis.size || !equal(root, file.basis.root)) {
    falsified('checkpoint')('the manifest names another checkpoint than the signed one');
  }
  return attested;
}
