// Files that were changed by somebody who knows how they are written: sizes, checksums and hashes fit again, and nobody is
// said to have asked.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { fieldsOf, messageOf } from './fields.js';

/** The members of a file by their names, in their order. */
export type Members = Map<string, Buffer>;

/** The members of a good file. */
export function membersOf(file: Buffer): Members {
  const members: Members = new Map();
  for (let at = 0; file.readUInt32LE(at) === 0x04034b50; ) {
    const [size, length] = [file.readUInt32LE(at + 18), file.readUInt16LE(at + 26)];
    const start = at + 30 + length;
    members.set(file.toString('latin1', at + 30, start), file.subarray(start, start + size));
    at = start + size;
  }
  return members;
}

/** A file with one member changed, and all that is said of it in the file. */
export function mended(members: Members, name: string, changed: Buffer): Buffer {
  const manifest = name === 'manifest' ? changed : members.get('manifest');
  const fields = fieldsOf(manifest ?? Buffer.alloc(0)) ?? [];
  const fitting = fields.map((field) => {
    const isOfIt = field.number === MEMBER && Buffer.isBuffer(field.value) && field.value.includes(name);
    return isOfIt ? { number: MEMBER, value: memberField(name, changed) } : field;
  });
  const all: Members = new Map([...members, [name, changed], ['asked', Buffer.alloc(0)]]);
  return written(name === 'manifest' ? all : all.set('manifest', messageOf(fitting)));
}

/** The field of the manifest that says what is in the archive. */
const MEMBER = 8;

/** What the manifest says of a member. */
export function memberField(name: string, content: Buffer): Buffer {
  const size = content.length === 0 ? [] : [{ number: 2, value: BigInt(content.length) }];
  const hash = createHash('sha256').update(content).digest();
  return messageOf([{ number: 1, value: Buffer.from(name) }, ...size, { number: 3, value: hash }]);
}

/** The archive of these members. */
export function written(members: Members): Buffer {
  const [locals, directory]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const [name, content] of members) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(10, 0);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), content]);
    locals.push(local);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x0a\0', 'latin1'), common, place, Buffer.from(name)]));
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.size, 4);
  end.writeUInt16LE(members.size, 6);
  end.writeUInt32LE(entries.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, entries, Buffer.from('PK\x05\x06'), end]);
}
