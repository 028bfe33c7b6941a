// Why a file is no evidence: which kind of flaw it has, and which part of the check found it.
//
// Owns the names of both, in which all verifiers agree. A check is given a `Fail`, so that it does not need to know in
// which step it is made.

/** Malformed: not written as evidence is. Falsified: it says what is not so. Short: not enough witnesses stand behind it. */
export type Flaw = 'malformed' | 'falsified' | 'short of quorum';

/** The parts of the check, in their order. */
export type Step =
  | 'archive'
  | 'manifest'
  | 'checkpoint'
  | 'quorum'
  | 'asked'
  | 'records'
  | 'inclusion'
  | 'seal'
  | 'histories'
  | 'openings'
  | 'tokens'
  | 'closure'
  | 'totals';

/** A file that is no evidence. Nothing is shown then. */
export class Rejected extends Error {
  constructor(
    readonly flaw: Flaw,
    readonly step: Step,
    readonly what: string,
  ) {
    super(`${flaw} (${step}): ${what}`);
    this.name = 'Rejected';
  }
}

/** Ends a check, and says what was expected and what was found. */
export type Fail = (what: string) => never;

export function malformed(step: Step): Fail {
  return (what) => {
    throw new Rejected('malformed', step, what);
  };
}

export function falsified(step: Step): Fail {
  return (what) => {
    throw new Rejected('falsified', step, what);
  };
}
