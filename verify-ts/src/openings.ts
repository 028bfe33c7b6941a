// The check of what lies beside records: that it is what they commit to, and that the tokens in them are those of the
// identifiers that can be seen.

import { commitmentTo, valuesIn } from './beside.js';
import { equal, hex } from './bytes.js';
import { Entity, placeOf } from './entity.js';
import { references } from './fact.js';
import { canonical, type IndexKey, isEmail } from './identifier.js';
import type { Beside, Openings as Member, Record, Ref, Source } from './messages.js';
import { eventOf, sourceOf } from './record.js';
import type { Records } from './records.js';
import { falsified, malformed } from './rejected.js';
import { Kind } from './words.js';

/** What lies beside the records of a file, as far as it is there. */
export class Opened {
  /** The newest value of each name, by the key of the entity and the name. */
  readonly values = new Map<string, Map<string, string>>();
  /** Tokens that are shown to be those of a value, and those whose value is not there. */
  shown = 0;
  onWord = 0;

  of(entity: Entity): Map<string, string> {
    const values = this.values.get(entity.key) ?? new Map<string, string>();
    this.values.set(entity.key, values);
    return values;
  }
}

/** Checks the openings, each against its record. */
export async function checkOpenings(member: Member, records: Records, indexKey: IndexKey | undefined): Promise<Opened> {
  const besides = await readOpenings(member, records);
  const opened = new Opened();
  for (const [index, record] of records.whole) {
    const beside = besides.get(index);
    const values = new Map<string, readonly string[]>();
    for (const [entity, named] of beside ? valuesIn(beside) : []) {
      values.set(entity.key, named.map(({ value }) => value));
      named.forEach(({ name, value }) => opened.of(entity).set(name, value));
    }
    if (indexKey) {
      // Where a part was removed, nobody can tell which values were in it.
      await checkTokens(record, values, (beside?.seed.length ?? 0) > 0, indexKey, opened);
    }
  }
  return opened;
}

async function readOpenings(member: Member, records: Records): Promise<Map<bigint, Beside>> {
  const besides = new Map<bigint, Beside>();
  let after = -1n;
  for (const { index, beside } of member.openings) {
    const fail = (what: string) => malformed('openings')(`the opening of record ${index}: ${what}`);
    const found = beside ?? fail('it is empty');
    after = index > after ? index : fail('it is not in order');
    const record = records.whole.get(index) ?? fail('the record is not there');
    const commitment = await commitmentTo(found, fail);
    if (!found.payload || !equal(commitment, record.commitment)) {
      falsified('openings')(`what is said to lie beside record ${index} is not what it commits to`);
    }
    besides.set(index, found);
  }
  return besides;
}

/** Compares the tokens of a record with the values beside it. */
async function checkTokens(
  record: Record,
  values: ReadonlyMap<string, readonly string[]>,
  isWhole: boolean,
  indexKey: IndexKey,
  opened: Opened,
): Promise<void> {
  const source = sourceOf(record);
  const named = source ? (eventOf(record)?.facts ?? []).flatMap(references) : [];
  for (const reference of named) {
    for (const token of reference.tokens) {
      if (await isShown(reference, source as Source, token, values, indexKey)) {
        opened.shown += 1;
      } else if (isWhole) {
        falsified('tokens')(`record ${record.index} has the token ${hex(token)}, which is that of no value beside it`);
      } else {
        opened.onWord += 1;
      }
    }
  }
}

/** Whether one of the values of whom a reference names has a token. */
async function isShown(
  reference: Ref,
  source: Source,
  token: Uint8Array,
  values: ReadonlyMap<string, readonly string[]>,
  indexKey: IndexKey,
): Promise<boolean> {
  const own = Entity.of(reference, source) ?? Entity.identifier(token);
  const kind = reference.kind === Kind.entitlement ? 'entitlement' : 'login';
  const { system, instance } = placeOf(reference, source);
  for (const value of values.get(own.key) ?? []) {
    const found = await indexKey.token(kind, system, instance, value);
    if (found && equal(found, token)) {
      return true;
    }
  }
  return false;
}

/** The address that was asked for, where one of these entities is its identifier: then it is known whom that stands for. */
export async function nameAsked(
  about: string,
  entities: readonly Entity[],
  indexKey: IndexKey,
  opened: Opened,
): Promise<void> {
  const token = isEmail(canonical(about)) ? await indexKey.token('login', '', '', about) : undefined;
  const identifier = token && Entity.identifier(token);
  if (identifier && entities.some((entity) => entity.is(identifier))) {
    const values = opened.of(identifier);
    values.set('email', values.get('email') ?? about);
  }
}
