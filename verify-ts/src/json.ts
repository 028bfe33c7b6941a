// JSON as people read it, with every digit of a number of 64 bits.

type Json = string | number | bigint | boolean | readonly Json[] | { readonly [name: string]: Json | undefined };

/** A value as text. Members that are not there are left out. */
export function toJson(value: unknown): string {
  return written(value as Json, '\n');
}

function written(value: Json, newline: string): string {
  if (typeof value === 'bigint') {
    return value.toString();
  }
  if (typeof value !== 'object') {
    return JSON.stringify(value);
  }
  const further = `${newline}  `;
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => written(item, further))
    : Object.entries(value).flatMap(([name, item]) =>
        item === undefined ? [] : [`${JSON.stringify(name)}: ${written(item, further)}`],
      );
  const [open, close] = isList ? '[]' : '{}';
  return items.length === 0 ? `${open}${close}` : `${open}${further}${items.join(`,${further}`)}${newline}${close}`;
}
