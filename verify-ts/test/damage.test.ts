// Damaged files: every flipped bit of a good file and every beginning of it is rejected, and by nothing but `Rejected`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { partOf, policyOf, said } from './vectors.js';

/** A small file in which there is something in each member. */
const VECTOR = 'cosigners_of_the_policy_count_and_others_do_not-1';

test('a flipped bit is found', async () => {
  const [file, policy] = [partOf(VECTOR, 'evidence'), await policyOf(VECTOR)];
  assert.equal((await said(file, policy)).verdict, 'proved');
  for (let bit = 0; bit < file.length * 8; bit++) {
    const flipped = Uint8Array.from(file);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.notEqual((await said(flipped, policy)).verdict, 'proved', `bit ${bit & 7} of byte ${bit >> 3}`);
  }
});

test('a file that is cut off is malformed', async () => {
  const [file, policy] = [partOf(VECTOR, 'evidence'), await policyOf(VECTOR)];
  for (let length = 0; length < file.length; length++) {
    assert.equal((await said(file.subarray(0, length), policy)).verdict, 'malformed: archive', `the first ${length} bytes`);
  }
});
