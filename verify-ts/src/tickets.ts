// What facts about tickets and approvals do to a ticket's state.

import type { Ticket } from './messages.js';
import { type FactAt, keyOf, keys } from './replay.js';
import type { ApprovalState, Evidence, State, TicketState } from './state.js';
import { momentOf } from './time.js';
import { ApprovalRule, Confidence, Decision, FactKind, TicketStatus } from './words.js';

function ticketOf(state: State, { evidence }: FactAt): TicketState {
  return (state.ticket ??= {
    isKnown: false,
    isVersioned: false,
    status: 0,
    windowStart: undefined,
    windowEnd: undefined,
    sourceDecision: 0,
    sourceDecided: undefined,
    beneficiary: [],
    items: [],
    opened: undefined,
    cancelled: undefined,
    closed: undefined,
    approvals: new Map(),
    evidence,
  });
}

/** A later version stands for an earlier one; what it leaves out stays as it was. */
export function applyTicket(state: State, fact: FactAt): void {
  const { ticket: newer, kind, subject, confidence } = fact.fact;
  if (!newer) {
    return;
  }
  const ticket = ticketOf(state, fact);
  ticket.isKnown = true;
  ticket.opened ??= kind === FactKind.ticketOpened ? fact.evidence : undefined;
  // What a connector concluded from a later version, that the ticket was opened, says nothing about what it asked for.
  if (confidence === Confidence.derived) {
    ticket.status = ticket.isVersioned ? ticket.status : newer.status;
    return;
  }
  ticket.isVersioned = true;
  ticket.status = statusAfter(ticket.status, newer, kind);
  const since = (isSo: boolean, held: Evidence | undefined) => (isSo ? (held ?? fact.evidence) : undefined);
  const isClosed = ticket.status === TicketStatus.closed || ticket.status === TicketStatus.resolved;
  ticket.cancelled = since(ticket.status === TicketStatus.cancelled, ticket.cancelled);
  ticket.closed = since(isClosed, ticket.closed);
  ticket.windowStart = newer.windowStart ? momentOf(newer.windowStart) : ticket.windowStart;
  ticket.windowEnd = newer.windowEnd ? momentOf(newer.windowEnd) : ticket.windowEnd;
  if (newer.sourceDecision !== 0 && newer.sourceDecision !== ticket.sourceDecision) {
    ticket.sourceDecision = newer.sourceDecision;
    ticket.sourceDecided = fact.evidence;
  }
  if (subject) {
    ticket.beneficiary = keys(subject, fact);
  }
  if (newer.items.length > 0) {
    ticket.items = newer.items.map(({ operation, target, targetType, from, until }) => ({
      operation,
      targetType,
      targets: keys(target, fact),
      from: from && momentOf(from),
      until: until && momentOf(until),
    }));
  }
  ticket.evidence = fact.evidence;
}

function statusAfter(before: number, newer: Ticket, kind: number): number {
  if (newer.status !== 0) {
    return newer.status;
  }
  const ends = new Map([
    [FactKind.ticketClosed as number, TicketStatus.closed],
    [FactKind.ticketCancelled as number, TicketStatus.cancelled],
  ]);
  return ends.get(kind) ?? before;
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
  const [approver, actor] = [keyOf(detail.approver, fact), keyOf(fact.fact.actor, fact)];
  const isMoot = kind === FactKind.approvalCancelled && detail.sourceDecision === Decision.peerResponded;
  const decision = isMoot ? Decision.peerResponded : (DECISIONS.get(kind) ?? Decision.requested);
  // Without an id of its own a row is known by its approver; who decided is one, where nobody else is named.
  const row = detail.id !== '' ? detail.id : `${detail.level} ${(approver ?? actor)?.text ?? ''}`;
  const given: ApprovalState = {
    level: detail.level,
    rule: detail.rule,
    quorum: detail.quorum,
    approver,
    decidedBy: decision === Decision.requested ? undefined : actor,
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
  const approver = given.approver ?? held.approver;
  const isSomebodyElse = given.decidedBy && held.decidedBy && !given.decidedBy.is(held.decidedBy);
  const row = { ...given, rule, quorum, approver };
  if (given.decision !== held.decision || isSomebodyElse) {
    return row;
  }
  return { ...row, evidence: held.evidence, decidedBy: given.decidedBy ?? held.decidedBy };
}
