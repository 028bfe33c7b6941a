// What the approvals say about a change.
//
// Owns the gathering of what is judged: who the change is about, and the tickets that might cover it. It judges no ticket, and
// prefers none of several.

import { type Aliases, aliasesOf, sharedRecords } from './aliases.js';
import { deciderOf } from './approval.js';
import { fromBinary, order } from './bytes.js';
import type { Correlations } from './correlation.js';
import { Entity } from './entity.js';
import { named } from './fact.js';
import { type Candidate, type Change, changeOf, isBackfill, judge, type Judgement } from './link.js';
import { People } from './people.js';
import type { Recorded } from './recorded.js';
import type { FactAt } from './replay.js';
import { type Score, scoreOf } from './score.js';
import { type ApprovalState, sorted, type TicketState } from './state.js';
import { TicketHistory } from './ticket.js';
import type { Moment } from './time.js';
import { choose, type Chosen, isAboutIt, type Rule, type Verdict } from './verdict.js';
import { Decision, DELIVERY_BACKFILL } from './words.js';

/** A ticket, and what it says about the change. */
export type Judged = Readonly<{
  ticket: Entity;
  verdict: Verdict;
  orderOnSourcesWord: boolean;
  /** Somebody approved it who stands for the one whose access changed, or for its beneficiary. */
  selfApproved: boolean;
  /** How well it fits, where the change does not name it. */
  score: Score | undefined;
  /** What its approvers did, as the verdict found it. */
  approvals: readonly ApprovalState[];
  /** The records that it rests on, ascending. */
  records: readonly bigint[];
}>;

/** The tickets that may cover a change, how they were found, and what they come to. */
export type Found = Chosen<Judged> & Readonly<{ rule: Rule }>;

/** A ticket as its known records leave it. */
type ReadTicket = Readonly<{ candidate: Candidate; aliases: Aliases; records: readonly bigint[] }>;

export class Judge {
  private readonly peopleAt = new Map<string, People>();

  constructor(
    private readonly recorded: Recorded,
    private readonly correlations: Correlations,
  ) {}

  /** What each ticket that may cover a change says about it: those that it names; where it names none, those that its
   * transaction or request names and that are about it; or else those that fit. */
  judge(fact: FactAt, known: bigint): Found {
    const aliases = this.beneficiary(fact, known);
    const change = changeOf(fact, aliases.entities);
    const explicit = ticketsNamedBy(fact);
    if (explicit.length > 0) {
      const judged = explicit.map((ticket) => this.one(ticket, 'explicit', change, aliases, known) ?? unknown(ticket, fact));
      return foundBy('explicit', judged);
    }
    const correlated = this.all(this.correlations.tickets(this.recorded, known), 'correlation', change, aliases, known);
    const about = correlated.filter(({ verdict }) => isAboutIt(verdict));
    // What does not say for whom or what it is leaves room for one that does.
    if (about.some(({ verdict }) => verdict !== 'approved unspecific')) {
      return foundBy('correlation', about);
    }
    const fitting = this.all(this.ticketsFor(aliases, known), 'window', change, aliases, known);
    return fitting.length === 0 && about.length > 0 ? foundBy('correlation', about) : foundBy('window', fitting);
  }

  /** Everyone whose access the change was about. What an entitlement means is about nobody in particular. */
  private beneficiary({ fact, source, evidence }: FactAt, known: bigint): Aliases {
    const start = fact.subject ? named(fact.subject, source) : [];
    return aliasesOf(start, this.people(evidence.occurredAt, known));
  }

  /** The tickets that may be for somebody, ascending: those for any of the entities that stand for them, and those for an
   * identifier that they once had. */
  private ticketsFor({ entities }: Aliases, known: bigint): Entity[] {
    const tokens = entities.flatMap((entity) => this.recorded.identifiers(entity, known));
    const called = [...new Set(tokens)].map((token) => Entity.identifier(fromBinary(token)));
    const asked = [...entities, ...called.filter((identifier) => !identifier.isAmong(entities))];
    const tickets = asked.flatMap((entity) => this.recorded.requests(entity));
    const byKey = new Map(tickets.map((ticket) => [ticket.key, ticket]));
    return [...byKey.values()].sort((one, other) => order(one.key, other.key));
  }

  private all(tickets: readonly Entity[], rule: Rule, change: Change, aliases: Aliases, known: bigint): Judged[] {
    const judged = tickets.map((ticket) => this.one(ticket, rule, change, aliases, known));
    return judged.filter((one) => one !== undefined);
  }

  /** What one ticket says about a change; none if it says nothing. */
  private one(ticket: Entity, rule: Rule, change: Change, aliases: Aliases, known: bigint): Judged | undefined {
    const read = this.read(ticket, change.fact, known);
    const now = read && judge(rule, change, read.candidate);
    if (!now) {
      return undefined;
    }
    const { history } = read.candidate;
    const records = recordsOf(read, change, aliases);
    return {
      ticket,
      ...this.inOrder(ticket, rule, change, read, now, records),
      selfApproved: isSelfApproved(history.basis, [...aliases.entities, ...read.aliases.entities]),
      score: rule === 'window' ? scoreOf(change, read.candidate) : undefined,
      approvals: sorted(history.basis.approvals),
      records,
    };
  }

  /** An approval counts as one in time only if the records before the change say so too. Where both are of old logs, the
   * order of records says nothing. */
  private inOrder(
    ticket: Entity,
    rule: Rule,
    { fact }: Change,
    read: ReadTicket,
    now: Judgement,
    records: readonly bigint[],
  ): Judgement {
    const before = fact.evidence.place + 1n;
    const isLate = (records.at(-1) ?? 0n) >= before && !now.orderOnSourcesWord;
    if (now.verdict !== 'approved' || !isLate) {
      return now;
    }
    const change = changeOf(fact, this.beneficiary(fact, before).entities);
    const then = this.read(ticket, fact, before);
    const isApproved = then && judge(rule, change, then.candidate)?.verdict === 'approved';
    return isApproved || isBackfill(change, read.candidate) ? now : { ...now, verdict: 'approved recorded late' };
  }

  /** A ticket at the moments that count; none if its known records say nothing about it. */
  private read(ticket: Entity, change: FactAt, known: bigint): ReadTicket | undefined {
    const facts = this.recorded.ticket(ticket, known);
    const history = TicketHistory.of(ticket, facts, change);
    if (!history) {
      return undefined;
    }
    const people = this.people(history.openedAt, known);
    const aliases = aliasesOf(history.approved.beneficiary, people);
    const edited = aliasesOf(history.atChange.beneficiary, people);
    const isBackfill = facts.every(({ record }) => record.provenance?.delivery === DELIVERY_BACKFILL);
    const candidate = { history, beneficiary: aliases.entities, editedBeneficiary: edited.entities, isBackfill };
    return { candidate, aliases, records: facts.map(({ evidence }) => evidence.index) };
  }

  private people(at: Moment, known: bigint): People {
    const key = `${at} ${known}`;
    const people = this.peopleAt.get(key) ?? new People(this.recorded, at, known);
    this.peopleAt.set(key, people);
    return people;
  }
}

function foundBy(rule: Rule, judged: readonly Judged[]): Found {
  return { rule, ...choose(rule, judged) };
}

/** The tickets that the change itself names; one that is named twice in a row, once. */
function ticketsNamedBy({ fact, source }: FactAt): Entity[] {
  const tickets = (fact.correlation?.tickets ?? []).flatMap((ticket) => named(ticket, source));
  return tickets.filter((ticket, at) => !tickets[at - 1]?.is(ticket));
}

/** A ticket that a change names and that is not recorded. */
function unknown(ticket: Entity, { evidence }: FactAt): Judged {
  const nothing = { orderOnSourcesWord: false, selfApproved: false, score: undefined, approvals: [] };
  return { ticket, verdict: 'ticket unknown', ...nothing, records: [evidence.index] };
}

/** It rests on the change, on the ticket, and on whatever makes its beneficiary that of the change. */
function recordsOf({ aliases: own, records }: ReadTicket, { fact }: Change, aliases: Aliases): bigint[] {
  const linked = [...sharedRecords(aliases, own), ...sharedRecords(own, aliases)];
  return [...new Set([...records, fact.evidence.index, ...linked])].sort(order);
}

function isSelfApproved({ approvals }: TicketState, entities: readonly Entity[]): boolean {
  const approved = [...approvals.values()].filter(({ decision }) => decision === Decision.approved);
  return approved.some((row) => deciderOf(row)?.isAmong(entities));
}
