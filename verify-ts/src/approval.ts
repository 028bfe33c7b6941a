// What the approvals of a ticket come to, derived level by level.

import { type ApprovalState, inOrder, type TicketState } from './state.js';
import { ApprovalRule, Decision } from './words.js';

/** The decision of a ticket: approved once every level is, rejected once one is. A ticket without approvals has none. */
export function decisionOf(ticket: TicketState): number | undefined {
  const rows = [...ticket.approvals.values()];
  const numbers = [...new Set(rows.map(({ level }) => level))].sort((one, other) => one - other);
  const levels = numbers.map((number) => ofLevel(rows.filter(({ level }) => level === number)));
  if (levels.includes(Decision.rejected)) {
    return Decision.rejected;
  }
  return levels.find((decision) => decision !== Decision.approved) ?? levels.at(-1);
}

/** Rows that were cancelled, or made moot by a peer's answer, do not vote; a row that expired was asked and never approved.
 * A level in which nobody votes is cancelled. */
function ofLevel(rows: readonly ApprovalState[]): number {
  const having = (...decisions: number[]) => {
    const found = rows.filter(({ decision }) => decisions.includes(decision));
    return found.sort((one, other) => inOrder(one.evidence, other.evidence));
  };
  const approved = having(Decision.approved);
  const lost = having(Decision.rejected, Decision.expired);
  const voters = approved.length + lost.length + having(Decision.requested).length;
  if (voters === 0) {
    return Decision.cancelled;
  }
  // Where rows of one level differ, the strictest rule holds.
  const rule = rows.map(({ rule }) => rule).reduce((one, other) => (strictness(other) >= strictness(one) ? other : one));
  const quorum = Math.max(...rows.map(({ quorum }) => quorum));
  const [first] = having(Decision.approved, Decision.rejected);
  if (rule === ApprovalRule.first && first) {
    return first.decision;
  }
  const needed = neededOf(rule, voters, quorum);
  const isByHeads = rule === ApprovalRule.quorum || rule === ApprovalRule.majority;
  if ((isByHeads ? byDistinct(approved) : approved).length >= needed) {
    return Decision.approved;
  }
  // Lost as soon as the approvals that are needed can no longer be reached.
  const against = lost[Math.max(voters - needed, 0)];
  if (!against) {
    return Decision.requested;
  }
  const isBefore = ({ evidence }: ApprovalState) => inOrder(evidence, against.evidence) <= 0;
  const isRejected = lost.some((row) => row.decision === Decision.rejected && isBefore(row));
  return isRejected ? Decision.rejected : Decision.expired;
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
  return rows.filter(({ decidedBy, approver }) => {
    const decider = decidedBy === '' ? approver : decidedBy;
    const isFirst = decider === '' || !seen.has(decider);
    seen.add(decider);
    return isFirst;
  });
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
