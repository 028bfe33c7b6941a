// The time that a ticket is for.

import type { ItemState, TicketState } from './state.js';
import { CLOCK_TOLERANCE_SECONDS, type TicketHistory } from './ticket.js';
import { type Moment, plusSeconds } from './time.js';

/** How long after its decision a ticket without a window of its own covers a change, in seconds: 14 days. */
const WINDOW_SECONDS = 14n * 24n * 3_600n;

export type Limits = Readonly<{ start: Moment | undefined; end: Moment | undefined }>;

/** The limits of a version of a ticket, for one of its items or for none. */
export type LimitsOf = (history: TicketHistory, ticket: TicketState, item: ItemState | undefined) => Limits;

/** What ticket and item say themselves: the narrower one holds. */
function own({ windowStart, windowEnd }: TicketState, item: ItemState | undefined): Limits {
  return { start: pick(windowStart, item?.from, later), end: pick(windowEnd, item?.until, earlier) };
}

type Pick = (one: Moment, other: Moment) => Moment;

const later: Pick = (one, other) => (one > other ? one : other);
const earlier: Pick = (one, other) => (one < other ? one : other);

function pick(one: Moment | undefined, other: Moment | undefined, pick: Pick): Moment | undefined {
  return one !== undefined && other !== undefined ? pick(one, other) : (one ?? other);
}

/** Of a ticket that the change names: its own; one without an end of its own ends 14 days after it was closed. */
export const explicitLimits: LimitsOf = (history, ticket, item) => {
  const { start, end } = own(ticket, item);
  const closed = history.atChange.closed?.occurredAt;
  const stale = closed === undefined ? undefined : plusSeconds(later(closed, history.decidedAt), WINDOW_SECONDS);
  return { start, end: end ?? stale };
};

/** Of a ticket that the change does not name: its own; or else from its opening until 14 days after its decision. */
export const windowLimits: LimitsOf = (history, ticket, item) => {
  const { start, end } = own(ticket, item);
  const covered = plusSeconds(history.decidedAt, WINDOW_SECONDS);
  const isOwn = ticket.windowEnd !== undefined;
  return { start: start ?? history.openedAt, end: isOwn ? end : pick(end, covered, earlier) };
};

/** Whether a moment lies in them, as far as clocks agree. */
export function hold({ start, end }: Limits, moment: Moment): boolean {
  const isBegun = start === undefined || plusSeconds(start, -CLOCK_TOLERANCE_SECONDS) <= moment;
  return isBegun && (end === undefined || moment <= plusSeconds(end, CLOCK_TOLERANCE_SECONDS));
}
