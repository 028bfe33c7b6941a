// What lies beside a record, and the commitment that binds it to the record.

import { u32, utf8 } from './bytes.js';
import { Entity } from './entity.js';
import { domainHash, HASH_BYTES, hmac, type MacKey, macKey } from './hash.js';
import { type Beside, type Sealed, Values as Description, type Values } from './messages.js';
import { read } from './protobuf.js';
import type { Fail } from './rejected.js';

/** The length of a seed and of a salt, in bytes. */
const SALT_BYTES = 32;
/** The number of an envelope. */
const ENVELOPE = 0xffffffff;

/** The commitment to all of it, from the contents that are there and the commitments of those that are gone. */
export async function commitmentTo({ seed, payload, values, envelope }: Beside, fail: Fail): Promise<Uint8Array> {
  if (seed.length !== 0 && seed.length !== SALT_BYTES) {
    fail('its seed is not 32 bytes');
  }
  const key = seed.length === 0 ? undefined : await macKey(seed);
  const parts: (readonly [number, Sealed])[] = [...(payload ? [payload] : []), ...values].map((part, at) => [at, part]);
  if (envelope) {
    parts.push([ENVELOPE, envelope]);
  }
  const commitments: Uint8Array[] = [];
  for (const [number, part] of parts) {
    commitments.push(await partCommitment(key, number, part, fail));
  }
  return domainHash('counterfoil/commitments/v1', u32(parts.length), ...commitments);
}

async function partCommitment(key: MacKey | undefined, number: number, part: Sealed, fail: Fail): Promise<Uint8Array> {
  const { content, commitment } = part;
  const isOpen = commitment.length === 0 && part.salt.length === (key ? 0 : SALT_BYTES);
  const isGone = !key && part.salt.length === 0 && commitment.length === HASH_BYTES && content.length === 0;
  if (isGone) {
    return commitment;
  }
  if (!isOpen) {
    fail(`part ${number} has neither content with a salt nor a commitment`);
  }
  const salt = key ? await hmac(key, utf8('counterfoil/salt/v1\0'), u32(number)) : part.salt;
  return domainHash('counterfoil/commitment/v1', salt, u32(number), content);
}

/** The values of the entities, where they are still there, each with its entity. What is no such message is not read. */
export function valuesIn(beside: Beside): (readonly [Entity, Values['values']])[] {
  return beside.values.flatMap(({ content }) => {
    const values = tryRead(content);
    const entity = values && Entity.fromBytes(values.entity);
    return entity ? [[entity, values.values] as const] : [];
  });
}

class NoValues extends Error {}

function tryRead(content: Uint8Array): Values | undefined {
  try {
    return read(Description, content, () => {
      throw new NoValues();
    });
  } catch (error) {
    if (error instanceof NoValues) {
      return undefined;
    }
    throw error;
  }
}
