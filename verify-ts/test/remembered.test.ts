// What an auditor remembers of a log finds two histories of it, with either verifier. COUNTERFOIL_VERIFY is the first one's
// program.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Rejected, Remembered, RememberedError, verify } from 'counterfoil-verify';

import { part, partOf, policyOf, VECTORS } from './vectors.js';

const FIRST = process.env['COUNTERFOIL_VERIFY'];
const SECOND = fileURLToPath(new URL('../cli.js', import.meta.url));

/** A good file, and one of another history: both are of one log and one size, and signed by its key. */
async function splitView(): Promise<readonly [string, string]> {
  const seen = new Map<string, Readonly<{ vector: string; root: string }>>();
  for (const vector of VECTORS.filter((vector) => part(vector, 'report.json'))) {
    const { checkpoint } = (await verify(partOf(vector, 'evidence'), await policyOf(vector))).attested;
    const key = `${checkpoint.origin} ${checkpoint.size} ${partOf(vector, 'policy').toString('hex')}`;
    const root = Buffer.from(checkpoint.root).toString('hex');
    const before = seen.get(key) ?? { vector, root };
    if (before.root !== root) {
      return [before.vector, vector];
    }
    seen.set(key, before);
  }
  throw new Error('expected two vectors of one log and one size');
}

test('two histories of a log are found', async () => {
  const [one, other] = await splitView();
  const remembered = new Remembered();
  const checkpoints = await Promise.all(
    [one, other].map(async (vector) => (await verify(partOf(vector, 'evidence'), await policyOf(vector))).attested.checkpoint),
  );
  const [seen, forked] = checkpoints;
  assert.ok(seen && forked);
  remembered.compare(seen);
  remembered.compare(seen);
  remembered.compare({ ...forked, size: forked.size + 1n });
  const isRejected = (error: unknown) =>
    error instanceof Rejected && error.flaw === 'falsified' && error.step === 'checkpoint' && /two histories/.test(error.what);
  assert.throws(() => remembered.compare(forked), isRejected);
  const kept = Remembered.parse(remembered.toText());
  assert.equal(kept.toText(), remembered.toText());
  assert.throws(() => kept.compare(forked), isRejected);
  // What is kept is the same in whatever order it was seen, as the first verifier keeps it.
  const elsewhere = { ...seen, origin: `${seen.origin}/0` };
  const backwards = new Remembered();
  [elsewhere, { ...forked, size: forked.size + 1n }, seen].forEach((checkpoint) => backwards.compare(checkpoint));
  remembered.compare(elsewhere);
  assert.equal(backwards.toText(), remembered.toText());
  const line = ({ origin, size }: typeof seen) => `${origin} ${size} `;
  const starts = [line(seen), line({ ...seen, size: seen.size + 1n }), line(elsewhere)];
  const lines = backwards.toText().trimEnd().split('\n');
  assert.deepEqual(lines.map((text, number) => text.startsWith(starts[number] ?? '-')), [true, true, true]);
});

test('what is no list of checkpoints is not read as one', () => {
  for (const text of ['a', 'a 1', 'a -1 r', 'a 01 r', 'a 1 r r', 'a 1 \n', '\n', ' 1 r']) {
    assert.throws(() => Remembered.parse(text), RememberedError, JSON.stringify(text));
  }
});

test('both programs remember the same, and refuse the other history', { skip: FIRST === undefined }, async (context) => {
  const [one, other] = await splitView();
  const folder = mkdtempSync(join(tmpdir(), 'counterfoil-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const seen = join(folder, 'seen');
  const run = (program: readonly [string, ...string[]], vector: string) => {
    const [file, policy] = (['evidence', 'policy'] as const).map((name) => {
      return fileURLToPath(new URL(`../../../vectors/${vector}/${name}`, import.meta.url));
    });
    const [name, ...first] = program;
    return spawnSync(name, [...first, file ?? '', '--policy', policy ?? '', '--remember', seen], { encoding: 'utf8' });
  };
  const programs = [[FIRST ?? ''], [process.execPath, SECOND]] as const;
  const kept = programs.map((program) => {
    writeFileSync(seen, '');
    assert.equal(run(program, one).status, 0);
    return readFileSync(seen, 'utf8');
  });
  assert.equal(kept[0], kept[1]);
  for (const program of programs) {
    const refused = run(program, other);
    assert.equal(refused.status, 1, refused.stderr);
    assert.match(refused.stderr, /falsified \(checkpoint\).*two histories/);
    assert.equal(readFileSync(seen, 'utf8'), kept[0]);
  }
});
