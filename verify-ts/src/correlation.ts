// What several events of a source have in common: a transaction or a request. To the entity that each of them is only those
// records belong that name a ticket as well.

import { hex, order, utf8 } from './bytes.js';
import { Entity } from './entity.js';
import { groupOf, named } from './fact.js';
import { domainHash } from './hash.js';
import type { Fact, Source } from './messages.js';
import type { Recorded } from './recorded.js';
import { type FactAt, factsOfRecord } from './replay.js';

/** The most tickets of one transaction, and the most rows that are looked at for them. */
const TICKETS_MAX = 64;
const ROWS_MAX = 1_024;

/** A transaction or a request: its id, of which of both, and the entity that it is. */
type Shared = Readonly<{ of: 'transaction' | 'request'; id: string; entity: Entity }>;

/** The transaction and the request of a fact, where it has them. */
export class Correlations {
  private constructor(private readonly shared: readonly Shared[]) {}

  static async of({ correlation }: Fact, source: Source): Promise<Correlations> {
    const shared: Shared[] = [];
    for (const of of ['transaction', 'request'] as const) {
      const id = correlation?.[of] ?? '';
      if (id !== '') {
        // An id may be as long as one of an entity: its digest is not.
        const digest = await domainHash('counterfoil/correlation/v1', utf8(`${of}\0${id}`));
        shared.push({ of, id, entity: Entity.correlation(source, hex(digest).slice(0, 32)) });
      }
    }
    return new Correlations(shared);
  }

  /** The tickets that the first `known` records name in one of them, ascending. */
  tickets(recorded: Recorded, known: bigint): Entity[] {
    const found = new Map<string, Entity>();
    for (const one of this.shared) {
      const records = recorded.records(one.entity);
      const rows = records.flatMap((record) => ticketsOf(factsOfRecord(record), one).map((ticket) => ({ record, ticket })));
      for (const { record, ticket } of rows.slice(0, ROWS_MAX)) {
        if (record.index >= known || found.size === TICKETS_MAX) {
          break;
        }
        if (recorded.recordCounts(record, known)) {
          found.set(ticket.key, ticket);
        }
      }
    }
    return ascending(found);
  }
}

/** The tickets that the facts of one record are about, or refer to, in a transaction or a request. */
function ticketsOf(facts: readonly FactAt[], { of, id, entity }: Shared): Entity[] {
  const isOwn = ({ fact, source }: FactAt) => fact.correlation?.[of] === id && entity.isIn(source);
  const tickets = facts.filter(isOwn).flatMap(({ fact, source }) => {
    const isAbout = groupOf(fact.kind) === 'ticket' || groupOf(fact.kind) === 'approval';
    const own = isAbout && fact.object ? [fact.object] : [];
    return [...own, ...(fact.correlation?.tickets ?? [])].flatMap((ticket) => named(ticket, source));
  });
  return ascending(new Map(tickets.map((ticket) => [ticket.key, ticket])));
}

function ascending(entities: ReadonlyMap<string, Entity>): Entity[] {
  return [...entities.values()].sort((one, other) => order(one.key, other.key));
}
