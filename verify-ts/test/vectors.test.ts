// The vectors that every verifier must agree on: what the second one says of each.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { part, partOf, policyOf, said, VECTORS } from './vectors.js';

test('there are vectors', () => {
  assert.ok(VECTORS.length > 80, `${VECTORS.length} vectors`);
});

for (const vector of VECTORS) {
  test(`vector ${vector}`, async () => {
    const { verdict, report } = await said(partOf(vector, 'evidence'), await policyOf(vector));
    assert.equal(`${verdict}\n`, partOf(vector, 'verdict').toString());
    const expected = part(vector, 'report.json')?.toString();
    assert.deepEqual(report && JSON.parse(report), expected && JSON.parse(expected));
    // Also every digit, where a number is larger than those that a program reads without loss.
    assert.equal(report, expected);
  });
}
