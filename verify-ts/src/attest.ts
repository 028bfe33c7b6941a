// The judgement on a signed checkpoint by a policy: whose it is, who has cosigned it, and whether these are enough.

import { type Checkpoint, parseCheckpoint } from './checkpoint.js';
import type { Cosigner, Cosigners } from './cosigners.js';
import * as note from './note.js';
import type { Policy } from './policy.js';
import { falsified, malformed, Rejected } from './rejected.js';

/** A cosignature that verified, and when it was made, on the word of whoever made it: seconds since 1970. */
export type Attestation = Readonly<{ by: Cosigner; at: bigint }>;

export type Attested = Readonly<{
  checkpoint: Checkpoint;
  witnesses: readonly Attestation[];
  replayers: readonly Attestation[];
  /** The policy names a quorum of replayers, and these reach it. */
  isReplayed: boolean;
}>;

/** Reads a signed checkpoint. */
export async function attest(bytes: Uint8Array, policy: Policy): Promise<Attested> {
  const [fail, lie] = [malformed('checkpoint'), falsified('checkpoint')];
  const signed = note.parse(bytes, fail);
  const cosigners = [...policy.witnesses.members, ...policy.replayers.members];
  const verified = await note.verify(signed, [...policy.logs, ...cosigners.map(({ key }) => key)], fail, lie);
  const checkpoint = await parseCheckpoint(signed.text, fail);
  const isOfLog = ({ key }: note.Verified) => policy.logs.includes(key) && key.name === checkpoint.origin;
  if (!verified.some(isOfLog)) {
    lie(`the policy names no log ${checkpoint.origin}, or its key has not signed`);
  }
  const witnesses = attestations(policy.witnesses, verified);
  if (!isReached(policy.witnesses, witnesses)) {
    const what = `expected enough witnesses for the quorum ${policy.witnesses.quorum}, got ${witnesses.length}`;
    throw new Rejected('short of quorum', 'quorum', what);
  }
  const replayers = attestations(policy.replayers, verified);
  const isReplayed = policy.replayers.isAsked && isReached(policy.replayers, replayers);
  return { checkpoint, witnesses, replayers, isReplayed };
}

function attestations(cosigners: Cosigners, verified: readonly note.Verified[]): Attestation[] {
  return cosigners.members.flatMap((by) => {
    const at = verified.find(({ key }) => key === by.key)?.at;
    return at === undefined ? [] : [{ by, at }];
  });
}

function isReached(cosigners: Cosigners, attestations: readonly Attestation[]): boolean {
  return cosigners.agree(attestations.map(({ by }) => by));
}
