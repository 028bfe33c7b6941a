// Whether one ticket covers a change.
//
// Owns the match on beneficiary, entitlement and window, and the order of approval and change. It never looks a ticket up, and
// chooses none of several.

import { finalDecision } from './approval.js';
import type { Entity } from './entity.js';
import { groupOf, named, takesAccess } from './fact.js';
import { explicitLimits, hold, type LimitsOf, windowLimits } from './limits.js';
import type { Ref } from './messages.js';
import type { FactAt } from './replay.js';
import type { ItemState, TicketState } from './state.js';
import { isNamedBy, likeness, type Targets, targetsOf } from './targets.js';
import { CLOCK_TOLERANCE_SECONDS, latestMoment, type TicketHistory } from './ticket.js';
import { plusSeconds } from './time.js';
import { isInTime, type Rule, type Verdict } from './verdict.js';
import { AccessOperation, Decision, DELIVERY_BACKFILL, TicketStatus } from './words.js';

/** A change, and who it is about. */
export type Change = Readonly<{
  fact: FactAt;
  /** Every entity that stood for the one whose access changed, when it changed. */
  beneficiary: readonly Entity[];
  /** Whom the fact itself names. */
  subject: readonly Entity[];
  targets: Targets;
}>;

export function changeOf(fact: FactAt, beneficiary: readonly Entity[]): Change {
  const { subject, object } = fact.fact;
  const targets = targetsOf(object, fact.source);
  return { fact, beneficiary, subject: subject ? named(subject, fact.source) : [], targets };
}

/** A ticket, and who it is for. */
export type Candidate = Readonly<{
  history: TicketHistory;
  /** Every entity that stood for the beneficiary of what was approved when the ticket was opened: an identifier may have been
   * given to somebody else since. */
  beneficiary: readonly Entity[];
  /** The same of the ticket as it was edited by the change. */
  editedBeneficiary: readonly Entity[];
  /** All its records are of old logs. */
  isBackfill: boolean;
}>;

/** What one ticket says about a change. On the sources' word: approval and change are both of old logs, among which the order
 * of records says nothing. */
export type Judgement = Readonly<{ verdict: Verdict; orderOnSourcesWord: boolean }>;

/** What a ticket says about a change, found by a rule; none if it says nothing. */
export function judge(rule: Rule, change: Change, candidate: Candidate): Judgement | undefined {
  return rule === 'window' ? judgeFitting(change, candidate) : judgeNamed(change, candidate);
}

/** What a ticket says about a change that names it. The name alone approves nothing: the ticket has to be for the same
 * beneficiary, access and time. One that does not say for whom or what it is cannot show that this was approved. */
function judgeNamed(change: Change, candidate: Candidate): Judgement {
  const { history, beneficiary, editedBeneficiary } = candidate;
  const judgement = judgeDecision(change, candidate);
  const isTimely = isInTime(judgement.verdict);
  const misfit = misfitOf(change, history, history.approved, beneficiary, explicitLimits);
  if (misfit === undefined) {
    return judgement;
  }
  if (misfit === 'approved unspecific') {
    return isTimely ? { ...judgement, verdict: misfit } : judgement;
  }
  const isEdited = isTimely && !misfitOf(change, history, history.atChange, editedBeneficiary, explicitLimits);
  return { verdict: isEdited ? 'edited after approval' : misfit, orderOnSourcesWord: false };
}

/** What a ticket says about a change that does not name it; none if it is for somebody else, for something else, or for
 * another time. */
function judgeFitting(change: Change, candidate: Candidate): Judgement | undefined {
  const { history, beneficiary, editedBeneficiary } = candidate;
  const judgement = judgeDecision(change, candidate);
  if (!misfitOf(change, history, history.approved, beneficiary, windowLimits)) {
    return judgement;
  }
  const isEdited = !misfitOf(change, history, history.atChange, editedBeneficiary, windowLimits);
  const isCovered = isEdited && isInTime(judgement.verdict);
  return isCovered ? { verdict: 'edited after approval', orderOnSourcesWord: false } : undefined;
}

/** Whether all of a change and a ticket is of old logs. */
export function isBackfill({ fact }: Change, candidate: Candidate): boolean {
  return fact.record.provenance?.delivery === DELIVERY_BACKFILL && candidate.isBackfill;
}

/** The order of approval and change, and what the approval came to. */
function judgeDecision(change: Change, candidate: Candidate): Judgement {
  const verdict = decisionOn(change, candidate.history);
  const isDecided = verdict === 'approved' || verdict === 'approved late';
  return { verdict, orderOnSourcesWord: isDecided && isBackfill(change, candidate) };
}

function decisionOn(change: Change, history: TicketHistory): Verdict {
  const { decision, completedBy } = finalDecision(history.basis) ?? {};
  if (history.approvedThen) {
    return 'approved';
  }
  if (history.isKnownThen && history.around.every(({ cancelled }) => cancelled)) {
    return 'rejected';
  }
  if (decision === Decision.approved && completedBy && !isCancelled(change, history)) {
    const isLate = history.isKnownThen || completedBy.occurredAt > latestMoment(change.fact);
    return isLate ? 'approved late' : 'approved';
  }
  const ends: readonly (number | undefined)[] = [
    Decision.approved,
    Decision.rejected,
    Decision.cancelled,
    Decision.expired,
  ];
  const isOver = ends.includes(decision) || history.last.status === TicketStatus.cancelled;
  return isOver ? 'rejected' : 'pending';
}

/** Whether a ticket that was not approved around the change is cancelled; where nothing is known of then, whether it was
 * cancelled before the change. */
function isCancelled({ fact }: Change, { last, isKnownThen }: TicketHistory): boolean {
  const before = plusSeconds(fact.evidence.occurredAt, -CLOCK_TOLERANCE_SECONDS);
  return last.cancelled !== undefined && (isKnownThen || last.cancelled.occurredAt < before);
}

/** Why a version of a ticket does not cover a change; none where it does. */
function misfitOf(
  change: Change,
  history: TicketHistory,
  ticket: TicketState,
  beneficiary: readonly Entity[],
  limitsOf: LimitsOf,
): Verdict | undefined {
  const isAboutSomebody = groupOf(change.fact.fact.kind) !== 'entitlement';
  const isForSomebody = change.beneficiary.length > 0 && beneficiary.length > 0;
  if (isAboutSomebody && isForSomebody && !isSame(change, beneficiary)) {
    return 'other beneficiary';
  }
  const isInLimits = (item: ItemState | undefined) => hold(limitsOf(history, ticket, item), change.fact.evidence.occurredAt);
  switch (standingOf(change, ticket, beneficiary, isInLimits)) {
    case OTHER_TIME:
      return 'out of window';
    case OTHER_ACCESS:
      return 'out of scope';
    default:
      return ticket.items.length === 0 || (isAboutSomebody && !isForSomebody) ? 'approved unspecific' : undefined;
  }
}

/** Whether a ticket is for the one whose access changed. Within one system the accounts decide: an identifier that both share
 * says nothing where it meant another account when the ticket was opened. */
function isSame(change: Change, beneficiary: readonly Entity[]): boolean {
  if (change.subject.some((one) => !one.token && one.isAmong(beneficiary))) {
    return true;
  }
  const places = new Set(beneficiary.filter(({ token }) => !token).map(({ place }) => place));
  const isKnownThere = (one: Entity) => !one.token && places.has(one.place);
  if (change.subject.some(isKnownThere)) {
    return false;
  }
  const isByAccount = change.beneficiary.some(isKnownThere);
  const shared = change.beneficiary.filter((one) => one.isAmong(beneficiary));
  return shared.some((one) => !one.token || !isByAccount);
}

/** What a ticket that is for the right beneficiary says about a change, the better first. */
const COVERED = 0;
const OTHER_TIME = 1;
const OTHER_ACCESS = 2;

/** Whether the ticket asks for what the change did, for the time at which it did so. A ticket that asks for nothing in
 * particular has its own time only. */
function standingOf(
  change: Change,
  ticket: TicketState,
  beneficiary: readonly Entity[],
  isInLimits: (item: ItemState | undefined) => boolean,
): number {
  const inTime = (item: ItemState | undefined) => (isInLimits(item) ? COVERED : OTHER_TIME);
  if (ticket.items.length === 0) {
    return inTime(undefined);
  }
  const { fact, source, evidence } = change.fact;
  const over = (item: ItemState, wanted: number, targets: Targets) => {
    if (!likeness(targets, item)) {
      return OTHER_ACCESS;
    }
    if (item.operation === wanted) {
      return inTime(item);
    }
    // Access that was asked for up to a moment is also approved to be taken away then.
    const isTaken = item.operation === AccessOperation.add && wanted === AccessOperation.remove;
    const isEnd =
      item.until !== undefined && plusSeconds(item.until, -CLOCK_TOLERANCE_SECONDS) <= evidence.occurredAt;
    return isTaken && isEnd ? COVERED : OTHER_ACCESS;
  };
  const best = (wanted: number, targets: Targets) => Math.min(...ticket.items.map((item) => over(item, wanted, targets)));
  const { entitlement } = fact;
  if (!entitlement) {
    return best(takesAccess(fact) ? AccessOperation.remove : AccessOperation.add, change.targets);
  }
  // What an entitlement comes to mean: the ticket is about this entitlement, and asks for all that it gains and loses.
  const isOfItem = ticket.items.some((item) => isNamedBy(change.targets, item));
  const isAboutIt = isOfItem || change.targets.names.some((name) => name.isAmong(beneficiary));
  const changed = (operation: number) => (target: Ref) => best(operation, targetsOf(target, source));
  const gained = entitlement.impliesAdded.map(changed(AccessOperation.add));
  const lost = entitlement.impliesRemoved.map(changed(AccessOperation.remove));
  return isAboutIt && gained.length + lost.length > 0 ? Math.max(...gained, ...lost) : OTHER_ACCESS;
}
