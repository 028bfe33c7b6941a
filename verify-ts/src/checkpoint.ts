// The head of a log as it is signed (C2SP tlog-checkpoint): origin, size and root, and no line more.

import { decimal, equal, fromBase64 } from './bytes.js';
import { HASH_BYTES, sha256 } from './hash.js';
import type { Fail } from './rejected.js';

export type Checkpoint = Readonly<{ origin: string; size: bigint; root: Uint8Array }>;

/** Reads the text of a note that is a checkpoint. */
export async function parseCheckpoint(text: string, fail: Fail): Promise<Checkpoint> {
  const [origin = '', size = '', root = '', rest, ...more] = text.split('\n');
  if (!isOrigin(origin) || rest !== '' || more.length > 0) {
    fail('expected three lines: origin, size and root');
  }
  const checkpoint = {
    origin,
    size: decimal(size) ?? fail('expected the size in decimal digits'),
    root: fromBase64(root) ?? fail('expected the root in base64'),
  };
  if (checkpoint.root.length !== HASH_BYTES) {
    fail('expected a root of 32 bytes');
  }
  if (checkpoint.size === 0n && !equal(checkpoint.root, await sha256())) {
    fail('expected the root of the empty tree for size 0');
  }
  return checkpoint;
}

/** Whether text may be the name of a log. */
export function isOrigin(text: string): boolean {
  return /^[!-*,-~]{1,255}$/.test(text);
}
