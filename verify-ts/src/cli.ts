// The second verifier as a program: it reads an evidence file, a policy, and the checkpoints that were seen before.
//
// Owns the command line, and how a run ends: 0 proved, 1 falsified or short of the policy's quorum, 2 malformed, or what was
// given cannot be read.

import { readFile, rename, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { verify } from './evidence.js';
import { toJson } from './json.js';
import { parsePolicy } from './policy.js';
import { Rejected } from './rejected.js';
import { Remembered } from './remembered.js';
import { reportOf } from './report.js';
import { safe, textOfReport } from './text.js';

const USAGE = 'usage: node dist/cli.js FILE --policy POLICY [--output text|json] [--remember FILE]';

async function run(): Promise<number> {
  const options = {
    policy: { type: 'string' },
    output: { type: 'string', default: 'text' },
    remember: { type: 'string' },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [file, ...more] = positionals;
  const isJson = values.output === 'json';
  if (file === undefined || more.length > 0 || values.policy === undefined || !(isJson || values.output === 'text')) {
    throw new Error(USAGE);
  }
  const policy = await parsePolicy(await readFile(values.policy));
  const remembered = values.remember === undefined ? undefined : Remembered.parse(await seenBefore(values.remember));
  try {
    const verified = await verify(await readFile(file), policy);
    remembered?.compare(verified.attested.checkpoint);
    const report = reportOf(verified);
    if (remembered && values.remember !== undefined) {
      await replace(values.remember, remembered.toText());
    }
    process.stdout.write(isJson ? `${toJson(report)}\n` : textOfReport(report));
    return 0;
  } catch (error) {
    if (!(error instanceof Rejected)) {
      throw error;
    }
    const { flaw, step, what } = error;
    if (isJson) {
      process.stdout.write(`${toJson({ verdict: flaw, step, reason: what })}\n`);
    } else {
      process.stderr.write(`counterfoil-verify: ${safe(error.message)}\n`);
    }
    return flaw === 'malformed' ? 2 : 1;
  }
}

/** What was seen before; nothing, where there is no such file yet. */
async function seenBefore(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return '';
    }
    throw error;
  }
}

/** Writes a file anew, whole or not at all. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`counterfoil-verify: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
