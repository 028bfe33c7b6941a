// The one verdict over all tickets that may cover a change.
//
// Owns which of several tickets counts, and when none does. It judges no single ticket.

import { order } from './bytes.js';
import { type Score, totalOf } from './score.js';

/** What one ticket says about a change, or what all come to, the better first as far as tickets that count are compared. */
const VERDICTS = [
  'approved',
  'approved recorded late',
  'approved unspecific',
  'approved late',
  'edited after approval',
  'pending',
  'rejected',
  'out of window',
  'out of scope',
  'other beneficiary',
  'ticket unknown',
  'ambiguous',
  'none recorded',
  'not a change',
] as const;
export type Verdict = (typeof VERDICTS)[number];

/** How a ticket was found: the change names it; its transaction or request does; or it fits. */
export type Rule = 'explicit' | 'correlation' | 'window';

/** By how many points the best of several tickets that merely fit has to be better than the next, for it to be meant. */
const MARGIN_MIN = 10;

/** What one ticket says about a change; and how well it fits, where the change does not name it. */
export type Finding = Readonly<{ verdict: Verdict; score: Score | undefined }>;

/** What tickets come to: those that have a part in it, the best first; and of one that was chosen by its points, by how many it
 * is better than the next, or than none. */
export type Chosen<T> = Readonly<{ tickets: readonly T[]; verdict: Verdict; margin: number }>;

/** A change that names several tickets, or shares its request with several, is covered by the best of them; of several that
 * merely fit, one counts that fits clearly better than all others. */
export function choose<T extends Finding>(rule: Rule, found: readonly T[]): Chosen<T> {
  const byRank = (one: T, other: T) => order(rank(one.verdict), rank(other.verdict));
  if (rule !== 'window') {
    const tickets = [...found].sort(byRank);
    return { tickets, verdict: tickets[0]?.verdict ?? 'none recorded', margin: 0 };
  }
  const tickets = preferred(found).sort((one, other) => pointsOf(other) - pointsOf(one) || byRank(one, other));
  const [best, next] = tickets;
  const margin = (best ? pointsOf(best) : 0) - (next ? pointsOf(next) : 0);
  const isAmbiguous = next !== undefined && margin < MARGIN_MIN;
  return { tickets, verdict: isAmbiguous ? 'ambiguous' : (best?.verdict ?? 'none recorded'), margin };
}

/** What was approved in time leaves no doubt; what was approved late, none beside what never was. */
function preferred<T extends Finding>(found: readonly T[]): T[] {
  const inTime = found.filter(({ verdict }) => isInTime(verdict));
  const approved = found.filter(({ verdict }) => isInTime(verdict) || verdict === 'approved late');
  return [...([inTime, approved].find((some) => some.length > 0) ?? found)];
}

function pointsOf({ score }: Finding): number {
  return score ? totalOf(score) : 0;
}

function rank(verdict: Verdict): number {
  return Math.min(VERDICTS.indexOf(verdict), VERDICTS.indexOf('ticket unknown'));
}

/** Whether a verdict shows an approval that preceded the change, by what the sources say. */
export function isInTime(verdict: Verdict): boolean {
  return verdict === 'approved' || verdict === 'approved recorded late';
}

/** Whether a ticket is for the change at all, whatever became of its approval. */
export function isAboutIt(verdict: Verdict): boolean {
  return !['other beneficiary', 'out of scope', 'out of window', 'ticket unknown'].includes(verdict);
}
