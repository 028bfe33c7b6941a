// A log that is kept by nobody: records, the tree over them, the entity map, and evidence from it. Just enough to have files
// that verify, in the order of docs/formats.md and without any code of the verifier.

import { createHash, createPrivateKey, sign } from 'node:crypto';

import { type Field, messageOf, varint } from './fields.js';
import { memberField, type Members, written } from './mended.js';

/** Fields by their numbers; what is not there, or has its default value, is left out. */
export type Message = Readonly<Record<number, bigint | Buffer | readonly Buffer[] | undefined>>;

export function message(fields: Message): Buffer {
  const all = Object.entries(fields).flatMap(([number, value]): Field[] => {
    const values = value === undefined ? [] : Array.isArray(value) ? (value as Buffer[]) : [value as bigint | Buffer];
    const isThere = (one: bigint | Buffer) => Array.isArray(value) || one !== 0n;
    return values.filter(isThere).map((one) => ({ number: Number(number), value: one }));
  });
  return messageOf(all);
}

export function text(text: string): Buffer | undefined {
  return text === '' ? undefined : Buffer.from(text);
}

/** A time of whole seconds; the precision is that of seconds, or of nanoseconds. */
export function time(seconds: number, precision = 4n): Buffer {
  return message({ 1: BigInt(seconds) * 2n, 3: precision });
}

const KINDS = ['', 'person', 'account', 'credential', 'entitlement', 'ticket', 'integration', 'snapshot_scope'];

/** The binary form of an entity that is given in text form. */
export function entityOf(id: string): Buffer {
  const [kind = '', system = '', instance = '', ...rest] = id.split(':');
  if (kind === 'identifier') {
    return Buffer.concat([Buffer.from([8, 0, 0, 16]), Buffer.from(system, 'hex')]);
  }
  const number = { unresolved: 9, rule: 11, correlation: 12 }[kind] ?? KINDS.indexOf(kind);
  const parts = [system, instance, rest.join(':')].map((part) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part)]));
  return Buffer.concat([Buffer.from([number]), ...parts]);
}

/** What a transaction or a request of the source of all records is. */
export function correlationOf(what: 'transaction' | 'request', id: string): string {
  return `correlation:okta:acme:${domain('counterfoil/correlation/v1', Buffer.from(`${what}\0${id}`)).toString('hex', 0, 16)}`;
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function domain(name: string, ...parts: readonly Buffer[]): Buffer {
  return sha256(Buffer.from(`${name}\0`), ...parts);
}

function packed(numbers: readonly number[]): Buffer {
  return Buffer.concat(numbers.map((number) => varint(BigInt(number))));
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

const ORIGIN = 'example.com/auditledger';
const PRIVATE = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 1)]),
  format: 'der',
  type: 'pkcs8',
});
/** The key of the seed above, as in the vectors. */
const LOG = `${ORIGIN}+ff8e8a15+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c`;

export const POLICY = `log ${LOG}\nquorum none\n`;

/** When record 0 was recorded; each other one comes a second after the one before. */
export const EPOCH = 1_772_000_000;

type Chain = Readonly<{ key: Buffer; count: number; head: Buffer }>;

export class Log {
  readonly records: Buffer[] = [];
  /** The entities of each record, and how many facts it has. */
  readonly sets: (readonly string[])[] = [];
  readonly facts: number[] = [];

  constructor() {
    const commitment = domain('counterfoil/index-key/v1', Buffer.alloc(32, 5));
    this.append({ 7: message({ 1: text(ORIGIN), 2: commitment }) }, []);
  }

  get size(): number {
    return this.records.length;
  }

  /** The leaf hash of a record. */
  leaf(index: number): Buffer {
    return sha256(Buffer.from([0]), this.records[index] ?? Buffer.alloc(0));
  }

  /** Appends a record with this body, which belongs to these entities and has so many facts. */
  append(body: Message, entities: readonly string[], facts = 0, provenance?: Buffer): void {
    const index = this.size;
    const prev = index === 0 ? domain('counterfoil/origin/v1', Buffer.from(ORIGIN)) : this.leaf(index - 1);
    const head = { 1: 1n, 2: BigInt(index), 3: prev, 4: time(EPOCH + index, 1n), 5: provenance };
    this.records.push(message({ ...head, ...body }));
    this.sets.push([...new Set(entities)]);
    this.facts.push(facts);
  }
}

/** A log that ends with a seal over all before, and a question by the first `known` records, which may be about the record
 * `asked`, or about all from the record `first` on: evidence of that, with any histories. */
export class Sealed {
  private readonly chains: readonly Chain[];
  private readonly covered: number;
  private readonly leaves: readonly Buffer[];
  private readonly placed: readonly number[];
  private readonly inclusions: readonly Buffer[];
  private readonly histories = new Map<string, History>();
  private readonly first: number;

  constructor(
    private readonly log: Log,
    private readonly question: Message,
    private readonly known: number,
    { asked, first }: Readonly<{ asked?: number; first?: number }> = {},
  ) {
    this.first = first ?? known;
    this.chains = chainsOf(log);
    this.covered = log.size;
    log.append({ 12: message({ 1: rootOf(this.chains) }) }, []);
    this.leaves = log.records.map((_, index) => log.leaf(index));
    const ends = [known, ...(first === undefined ? [] : [first])];
    const sides = ends.flatMap((end) => (end > 0 ? [end - 1, end] : [end]));
    this.placed = inOrder([0, ...(asked === undefined ? [] : [asked]), ...sides, this.covered]);
    const path = (index: number) => message({ 1: BigInt(index), 2: Buffer.concat(pathOf(index, this.leaves)) });
    this.inclusions = this.placed.map(path);
  }

  /** Takes the history of an entity, and says whether it was not there yet. */
  add(entity: string): boolean {
    const isNew = !this.histories.has(entity);
    const bytes = entityOf(entity);
    const indexes = this.log.sets.flatMap((set, index) => (set.includes(entity) ? [index] : []));
    const records = indexes.length === 0 ? undefined : packed(indexes);
    this.histories.set(entity, { bytes, indexes, proof: message({ 1: bytes, 2: proofOf(this.chains, bytes), 3: records }) });
    return isNew;
  }

  /** The first record of a period, in the basis of a question about one. */
  private get begin(): bigint | undefined {
    return 9 in this.question ? BigInt(this.first) : undefined;
  }

  /** The file. */
  evidence(): Buffer {
    const { log, leaves } = this;
    const histories = [...this.histories.values()].sort((one, other) => Buffer.compare(one.bytes, other.bytes));
    const stretch = Array.from({ length: this.known - this.first }, (_, number) => this.first + number);
    const used = inOrder([...this.placed, ...stretch, ...histories.flatMap(({ indexes }) => indexes)]);
    const isWhole = (index: number) => index < this.known || this.placed.includes(index);
    const whole = used.filter(isWhole);
    const elided = used.filter((index) => !isWhole(index));
    const root = treeOf(leaves);
    const present = histories.filter(({ indexes }) => indexes.length > 0).length;
    const totals = message({
      1: BigInt(present),
      2: BigInt(histories.length - present),
      3: BigInt(whole.length),
      4: BigInt(elided.length),
      5: BigInt(whole.reduce((count, index) => count + (log.facts[index] ?? 0), 0)),
    });
    const hashed: Members = new Map([
      ['checkpoint', checkpoint(leaves.length, root)],
      ['records', message({
        1: whole.map((index) => log.records[index] ?? Buffer.alloc(0)),
        2: elided.map((index) => message({ 1: BigInt(index), 2: leaves[index] })),
      })],
      ['proofs', message({ 1: this.inclusions, 2: histories.map(({ proof }) => proof) })],
      ['openings', Buffer.alloc(0)],
    ]);
    const size = BigInt(leaves.length);
    const basis = message({ 1: text(ORIGIN), 2: size, 3: root, 4: BigInt(this.covered), 5: BigInt(this.known), 6: this.begin });
    const stated = [...hashed].map(([name, content]) => memberField(name, content));
    const manifest = message({ 1: 1n, ...this.question, 5: basis, 6: totals, 8: stated });
    const none = Buffer.alloc(0);
    return written(new Map([['manifest', manifest], ...hashed, ['cosignatures', none], ['asked', none]]));
  }
}

type History = Readonly<{ bytes: Buffer; indexes: readonly number[]; proof: Buffer }>;

function inOrder(indexes: readonly number[]): number[] {
  return [...new Set(indexes)].sort((one, other) => one - other);
}

/** The chains of all entities, by their keys. */
function chainsOf(log: Log): Chain[] {
  const chains = new Map<string, Chain>();
  for (const [index, entities] of log.sets.entries()) {
    for (const entity of entities) {
      const before = chains.get(entity);
      const head = domain('counterfoil/entity/v1', before?.head ?? Buffer.alloc(32), u64(index), log.leaf(index));
      chains.set(entity, { key: keyOf(entityOf(entity)), count: (before?.count ?? 0) + 1, head });
    }
  }
  return [...chains.values()].sort((one, other) => Buffer.compare(one.key, other.key));
}

function keyOf(entity: Buffer): Buffer {
  return domain('counterfoil/map-key/v1', entity);
}

function bit(key: Buffer, position: number): number {
  return ((key[position >> 3] ?? 0) >> (7 - (position & 7))) & 1;
}

/** The first bit in which these keys, which are sorted, do not all agree. */
function parting(chains: readonly Chain[]): number {
  const [first, last] = [chains[0]?.key ?? Buffer.alloc(32), chains.at(-1)?.key ?? Buffer.alloc(32)];
  let position = 0;
  while (position < 255 && bit(first, position) === bit(last, position)) {
    position += 1;
  }
  return position;
}

/** The root of the map over these. */
function rootOf(chains: readonly Chain[]): Buffer {
  const [first] = chains;
  if (!first) {
    return domain('counterfoil/map-empty/v1');
  }
  if (chains.length === 1) {
    return domain('counterfoil/map-leaf/v1', first.key, u64(first.count), first.head);
  }
  const [at, sides] = sidesOf(chains);
  return domain('counterfoil/map-branch/v1', Buffer.from([at]), ...sides.map(rootOf));
}

function sidesOf(chains: readonly Chain[]): [number, [readonly Chain[], readonly Chain[]]] {
  const at = parting(chains);
  return [at, [chains.filter(({ key }) => bit(key, at) === 0), chains.filter(({ key }) => bit(key, at) === 1)]];
}

/** What the map says of an entity. */
function proofOf(all: readonly Chain[], entity: Buffer): Buffer {
  const key = keyOf(entity);
  const [bits, siblings]: [number[], Buffer[]] = [[], []];
  let chains = all;
  while (chains.length > 1) {
    const [at, [zero, one]] = sidesOf(chains);
    bits.push(at);
    siblings.push(rootOf(bit(key, at) === 0 ? one : zero));
    chains = bit(key, at) === 0 ? zero : one;
  }
  const [end] = chains;
  const path = bits.length > 0 ? { 1: Buffer.from(bits), 2: Buffer.concat(siblings) } : {};
  const leaf = end && { 3: end.key.equals(key) ? undefined : end.key, 4: BigInt(end.count), 5: end.head };
  return message({ ...path, ...leaf });
}

/** The root of the tree over these leaves (RFC 6962). */
function treeOf(leaves: readonly Buffer[]): Buffer {
  const [first = sha256()] = leaves;
  if (leaves.length < 2) {
    return first;
  }
  const middle = half(leaves.length);
  return sha256(Buffer.from([1]), treeOf(leaves.slice(0, middle)), treeOf(leaves.slice(middle)));
}

function pathOf(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length < 2) {
    return [];
  }
  const middle = half(leaves.length);
  return index < middle
    ? [...pathOf(index, leaves.slice(0, middle)), treeOf(leaves.slice(middle))]
    : [...pathOf(index - middle, leaves.slice(middle)), treeOf(leaves.slice(0, middle))];
}

function half(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}

/** The signed head. */
function checkpoint(size: number, root: Buffer): Buffer {
  const head = `${ORIGIN}\n${size}\n${root.toString('base64')}\n`;
  const signature = Buffer.concat([Buffer.from('ff8e8a15', 'hex'), sign(null, Buffer.from(head), PRIVATE)]);
  return Buffer.from(`${head}\n\u2014 ${ORIGIN} ${signature.toString('base64')}\n`);
}
