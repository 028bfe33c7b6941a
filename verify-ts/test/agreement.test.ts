// The second verifier against the first one: of files that were changed by somebody who knows how they are written both say
// the same, the same report included. COUNTERFOIL_VERIFY is the first one's program, CHANGES how many such files are
// tried, LOGS how many made-up logs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { parsePolicy, type Policy, Rejected, verify } from 'counterfoil-verify';

import { Arbitrary } from './arbitrary.js';
import { changed, drawing } from './changed.js';
import { POLICY } from './log.js';
import { membersOf } from './mended.js';
import { part, partOf, policyOf, said, type Said, VECTORS } from './vectors.js';

const PROGRAM = process.env['COUNTERFOIL_VERIFY'];
const CHANGES = Number(process.env['CHANGES'] ?? 300);
const LOGS = Number(process.env['LOGS'] ?? 100);
const SEED = Number(process.env['SEED'] ?? 1);

/** What the first verifier says. */
function saidByTheFirst(program: string, file: string, policy: string): Said {
  const { stdout, error } = spawnSync(program, [file, '--policy', policy, '--output', 'json'], { encoding: 'utf8' });
  assert.equal(error, undefined);
  const { verdict, step } = JSON.parse(stdout) as { verdict: string; step?: string };
  return step === undefined ? { verdict, report: stdout } : { verdict: `${verdict}: ${step}`, report: undefined };
}

const skip = PROGRAM === undefined && 'COUNTERFOIL_VERIFY does not name the first verifier';

test('both verifiers say the same of each vector', { skip }, async () => {
  for (const vector of VECTORS) {
    const second = await said(partOf(vector, 'evidence'), await policyOf(vector));
    const [file, policy] = (['evidence', 'policy'] as const).map((name) => {
      return new URL(`../../../vectors/${vector}/${name}`, import.meta.url).pathname;
    });
    assert.deepEqual(second, saidByTheFirst(PROGRAM ?? '', file ?? '', policy ?? ''), vector);
  }
});

test('both verifiers say the same of changed files', { skip }, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'counterfoil-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const [file, policy] = [join(folder, 'evidence'), join(folder, 'policy')];
  const good = VECTORS.filter((vector) => part(vector, 'report.json'));
  const draw = drawing(SEED);
  const verdicts = new Map<string, number>();
  for (let number = 0; number < CHANGES; number++) {
    const vector = good[draw(good.length)] ?? '';
    const bytes = changed(membersOf(partOf(vector, 'evidence')), draw);
    writeFileSync(file, bytes);
    writeFileSync(policy, partOf(vector, 'policy'));
    const second = await said(bytes, await policyOf(vector));
    assert.deepEqual(second, saidByTheFirst(PROGRAM ?? '', file, policy), `change ${number} of the seed ${SEED}, to ${vector}`);
    verdicts.set(second.verdict, (verdicts.get(second.verdict) ?? 0) + 1);
  }
  context.diagnostic([...verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', '));
});

/** Asks both verifiers the same of so many made-up logs, and hands on what the second one said of each. */
async function askOfLogs(
  context: TestContext,
  kind: 'change' | 'state' | 'period',
  told: (second: Said, what: string) => void,
  logs = LOGS,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'counterfoil-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const [file, policy] = [join(folder, 'evidence'), join(folder, 'policy')];
  writeFileSync(policy, POLICY);
  const trusted = await parsePolicy(Buffer.from(POLICY));
  const draw = drawing(SEED);
  for (let number = 0; number < logs; number++) {
    const bytes = await new Arbitrary(draw, kind).evidence((file) => historyMissing(file, trusted));
    writeFileSync(file, bytes);
    const second = await said(bytes, trusted);
    const what = `log ${number} of the seed ${SEED}`;
    assert.deepEqual(second, saidByTheFirst(PROGRAM ?? '', file, policy), what);
    told(second, what);
  }
}

test('both verifiers say the same of changes in logs in which anything happens', { skip }, async (context) => {
  const verdicts = new Map<string, number>();
  await askOfLogs(context, 'change', (second) => {
    const { change } = JSON.parse(second.report ?? '{}') as { change?: { verdict: string; rule?: string } };
    const verdict = change ? [change.rule, change.verdict].filter(Boolean).join(': ') : second.verdict;
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  });
  context.diagnostic([...verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', '));
});

test('both verifiers say the same of periods in logs in which anything happens', { skip }, async (context) => {
  let [changes, replaced, gaps] = [0, 0, 0];
  await askOfLogs(context, 'period', (second, what) => {
    assert.equal(second.verdict, 'proved', what);
    const { period } = JSON.parse(second.report ?? '') as { period: { changes: unknown[]; facts: { replaced: number }; gaps: unknown[] } };
    [changes, replaced] = [changes + period.changes.length, replaced + period.facts.replaced];
    gaps += period.gaps.length;
  }, LOGS / 2);
  context.diagnostic(`${changes} changes, ${replaced} facts that were read otherwise since, ${gaps} gaps`);
});

test('both verifiers say the same of logs in which anything happens', { skip }, async (context) => {
  let [several, disputed] = [0, 0];
  await askOfLogs(context, 'state', (second, what) => {
    assert.equal(second.verdict, 'proved', what);
    const { states, contested } = JSON.parse(second.report ?? '') as { states: unknown[]; contested: unknown[] };
    [several, disputed] = [several + Number(states.length > 1), disputed + Number(contested.length > 0)];
  });
  context.diagnostic(`${several} questions about several entities, ${disputed} about what is contested`);
});

/** Whose history a file lacks, as far as the second verifier says: where it asked for fewer or for others than the first one,
 * the first one rejects the file. */
async function historyMissing(file: Uint8Array, policy: Policy): Promise<string | undefined> {
  try {
    await verify(file, policy);
    return undefined;
  } catch (error) {
    return error instanceof Rejected ? /needs the history of (.*), which is not there/.exec(error.what)?.[1] : undefined;
  }
}
