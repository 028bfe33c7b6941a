// The second verifier as a program: it reads an evidence file and a policy, and nothing else.
//
// Owns the command line, and how a run ends: 0 proved, 1 falsified or short of the policy's quorum, 2 malformed, or what was
// given cannot be read.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { verify } from './evidence.js';
import { toJson } from './json.js';
import { parsePolicy } from './policy.js';
import { Rejected } from './rejected.js';
import { reportOf } from './report.js';
import { safe, textOfReport } from './text.js';

const USAGE = 'usage: node dist/cli.js FILE --policy POLICY [--output text|json]';

async function run(): Promise<number> {
  const options = { policy: { type: 'string' }, output: { type: 'string', default: 'text' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [file, ...more] = positionals;
  const isJson = values.output === 'json';
  if (file === undefined || more.length > 0 || values.policy === undefined || !(isJson || values.output === 'text')) {
    throw new Error(USAGE);
  }
  const policy = await parsePolicy(await readFile(values.policy));
  try {
    const report = reportOf(await verify(await readFile(file), policy));
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

try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`counterfoil-verify: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
