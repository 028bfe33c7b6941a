// What the approvals of a ticket come to, derived level by level. The source's own final value counts only where no approval
// is recorded.

import { type ApprovalState, type Evidence, inOrder, type TicketState } from './state.js';
import { ApprovalRule, Decision } from './words.js';

/** What the approvals come to, and the last decision that was needed for it; none while it is pending. */
export type Derived = Readonly<{ decision: number; completedBy: Evidence | undefined }>;

/** The decision of a ticket: approved once every level is, rejected once one is. A ticket without approvals has none. */
export function derive(ticket: TicketState): Derived | undefined {
  const rows = [...ticket.approvals.values()];
  const numbers = [...new Set(rows.map(({ level }) => level))].sort((one, other) => one - other);
  const levels = numbers.map((number) => ofLevel(rows.filter(({ level }) => level === number)));
  const [rejected] = levels.filter(({ decision }) => decision === Decision.rejected).sort(byCompletion);
  const open = levels.find(({ decision }) => decision !== Decision.approved);
  return rejected ?? open ?? [...levels].sort(byCompletion).at(-1);
}

function byCompletion(one: Derived, other: Derived): number {
  return one.completedBy && other.completedBy ? inOrder(one.completedBy, other.completedBy) : 0;
}

/** What the approvals come to; where none is recorded, what the source itself says. */
export function finalDecision(ticket: TicketState): Derived | undefined {
  const { sourceDecision, sourceDecided } = ticket;
  return derive(ticket) ?? (sourceDecision === 0 ? undefined : { decision: sourceDecision, completedBy: sourceDecided });
}

/** Rows that were cancelled, or made moot by a peer's answer, do not vote; a row that expired was asked and never approved.
 * A level in which nobody votes is cancelled. */
function ofLevel(rows: readonly ApprovalState[]): Derived {
  const having = (...decisions: number[]) => {
    const found = rows.filter(({ decision }) => decisions.includes(decision));
    return found.sort((one, other) => inOrder(one.evidence, other.evidence));
  };
  const approved = having(Decision.approved);
  const lost = having(Decision.rejected, Decision.expired);
  const voters = approved.length + lost.length + having(Decision.requested).length;
  if (voters === 0) {
    const moot = [...rows].sort((one, other) => inOrder(one.evidence, other.evidence)).at(-1);
    return { decision: Decision.cancelled, completedBy: moot?.evidence };
  }
  // Where rows of one level differ, the strictest rule holds.
  const rule = rows.map(({ rule }) => rule).reduce((one, other) => (strictness(other) >= strictness(one) ? other : one));
  const quorum = Math.max(...rows.map(({ quorum }) => quorum));
  const [first] = having(Decision.approved, Decision.rejected);
  if (rule === ApprovalRule.first && first) {
    return { decision: first.decision, completedBy: first.evidence };
  }
  const needed = neededOf(rule, voters, quorum);
  const isByHeads = rule === ApprovalRule.quorum || rule === ApprovalRule.majority;
  const last = (isByHeads ? byDistinct(approved) : approved)[needed - 1];
  if (last) {
    return { decision: Decision.approved, completedBy: last.evidence };
  }
  // Lost as soon as the approvals that are needed can no longer be reached.
  const against = lost[Math.max(voters - needed, 0)];
  if (!against) {
    return { decision: Decision.requested, completedBy: undefined };
  }
  const isBefore = ({ evidence }: ApprovalState) => inOrder(evidence, against.evidence) <= 0;
  const isRejected = lost.some((row) => row.decision === Decision.rejected && isBefore(row));
  return { decision: isRejected ? Decision.rejected : Decision.expired, completedBy: against.evidence };
}

/** How many approvals a level needs. */
function neededOf(rule: number, voters: number, quorum: number): number {
  switch (rule) {
    case ApprovalRule.majority:
      return Math.floor(voters / 2) + 1;
    case ApprovalRule.quorum:
      return Math.max(quorum, 1);
    case ApprovalRule.any:
    case ApprovalRule.first:
      return 1;
    default:
      return voters;
  }
}

/** The first row of each person: whoever decides twice is still one. */
function byDistinct(rows: readonly ApprovalState[]): ApprovalState[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const decider = deciderOf(row)?.key;
    const isFirst = decider === undefined || !seen.has(decider);
    seen.add(decider ?? '');
    return isFirst;
  });
}

/** Who decided a row; where nobody says so, who was asked. */
export function deciderOf({ decidedBy, approver }: ApprovalState): ApprovalState['approver'] {
  return decidedBy ?? approver;
}

function strictness(rule: number): number {
  const rules: readonly number[] = [
    ApprovalRule.unspecified,
    ApprovalRule.any,
    ApprovalRule.first,
    ApprovalRule.majority,
    ApprovalRule.all,
    ApprovalRule.quorum,
  ];
  return rules.indexOf(rule);
}
