// Logs in which anything happens to few, and questions about each of them.

import { correlationOf, entityOf, EPOCH, Log, type Message, message, Sealed, text, time } from './log.js';

type Draw = (below: number) => number;

/** A reference, and the entities that it names. */
type Named = Readonly<{ bytes: Buffer; entities: readonly string[] }>;

type Fact = Readonly<{ bytes: Buffer; entities: readonly string[] }>;

const TYPES: readonly (readonly [kind: number, name: string, prefix: string])[] = [
  [2, 'account', '00u'],
  [2, 'account', '00u'],
  [2, 'account', '00u'],
  [1, 'person', 'E-'],
  [1, 'person', 'E-'],
  [8, 'identifier', ''],
  [4, 'entitlement', 'group_member/00g'],
  [3, 'credential', 'api_token/00T'],
  [5, 'ticket', 'ticket/'],
  [6, 'integration', '0oa'],
];

const PERSON = 3;
const IDENTIFIER = 5;
const ENTITLEMENT = 6;
const TICKET = 8;

/** The kinds of facts, those that say who is who more often than others. */
const FACT_KINDS = [44, 44, 44, 44, 53, 43, 43, 11, 12, 13, 13, 15, 18, 18, 19, 20, 21, 41, 41, 54];

/** Those of logs in which changes are looked at. */
const CHANGE_KINDS = [1, 1, 2, 2, 3, 4, 5, 6, 6, 6, 7, 8, 18, 18, 18, 18, 19, 20, 11, 13, 23, 44, 43];

/** Those of them that may change access. */
const CHANGING = [11, 13, 18, 19, 20, 23];

export class Arbitrary {
  private readonly log = new Log();
  /** The first records of events, and those of their newest readings, with the sets of these. */
  private readonly events: { first: number; newest: number }[] = [];
  /** The facts that may have changed access. */
  private readonly changes: { record: number; fact: number }[] = [];

  private readonly hasRules: boolean;
  private readonly isOld: boolean;

  constructor(
    private readonly draw: Draw,
    private readonly about: 'state' | 'change' | 'period',
  ) {
    this.hasRules = draw(2) === 0;
    this.isOld = draw(4) === 0;
    for (let count = 10 + draw(50); count > 0; count--) {
      if (this.events.length > 0 && draw(8) === 0) {
        this.remap();
      } else if (this.about === 'period' && draw(4) === 0) {
        this.other();
      } else {
        this.events.push({ first: this.log.size, newest: this.log.size });
        const facts = this.facts();
        this.append(facts, (event) => ({ 8: event }), []);
      }
    }
  }

  /** Makes files until no history is missing: `missing` says of a file whose history it lacks. */
  async evidence(missing: (file: Buffer) => Promise<string | undefined>): Promise<Buffer> {
    const { draw, log } = this;
    const isAll = draw(3) > 0;
    const known = isAll ? log.size : 1 + draw(log.size);
    const knownAt = isAll && draw(2) === 0 ? undefined : time(EPOCH + known - 1);
    const changes = this.about === 'change' ? this.changes.filter(({ record }) => record < known) : [];
    const change = changes[draw(changes.length)];
    const sealed = change
      ? new Sealed(log, { 4: message({ 1: BigInt(change.record), 2: BigInt(change.fact), 3: knownAt }) }, known, { asked: change.record })
      : this.about === 'period'
        ? this.period(known, knownAt)
        : new Sealed(log, { 2: this.stateQuestion(knownAt) }, known);
    for (;;) {
      const file = sealed.evidence();
      const next = await missing(file);
      if (next === undefined || !sealed.add(next)) {
        return file;
      }
    }
  }

  /** A period whose records begin somewhere in the log, by the tolerance of clocks. */
  private period(known: number, knownAt: Buffer | undefined): Sealed {
    const { draw, log } = this;
    const from = draw(log.size + 60);
    const question = message({ 1: time(EPOCH + from), 2: time(EPOCH + from + 1 + draw(60)), 3: knownAt });
    return new Sealed(log, { 9: question }, known, { first: Math.min(Math.max(0, from - 60), known) });
  }

  /** A record that holds no event that gives facts. */
  private other(): void {
    const { draw } = this;
    const earlier = BigInt(1 + draw(this.log.size - 1));
    const removed = message({ 1: earlier, 2: BigInt(this.log.size) - earlier, 3: Buffer.from([0]) });
    const by = entityOf('account:okta:acme:00u1');
    const bodies: readonly Message[] = [
      { 6: Buffer.alloc(32, 9), 10: message({ 1: 3n, 2: 7n }) },
      { 11: message({ 1: 5n, 2: 9n, 3: BigInt(1 + draw(4)) }) },
      { 8: message({ 2: BigInt(3 + draw(2)), 4: 1n }) },
      { 9: message({ 1: earlier }) },
      { 13: message({ 1: [removed], 3: text('erasure'), 4: text('rule'), 5: by }) },
      { 12: message({ 1: Buffer.alloc(32, 8) }) },
    ];
    // Before any record there is none that these could be about.
    const body = bodies[draw(this.log.size > 1 ? bodies.length : 3)] ?? {};
    const mayBeRetry = this.log.size > 1 && (8 in body || 9 in body);
    const provenance = () => this.provenance(mayBeRetry && draw(2) === 0 ? earlier : undefined);
    this.log.append(body, [], 0, 12 in body ? undefined : provenance());
  }

  private stateQuestion(knownAt: Buffer | undefined): Buffer {
    const { draw } = this;
    const about = this.entity([PERSON, IDENTIFIER, draw(TYPES.length)][draw(3)] ?? PERSON).entities[0] ?? '';
    return message({ 1: entityOf(about), 2: draw(4) > 0 ? time(10 + draw(60)) : undefined, 3: knownAt });
  }

  private append(facts: readonly Fact[], body: (event: Buffer) => Message, repeated: readonly string[]): void {
    const event = message({ 1: text('event'), 2: 1n, 4: 1n, 5: facts.map(({ bytes }) => bytes) });
    const entities = [...repeated, ...facts.flatMap((fact) => fact.entities)];
    this.log.append(body(event), entities, facts.length, this.provenance());
  }

  private provenance(retryOf?: bigint): Buffer {
    const place = { 1: text('file/1'), 2: BigInt(this.log.size) };
    const source = message({ 1: text('okta'), 2: text('acme'), 3: text('system-log') });
    const id = { 3: text(`e${this.log.size}`), 4: Buffer.alloc(16, 7), 5: text('okta'), 6: 1n, 7: this.delivery };
    return message({ 1: source, 2: message(place), ...id, 8: 1n + BigInt(this.draw(7)), 10: retryOf });
  }

  /** As it comes, or as a first import. */
  private get delivery(): bigint {
    return this.isOld || this.draw(6) === 0 ? 2n : 1n;
  }

  /** Reads an event again. */
  private remap(): void {
    const event = this.events[this.draw(this.events.length)];
    if (!event) {
      return;
    }
    const repeated = [...(this.log.sets[event.newest] ?? [])];
    const entities = repeated.map(entityOf).sort(Buffer.compare);
    const [first, replaces] = [BigInt(event.first), BigInt(event.newest)];
    const leaf = this.log.leaf(event.newest);
    event.newest = this.log.size;
    this.append(this.facts(), (said) => ({ 15: message({ 1: first, 2: replaces, 3: leaf, 4: entities, 5: said }) }), repeated);
  }

  private facts(): Fact[] {
    return Array.from({ length: 1 + this.draw(3) }, (_, number) => this.fact(number));
  }

  private fact(number: number): Fact {
    const { draw } = this;
    const kinds = this.about === 'state' ? FACT_KINDS : CHANGE_KINDS;
    const isAny = draw(this.about === 'change' ? 8 : 2) === 0;
    const drawn = isAny ? 1 + draw(54) : (kinds[draw(kinds.length)] ?? 1);
    const kind = drawn === 54 && !this.hasRules ? 44 : drawn;
    const isRule = kind === 54;
    const isOfTicket = kind <= 10 && draw(8) > 0;
    if (CHANGING.includes(kind)) {
      this.changes.push({ record: this.log.size, fact: number });
    }
    const isIdentity = kind >= 43 && kind <= 44;
    const isUsual = this.about === 'change' && draw(8) > 0;
    const type = (usual: number) => (isIdentity ? draw(6) : isUsual ? usual : draw(TYPES.length));
    const [actor, subject] = [this.entity(draw(5)), this.entity(type(draw(3)))];
    const isOfPerson = !isRule && !isOfTicket && isIdentity && draw(2) === 0;
    const usual = isOfTicket ? TICKET : isOfPerson ? PERSON : undefined;
    const object = isRule ? this.rule() : this.entity(usual ?? type(ENTITLEMENT));
    const isUnnamed = draw(12) === 0;
    const parties = [actor, ...(isRule || isUnnamed ? [] : [subject]), object];
    const [field, detail, others] = this.detail(kind);
    const correlation = draw(3) === 0 ? this.correlation(kind <= 10) : undefined;
    const begin = this.about === 'period' ? EPOCH : 0;
    const head = { 1: BigInt(kind), 2: time(begin + draw(60)), 3: draw(8) === 0 ? 2n : 1n, 5: 1n + BigInt(draw(isUsual ? 2 : 3)) };
    const bytes = message({
      ...head,
      6: actor.bytes,
      8: parties.includes(subject) ? subject.bytes : undefined,
      9: object.bytes,
      10: draw(4) === 0 ? text('part') : undefined,
      11: correlation?.bytes,
      ...(field > 0 ? { [field]: detail } : {}),
    });
    const unresolved = kind <= 4 && !parties.includes(subject) ? ['unresolved:okta:acme'] : [];
    const declared = isRule ? ['rule:counterfoil:ledger:declared'] : [];
    const named = [...parties, ...others].flatMap(({ entities }) => entities);
    return { bytes, entities: [...named, ...unresolved, ...declared, ...(correlation?.entities ?? [])] };
  }

  /** The field and the message of a detail that goes with a kind of fact, and whom it names. */
  private detail(kind: number): [number, Buffer | undefined, readonly Named[]] {
    const { draw } = this;
    const sometimes = <T>(value: T): T | undefined => (draw(2) === 0 ? value : undefined);
    const other = this.entity(draw(TYPES.length));
    if (kind <= 4) {
      const items = Array.from({ length: draw(3) }, () => this.item());
      const decided = BigInt(draw(3) === 0 ? draw(8) : 0);
      const window = { 6: draw(5) === 0 ? time(draw(60)) : undefined, 7: draw(5) === 0 ? time(draw(90)) : undefined };
      const detail = { 1: 1n, 2: BigInt(draw(7)), 5: items.map(({ bytes }) => bytes), ...window, 8: decided };
      return [13, message(detail), items];
    }
    if (kind <= 10) {
      const [id, approver] = [sometimes(text(`row-${draw(2)}`)), sometimes(other)];
      const rule = { 2: 1n + BigInt(draw(2)), 3: BigInt(draw(6)), 4: BigInt(draw(3)) };
      const detail = message({ 1: id, ...rule, 5: approver?.bytes, 8: BigInt(draw(8)) });
      return [14, detail, approver ? [approver] : []];
    }
    if (kind <= 17) {
      return draw(2) === 0 ? [15, message({ 2: 1n, 3: text('d-1') }), []] : [0, undefined, []];
    }
    if ((kind >= 18 && kind <= 21) || kind === 41) {
      const via = sometimes(other);
      const grant = { 1: sometimes(time(draw(80))), 2: sometimes(1n), 3: via?.bytes, 4: 1n };
      const isListed = kind === 41 && draw(2) === 0;
      return isListed
        ? [20, message({ 1: 1n + BigInt(draw(3)) }), []]
        : draw(2) === 0
          ? [12, message(grant), via ? [via] : []]
          : [0, undefined, []];
    }
    if (kind >= 22 && kind <= 24) {
      const [added, removed] = [other, this.entity(draw(TYPES.length))];
      return [17, message({ 1: sometimes(text(`v${draw(3)}`)), 2: [added.bytes], 3: [removed.bytes] }), [added, removed]];
    }
    if (kind >= 25 && kind <= 31) {
      return draw(2) === 0 ? [16, message({ 1: time(draw(80)) }), []] : [0, undefined, []];
    }
    if (kind >= 32 && kind <= 36) {
      return [18, message({ 1: other.bytes, 4: 1n, 9: sometimes(time(draw(60))) }), [other]];
    }
    if (kind === 54) {
      const systems = [[], [text('okta')], [text('aws'), text('okta')]][draw(3)] as readonly Buffer[];
      return [23, message({ 1: 1n, 2: 1n, 3: systems, 4: BigInt(draw(3) === 0 ? 1 : 0) }), []];
    }
    return [0, undefined, []];
  }

  /** What a ticket asks for: something, or anything of a type. */
  private item(): Named {
    const { draw } = this;
    const target = draw(3) > 0 ? this.entity([ENTITLEMENT, ENTITLEMENT, draw(TYPES.length)][draw(3)] ?? ENTITLEMENT) : undefined;
    const type = text(['okta:group_member', 'okta:account', 'aws:group_member'][draw(3)] ?? '');
    const times = { 4: draw(5) === 0 ? time(draw(60)) : undefined, 5: draw(4) === 0 ? time(draw(90)) : undefined };
    const operation = draw(5) === 0 ? 2n : 1n;
    return { bytes: message({ 1: operation, 2: target?.bytes, 3: type, ...times }), entities: target?.entities ?? [] };
  }

  /** A transaction or a request, or tickets. The first two are entities of a fact that is about a ticket, or names some. */
  private correlation(isOfTicket: boolean): Named {
    const { draw } = this;
    const [transaction, request] = [draw(2) === 0 ? `t${draw(3)}` : '', draw(3) === 0 ? `r${draw(3)}` : ''];
    const isEmpty = transaction === '' && request === '';
    const tickets = Array.from({ length: isEmpty ? 1 : draw(3) === 0 ? 1 + draw(2) : 0 }, () => this.entity(TICKET));
    const shared = [
      ...(transaction === '' ? [] : [correlationOf('transaction', transaction)]),
      ...(request === '' ? [] : [correlationOf('request', request)]),
    ];
    const bytes = message({ 1: text(transaction), 2: text(request), 3: tickets.map((ticket) => ticket.bytes) });
    const named = tickets.flatMap(({ entities }) => entities);
    return { bytes, entities: isOfTicket || tickets.length > 0 ? [...named, ...shared] : named };
  }

  private rule(): Named {
    const id = `rule-${this.draw(2)}`;
    return { bytes: message({ 1: 11n, 4: text(id) }), entities: [`rule:okta:acme:${id}`] };
  }

  /** Somebody of a type, in one of two systems, by an id, by identifiers or by both. */
  private entity(type: number): Named {
    const { draw } = this;
    const [kind, name, prefix] = TYPES[type] ?? [2, 'account', '00u'];
    const isElsewhere = kind !== 8 && draw(4) === 0;
    const place = isElsewhere ? { 2: text('aws'), 3: text('1') } : {};
    const form = kind === 8 ? 2 : kind <= 2 ? draw(3) : 0;
    const id = form < 2 ? `${prefix}${draw(3)}` : '';
    const tokens = form > 0 ? [...new Set([draw(4), ...(draw(4) === 0 ? [draw(4)] : [])])].sort() : [];
    const bytes = message({ 1: BigInt(kind), ...place, 4: text(id), 5: tokens.map((token) => Buffer.alloc(16, token + 1)) });
    const own = id === '' ? [] : [`${name}:${isElsewhere ? 'aws:1' : 'okta:acme'}:${id}`];
    return { bytes, entities: [...own, ...tokens.map((token) => `identifier:${Buffer.alloc(16, token + 1).toString('hex')}`)] };
  }
}
