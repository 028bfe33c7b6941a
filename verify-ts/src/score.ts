// How well a ticket that a change does not name fits it, in points. It makes no ticket cover a change, and chooses none.

import type { Candidate, Change } from './link.js';
import { likeness } from './targets.js';
import { secondsOf } from './time.js';

/** The ticket is for the very account, person or identifier that the change names; or for one that is linked with it. */
const SAME_BENEFICIARY = 40;
const LINKED_BENEFICIARY = 30;
/** The ticket asks for the very thing, by its id; by its name, which may be that of several; or for any of its type. */
const ENTITLEMENT = { id: 40, name: 30, type: 15 } as const;
/** How soon after the decision the change came, in seconds, and what that is worth. It is never enough to choose by: who
 * executes a ticket late is no worse. */
const TIMES: readonly (readonly [bigint, number])[] = [
  [3_600n, 9],
  [24n * 3_600n, 6],
  [7n * 24n * 3_600n, 3],
];

/** The points: for whom it is, for what it is, and when it was decided. */
export type Score = Readonly<{ beneficiary: number; entitlement: number; time: number }>;

/** The points of a ticket that fits a change. */
export function scoreOf(change: Change, { history }: Candidate): Score {
  const { beneficiary, items } = history.approved;
  const isNamed = change.subject.some((one) => one.isAmong(beneficiary));
  const alike = items.map((item) => likeness(change.targets, item)).flatMap((like) => (like ? [ENTITLEMENT[like]] : []));
  const since = secondsOf(change.fact.evidence.occurredAt) - secondsOf(history.decidedAt);
  const [, time] = TIMES.find(([within]) => since >= 0n && since <= within) ?? [0n, 0];
  return { beneficiary: isNamed ? SAME_BENEFICIARY : LINKED_BENEFICIARY, entitlement: Math.max(0, ...alike), time };
}

export function totalOf({ beneficiary, entitlement, time }: Score): number {
  return beneficiary + entitlement + time;
}
