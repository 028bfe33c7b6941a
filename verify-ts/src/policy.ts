// Whom an auditor believes: C2SP tlog-policy, and the lines that begin with `#counterfoil`.
//
// It comes by another way than the evidence, and is never taken from it.

import { fromBase64, hex, textOf } from './bytes.js';
import { type Cosigners, CosignersDraft, ENTRIES_MAX } from './cosigners.js';
import { IndexKey } from './identifier.js';
import { type Key, type KeyType, parseKey } from './note.js';
import type { Fail } from './rejected.js';

const POLICY_BYTES_MAX = 1 << 20;

/** A text that is no policy. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

export type Policy = Readonly<{
  indexKey: IndexKey | undefined;
  logs: readonly Key[];
  witnesses: Cosigners;
  replayers: Cosigners;
}>;

/** Reads a policy. */
export async function parsePolicy(bytes: Uint8Array): Promise<Policy> {
  const fail: Fail = (what) => {
    throw new PolicyError(what);
  };
  if (bytes.length > POLICY_BYTES_MAX) {
    fail(`expected a policy of at most ${POLICY_BYTES_MAX} bytes, got ${bytes.length}`);
  }
  const text = textOf(bytes) ?? fail('expected a policy in UTF-8');
  if (/[\0-\x08\x0b-\x1f\x7f]/.test(text) || (text !== '' && !text.endsWith('\n'))) {
    fail('expected a policy of whole lines, without control characters other than tab and newline');
  }
  const draft = new Draft();
  for (const [at, line] of text.split('\n').entries()) {
    await draft.line(line, (what) => fail(`line ${at + 1} of the policy: ${what}`));
  }
  return draft.finish(fail);
}

class Draft {
  private indexKey: IndexKey | undefined;
  private readonly logs: Key[] = [];
  private readonly witnesses = new CosignersDraft();
  private readonly replayers = new CosignersDraft();
  private readonly publicKeys = new Set<string>();

  async line(text: string, fail: Fail): Promise<void> {
    const [word, ...fields] = text.split(/[ \t]/).filter((field) => field !== '');
    if (word === '#counterfoil') {
      await this.own(fields, fail);
    } else if (word === 'log' && (fields.length === 1 || fields.length === 2)) {
      const key = await this.key(fields[0] ?? '', 1, fail);
      this.logs.push(this.logs.length < ENTRIES_MAX ? key : fail(`expected at most ${ENTRIES_MAX} logs`));
    } else if (word !== undefined && !word.startsWith('#')) {
      await this.cosigners(this.witnesses, ['witness', 'group', 'quorum'], [word, ...fields], fail);
    }
  }

  finish(fail: Fail): Policy {
    if (!this.witnesses.hasQuorum) {
      fail('expected exactly one line with a quorum of witnesses, got none');
    }
    const { indexKey, logs } = this;
    return { indexKey, logs, witnesses: this.witnesses.finish(), replayers: this.replayers.finish() };
  }

  /** What stands behind `#counterfoil`. */
  private async own(fields: readonly string[], fail: Fail): Promise<void> {
    if (fields[0] !== 'index-key') {
      await this.cosigners(this.replayers, ['replayer', 'replayer-group', 'replayer-quorum'], fields, fail);
      return;
    }
    const key = fromBase64(fields[1] ?? '');
    if (fields.length !== 2 || key?.length !== 32 || this.indexKey) {
      return fail('expected one index key, as the base64 of 32 bytes');
    }
    this.indexKey = await IndexKey.of(key);
  }

  private async cosigners(
    draft: CosignersDraft,
    [member, group, quorum]: readonly [string, string, string],
    [word, name = '', argument = '', ...rest]: readonly string[],
    fail: Fail,
  ): Promise<void> {
    if (word === member && argument !== '' && rest.length < 2) {
      draft.addMember({ name, key: await this.key(argument, 4, fail) }, fail);
    } else if (word === group && rest.length > 0) {
      draft.addGroup(name, argument, rest, fail);
    } else if (word === quorum && name !== '' && argument === '') {
      draft.setQuorum(name, fail);
    } else {
      fail(`expected a line as C2SP tlog-policy has it, got one that begins with ${word ?? '#counterfoil'}`);
    }
  }

  private async key(text: string, type: KeyType, fail: Fail): Promise<Key> {
    const key = await parseKey(text, fail);
    const bytes = hex(key.bytes);
    if (key.type !== type || this.publicKeys.has(bytes)) {
      fail(`expected a key of type ${type} that is in the policy once`);
    }
    this.publicKeys.add(bytes);
    return key;
  }
}
