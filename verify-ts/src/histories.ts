// The histories of a file: that each of them is whole, or that there is none.

import { type Known, placed, type Records } from './records.js';
import { stretchIn } from './stretch.js';
import { Entity } from './entity.js';
import { checkComplete, readProof } from './map.js';
import type { File } from './manifest.js';
import type { Record } from './messages.js';
import { falsified, malformed } from './rejected.js';

/** The history of an entity: the indexes of all its records. */
export type History = Readonly<{ entity: Entity; indexes: readonly bigint[] }>;

/** The histories of a file, ascending by entity. */
export class Histories {
  private readonly byKey: ReadonlyMap<string, History>;

  constructor(
    readonly all: readonly History[],
    private readonly records: Records,
    private readonly known: bigint,
    /** The records that a period needs, in the order of the log. */
    readonly stretch: readonly Record[],
  ) {
    this.byKey = new Map(all.map((history) => [history.entity.key, history]));
  }

  /** How many entities have no record. */
  get absent(): number {
    return this.all.filter(({ indexes }) => indexes.length === 0).length;
  }

  /** The records of an entity that count for the question, in the order of the log. */
  of(entity: Entity): Record[] {
    const history = this.byKey.get(entity.key);
    const lie = falsified('closure');
    const { indexes } = history ?? lie(`the question needs the history of ${entity.text}, which is not there`);
    const records = indexes.filter((index) => index < this.known).map((index) => this.records.whole.get(index));
    return records.filter((record) => record !== undefined);
  }

  /** One record of the file. */
  record(index: bigint): Record {
    return this.records.whole.get(index) ?? falsified('closure')(`record ${index} is not there`);
  }
}

/** Checks each history against the map, and that there is no record that belongs to none. */
export async function checkHistories(file: File, records: Records, known: Known): Promise<Histories> {
  const fail = malformed('histories');
  const isPlaced = placed(file);
  const stretch = stretchIn(records, file);
  const used = new Set([...isPlaced, ...stretch.map(({ index }) => index)]);
  const all: History[] = [];
  for (const { entity: bytes, proof, records: indexes } of file.proofs.histories) {
    const entity = Entity.fromBytes(bytes) ?? fail('a history is of something that is no id of an entity');
    if ((all.at(-1)?.entity.key ?? '') >= entity.key) {
      fail(`the history of ${entity.text} is not in order`);
    }
    const lie = (what: string) => falsified('histories')(`the history of ${entity.text}: ${what}`);
    const read = readProof(proof, fail);
    const links = indexes.map((index) => {
      const leaf = records.leaves.get(index) ?? lie(`record ${index} is missing`);
      if (records.whole.has(index) !== (index < known.size || isPlaced.has(index))) {
        lie(`record ${index} is whole where its hash is enough, or the other way round`);
      }
      used.add(index);
      return [index, leaf] as const;
    });
    await checkComplete(read, known.mapRoot, entity, links, lie);
    all.push({ entity, indexes });
  }
  if (used.size !== records.leaves.size || ![...used].every((index) => records.leaves.has(index))) {
    fail('there are records that belong to no history');
  }
  return new Histories(all, records, known.size, stretch);
}
