// The checkpoints that an auditor has seen: two of one size and different roots are two histories.
//
// Owns what is kept of them, one a line (docs/formats.md, section "Checkpoints that were seen"). Where it is kept, in a file or
// in a browser's storage, is for the caller.

import { decimal, toBase64 } from './bytes.js';
import type { Checkpoint } from './checkpoint.js';
import { falsified } from './rejected.js';

/** Text that is no list of checkpoints. */
export class RememberedError extends Error {}

export class Remembered {
  /** By the log and the size. */
  private readonly roots = new Map<string, Readonly<{ origin: string; size: bigint; root: string }>>();

  /** Reads what was kept; nothing, where nothing was seen yet. Throws `RememberedError`. */
  static parse(text: string): Remembered {
    const remembered = new Remembered();
    const lines = text.split('\n');
    if (lines.at(-1) === '') {
      lines.pop();
    }
    for (const [number, line] of lines.entries()) {
      const [origin = '', digits = '', root = '', ...more] = line.split(' ');
      const size = decimal(digits);
      if (origin === '' || size === undefined || root === '' || more.length > 0) {
        throw new RememberedError(`line ${number + 1} is no checkpoint`);
      }
      remembered.roots.set(`${origin} ${size}`, { origin, size, root });
    }
    return remembered;
  }

  /** Compares a checkpoint with those that were seen, and remembers it. Throws `Rejected`. */
  compare({ origin, size, root }: Checkpoint): void {
    const key = `${origin} ${size}`;
    const shown = toBase64(root);
    const seen = this.roots.get(key)?.root ?? shown;
    if (seen !== shown) {
      falsified('checkpoint')(
        `expected the root ${seen} that was seen before for ${size} records of ${origin}, got ${shown}: the log shows two histories`,
      );
    }
    this.roots.set(key, { origin, size, root: shown });
  }

  /** What is to be kept, by log and size. */
  toText(): string {
    const all = [...this.roots.values()].sort((one, other) => {
      return one.origin === other.origin ? Number(one.size - other.size) : one.origin < other.origin ? -1 : 1;
    });
    return all.map(({ origin, size, root }) => `${origin} ${size} ${root}\n`).join('');
  }
}
