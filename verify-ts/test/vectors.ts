// Owns how tests read the vectors, and what is said of a file.

import { readdirSync, readFileSync } from 'node:fs';

import { parsePolicy, type Policy, Rejected, reportOf, toJson, verify } from 'counterfoil-verify';

const FOLDER = new URL('../../../vectors/', import.meta.url);

/** The names of all vectors. */
export const VECTORS: readonly string[] = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** A part of a vector; none where there is none. */
export function part(vector: string, name: string): Buffer | undefined {
  try {
    return readFileSync(new URL(`${vector}/${name}`, FOLDER));
  } catch {
    return undefined;
  }
}

/** A part that every vector has. */
export function partOf(vector: string, name: 'evidence' | 'policy' | 'verdict'): Buffer {
  return part(vector, name) ?? Buffer.alloc(0);
}

export function policyOf(vector: string): Promise<Policy> {
  return parsePolicy(partOf(vector, 'policy'));
}

/** What is said of a file. Whatever is thrown but `Rejected` goes on. */
export type Said = Readonly<{ verdict: string; report: string | undefined }>;

export async function said(file: Uint8Array, policy: Policy): Promise<Said> {
  try {
    return { verdict: 'proved', report: `${toJson(reportOf(await verify(file, policy)))}\n` };
  } catch (error) {
    if (error instanceof Rejected) {
      return { verdict: `${error.flaw}: ${error.step}`, report: undefined };
    }
    throw error;
  }
}
