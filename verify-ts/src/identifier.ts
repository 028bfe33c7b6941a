// Identifiers (e-mail addresses, logins, names of entitlements) and the tokens that stand for them in records.

import { utf8 } from './bytes.js';
import { domainHash, hmac, type MacKey, macKey } from './hash.js';

export const TOKEN_BYTES = 16;

export type IdentifierKind = 'login' | 'entitlement';

/** The key of all tokens of one log. */
export class IndexKey {
  private constructor(
    private readonly mac: MacKey,
    /** What record 0 says of it. */
    readonly commitment: Uint8Array,
  ) {}

  static async of(bytes: Uint8Array): Promise<IndexKey> {
    return new IndexKey(await macKey(bytes), await domainHash('counterfoil/index-key/v1', bytes));
  }

  /** The token of an identifier; none where it is empty once trimmed. */
  async token(kind: IdentifierKind, system: string, instance: string, identifier: string): Promise<Uint8Array | undefined> {
    const text = canonical(identifier);
    if (text === '') {
      return undefined;
    }
    const parts = isEmail(text) ? ['email', text] : [kind, system, instance, text];
    const mac = await hmac(this.mac, utf8(parts.join('\0')));
    return mac.subarray(0, TOKEN_BYTES);
  }
}

/** NFKC, trimmed, lower-cased, and NFKC again, since lower-casing can leave a form that is not composed. */
export function canonical(identifier: string): string {
  const trimmed = identifier.normalize('NFKC').replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '');
  return trimmed.toLowerCase().normalize('NFKC');
}

/** Whether a canonical identifier looks like an e-mail address: one '@' with something before it and something after it,
 * and no white space or control character. */
export function isEmail(text: string): boolean {
  return /^[^@\p{White_Space}\p{Cc}]+@[^@\p{White_Space}\p{Cc}]+$/u.test(text);
}
