// A ticket at the moments that count for one change.
//
// Owns which version of a ticket counts: what was approved is what the ticket said when its approval was complete, and whether
// it was approved in time is what its approvals came to when the change happened. What happens to it later can give a late
// approval at best. It never judges a change.

import { finalDecision } from './approval.js';
import type { Entity } from './entity.js';
import { applied, apply, type FactAt } from './replay.js';
import { emptyState, type Evidence, inOrder, type TicketState } from './state.js';
import { type Moment, plusSeconds } from './time.js';
import { Decision, Precision } from './words.js';

/** How far the clocks of two systems may differ before the order of their events counts, in seconds. */
export const CLOCK_TOLERANCE_SECONDS = 60n;

/** How exactly a source says when something happened, in seconds. */
const INEXACT_SECONDS: ReadonlyMap<number | undefined, bigint> = new Map([
  [Precision.day, 24n * 3_600n],
  [Precision.minute, 60n],
  [Precision.second, 1n],
]);

/** The last moment at which a change may have happened: its source may not say it to the second, and the clocks of two
 * systems differ. */
export function latestMoment({ fact, evidence }: FactAt): Moment {
  const inexact = INEXACT_SECONDS.get(fact.occurredAt?.precision) ?? 0n;
  return plusSeconds(evidence.occurredAt, inexact + CLOCK_TOLERANCE_SECONDS);
}

export class TicketHistory {
  private constructor(
    /** As all its known facts leave it. */
    readonly last: TicketState,
    /** At the change; and as much earlier, and as much later, as the clocks of two systems may differ. */
    readonly around: readonly TicketState[],
    /** What was approved; of a ticket that is not, what it asked for at the change. */
    readonly approved: TicketState,
    /** What it asked for when the change happened. */
    readonly atChange: TicketState,
  ) {}

  /** The history of a ticket by its facts, which are in their order; none where none is about it. */
  static of(ticket: Entity, facts: readonly FactAt[], change: FactAt): TicketHistory | undefined {
    const after = (count: number) => applied(ticket, facts.slice(0, count)).ticket;
    const by = (moment: Moment) => after(facts.filter(({ evidence }) => evidence.occurredAt <= moment).length);
    const last = after(facts.length);
    if (!last) {
      return undefined;
    }
    const at = change.evidence.occurredAt;
    const [then, ...others] = [at, plusSeconds(at, -CLOCK_TOLERANCE_SECONDS), latestMoment(change)].map(by);
    const around = [then, ...others].filter((state) => state !== undefined);
    // Where no version of then is recorded, it said what the first version after it says.
    const first = firstVersion(ticket, facts);
    const said = (state: TicketState | undefined) => (state?.isVersioned ? state : first);
    const decision = finalDecision(approvedAmong(around) ?? last);
    const completedBy = decision?.decision === Decision.approved ? decision.completedBy : undefined;
    const atChange = said(then) ?? last;
    const upTo = (last: Evidence) => facts.filter(({ evidence }) => inOrder(evidence, last) <= 0).length;
    const approved = completedBy && said(after(upTo(completedBy)));
    return new TicketHistory(last, around, approved ?? atChange, atChange);
  }

  /** Whether anything is recorded of it around the change. */
  get isKnownThen(): boolean {
    return this.around.length > 0;
  }

  /** The ticket as it was approved around the change, if it was. */
  get approvedThen(): TicketState | undefined {
    return approvedAmong(this.around);
  }

  /** The state that a verdict on its approval rests on: the one approved around the change, or else the last. */
  get basis(): TicketState {
    return this.approvedThen ?? this.last;
  }

  /** When it was opened; where nothing says so, when it was last changed. */
  get openedAt(): Moment {
    return (this.last.opened ?? this.last.evidence).occurredAt;
  }

  /** When the decision fell that counts; where nothing says so, when it was opened. */
  get decidedAt(): Moment {
    return finalDecision(this.basis)?.completedBy?.occurredAt ?? this.openedAt;
  }
}

function approvedAmong(states: readonly TicketState[]): TicketState | undefined {
  return states.find((state) => finalDecision(state)?.decision === Decision.approved && !state.cancelled);
}

/** The ticket as its first version left it. */
function firstVersion(ticket: Entity, facts: readonly FactAt[]): TicketState | undefined {
  const state = emptyState();
  for (const fact of facts) {
    apply(state, ticket, fact);
    if (state.ticket?.isVersioned) {
      return state.ticket;
    }
  }
  return undefined;
}
