// What the tickets say about a change, as it is reported.

import type { Entity } from './entity.js';
import { named } from './fact.js';
import type { Judged } from './judge.js';
import type { Ref } from './messages.js';
import type { Names } from './names.js';
import type { Answer } from './question.js';
import { totalOf } from './score.js';
import type { ApprovalState } from './state.js';
import { shown } from './time.js';
import type { Rule, Verdict } from './verdict.js';
import { DECISION_NAMES, FACT_KIND_NAMES } from './words.js';

/** A change, the verdict on it, and each ticket that has a part in that. What does not apply is left out. */
export type ChangeOf = Readonly<{
  record: bigint;
  fact: number;
  kind: string;
  happened: string;
  subject?: string;
  subjectName?: string;
  object?: string;
  objectName?: string;
  verdict: Verdict;
  /** How the tickets were found, where there are any. */
  rule?: Rule;
  /** By how many points the ticket that was chosen is better than the next. */
  margin: number;
  tickets: readonly TicketOf[];
}>;

/** What one ticket says. */
export type TicketOf = Readonly<{
  ticket: string;
  verdict: Verdict;
  points?: number;
  selfApproved: boolean;
  orderOnSourcesWord: boolean;
  approvals: readonly ApprovalOf[];
  records: readonly bigint[];
}>;

/** One approver's part. */
export type ApprovalOf = Readonly<{
  level: number;
  approver: string;
  approverName: string;
  decision: string;
  at: string;
  record: bigint;
}>;

export function changeOfAnswer({ change, found }: Extract<Answer, { about: 'change' }>, names: Names): ChangeOf {
  const { fact, source, evidence } = change;
  const first = (reference: Ref | undefined) => (reference ? named(reference, source)[0] : undefined);
  const [subject, object] = [first(fact.subject), first(fact.object)];
  return {
    record: evidence.index,
    fact: evidence.fact,
    kind: FACT_KIND_NAMES[fact.kind - 1] ?? '',
    happened: shown(evidence.occurredAt),
    ...(subject && { subject: subject.text }),
    ...nameOf(subject, 'subjectName', names),
    ...(object && { object: object.text }),
    ...nameOf(object, 'objectName', names),
    verdict: found?.verdict ?? 'not a change',
    ...(found && found.tickets.length > 0 && { rule: found.rule }),
    margin: found?.margin ?? 0,
    tickets: (found?.tickets ?? []).map((judged) => ticketOf(judged, names)),
  };
}

function nameOf(entity: Entity | undefined, as: 'subjectName' | 'objectName', names: Names): Partial<ChangeOf> {
  const name = entity ? names.of(entity) : '';
  return name === '' ? {} : { [as]: name };
}

function ticketOf(judged: Judged, names: Names): TicketOf {
  const { ticket, verdict, score, selfApproved, orderOnSourcesWord, approvals, records } = judged;
  return {
    ticket: ticket.text,
    verdict,
    ...(score && { points: totalOf(score) }),
    selfApproved,
    orderOnSourcesWord,
    approvals: approvals.map((row) => approvalOf(row, names)),
    records,
  };
}

function approvalOf({ level, approver, decision, evidence }: ApprovalState, names: Names): ApprovalOf {
  return {
    level,
    approver: approver?.text ?? '',
    approverName: approver ? names.of(approver) : '',
    decision: DECISION_NAMES[decision] ?? '',
    at: shown(evidence.occurredAt),
    record: evidence.index,
  };
}
