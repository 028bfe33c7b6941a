// The note that says who asked and when, signed by the log's key.

import { toBase64 } from './bytes.js';
import { sha256 } from './hash.js';
import * as note from './note.js';
import type { Policy } from './policy.js';
import { falsified, malformed } from './rejected.js';

const HEADING = 'counterfoil-asked/v1';

/** Who asked, about whom as it was typed, and when by the server's clock: seconds since 1970. */
export type Asked = Readonly<{ at: bigint; by: string; about: string }>;

/** Reads the member, which is empty where nobody signed who asked. */
export async function readAsked(
  member: Uint8Array,
  manifest: Uint8Array,
  cosignatures: Uint8Array,
  origin: string,
  policy: Policy,
): Promise<Asked | undefined> {
  if (member.length === 0) {
    return undefined;
  }
  const [fail, lie] = [malformed('asked'), falsified('asked')];
  const signed = note.parse(member, fail);
  const verified = await note.verify(signed, policy.logs, lie, lie);
  if (!note.hasOneSigner(signed, origin) || !verified.some(({ key }) => key.name === origin)) {
    lie("the log's key has not signed who asked");
  }
  const asked = parse(signed.text) ?? fail('expected the lines at, by, for, manifest, cosignatures');
  const hashes = await Promise.all([manifest, cosignatures].map(async (bytes) => toBase64(await sha256(bytes))));
  return textOf(asked, origin, hashes) === signed.text ? asked : lie('who asked is signed for another file');
}

function textOf({ at, by, about }: Asked, origin: string, [manifest, cosignatures]: readonly string[]): string {
  const who = `at ${at}\nby ${quoted(by)}\nfor ${quoted(about)}\n`;
  return `${HEADING}\n${origin}\n${who}manifest ${manifest}\ncosignatures ${cosignatures}\n`;
}

function parse(text: string): Asked | undefined {
  const [, , at = '', by = '', about = ''] = text.split('\n');
  const [, digits] = /^at ([+-]?[0-9]+)$/.exec(at) ?? [];
  const seconds = BigInt(digits?.replace('+', '') ?? 0);
  const [who, whom] = [unquoted(by, 'by "'), unquoted(about, 'for "')];
  const isWhole = digits !== undefined && seconds === BigInt.asIntN(64, seconds);
  return isWhole && who !== undefined && whom !== undefined ? { at: seconds, by: who, about: whom } : undefined;
}

/** A text on one line: what is no visible ASCII, a backslash or a quotation mark is written as an escape. */
function quoted(text: string): string {
  const escaped = Array.from(text, (char) => {
    const isPlain = char >= ' ' && char <= '~' && char.length === 1;
    return isPlain ? char.replace(/["\\]/, '\\$&') : `\\u{${char.codePointAt(0)?.toString(16)}}`;
  });
  return `"${escaped.join('')}"`;
}

/** What stands on a line behind its beginning, up to the quotation mark at its end. */
function unquoted(line: string, beginning: string): string | undefined {
  if (!line.startsWith(beginning) || !line.endsWith('"') || line.length === beginning.length) {
    return undefined;
  }
  const chars = Array.from(line.slice(beginning.length, -1));
  let plain = '';
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] === '\\' ? chars[++at] : chars[at] === '"' ? undefined : chars[at];
    if (char === 'u' && chars[at - 1] === '\\') {
      const end = chars.indexOf('}', at);
      const code = chars.slice(at + 1, end < 0 ? undefined : end).join('');
      const number = charOf(code.replace(/^\{*/, ''));
      if (number === undefined) {
        return undefined;
      }
      plain += String.fromCodePoint(number);
      at = end < 0 ? chars.length : end;
    } else if (char === undefined) {
      return undefined;
    } else {
      plain += char;
    }
  }
  return plain;
}

function charOf(code: string): number | undefined {
  const number = /^\+?[0-9a-fA-F]+$/.test(code) ? parseInt(code, 16) : NaN;
  const isChar = number <= 0x10ffff && !(number >= 0xd800 && number <= 0xdfff);
  return isChar ? number : undefined;
}
