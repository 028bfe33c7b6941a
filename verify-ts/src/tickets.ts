// What facts about tickets and approvals do to a ticket's state.

import type { Ref } from './messages.js';
import { type FactAt, keyOf, keys } from './replay.js';
import type { ApprovalState, State, TicketState } from './state.js';
import { ApprovalRule, Confidence, Decision, FactKind } from './words.js';

function ticketOf(state: State, { evidence }: FactAt): TicketState {
  const unknown = { isKnown: false, beneficiary: [], approvals: new Map(), evidence };
  return (state.ticket ??= unknown);
}

/** What a connector concluded from a later version, that the ticket was opened, says nothing about what it asked for. */
export function applyTicket(state: State, fact: FactAt): void {
  if (!fact.fact.ticket) {
    return;
  }
  const ticket = ticketOf(state, fact);
  ticket.isKnown = true;
  if (fact.fact.confidence === Confidence.derived) {
    return;
  }
  if (fact.fact.subject) {
    ticket.beneficiary = keys(fact.fact.subject, fact);
  }
  ticket.evidence = fact.evidence;
}

const DECISIONS: ReadonlyMap<number, number> = new Map([
  [FactKind.approvalGranted, Decision.approved],
  [FactKind.approvalRejected, Decision.rejected],
  [FactKind.approvalCancelled, Decision.cancelled],
  [FactKind.approvalExpired, Decision.expired],
]);

export function applyApproval(state: State, fact: FactAt): void {
  const { approval: detail, kind } = fact.fact;
  if (!detail) {
    return;
  }
  const ticket = ticketOf(state, fact);
  const textOf = (reference: Ref | undefined) => keyOf(reference, fact)?.text ?? '';
  const [approver, actor] = [textOf(detail.approver), textOf(fact.fact.actor)];
  const isMoot = kind === FactKind.approvalCancelled && detail.sourceDecision === Decision.peerResponded;
  const decision = isMoot ? Decision.peerResponded : (DECISIONS.get(kind) ?? Decision.requested);
  // Without an id of its own a row is known by its approver; who decided is one, where nobody else is named.
  const row = detail.id !== '' ? detail.id : `${detail.level} ${approver !== '' ? approver : actor}`;
  const given: ApprovalState = {
    level: detail.level,
    rule: detail.rule,
    quorum: detail.quorum,
    approver,
    decidedBy: decision === Decision.requested ? '' : actor,
    decision,
    evidence: fact.evidence,
  };
  const held = ticket.approvals.get(row);
  ticket.approvals.set(row, held ? merged(given, held) : given);
  if (!ticket.isKnown) {
    ticket.evidence = fact.evidence;
  }
}

/** What a later fact leaves out stays as it was, above all the rule. A row that is delivered again with the same decision
 * was decided when it was first. */
function merged(given: ApprovalState, held: ApprovalState): ApprovalState {
  const { rule, quorum } = given.rule === ApprovalRule.unspecified ? held : given;
  const approver = given.approver === '' ? held.approver : given.approver;
  const isSomebodyElse = given.decidedBy !== '' && held.decidedBy !== '' && given.decidedBy !== held.decidedBy;
  const row = { ...given, rule, quorum, approver };
  if (given.decision !== held.decision || isSomebodyElse) {
    return row;
  }
  return { ...row, evidence: held.evidence, decidedBy: given.decidedBy === '' ? held.decidedBy : given.decidedBy };
}
