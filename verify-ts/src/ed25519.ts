// Ed25519 signatures (RFC 8032), verified by WebCrypto, and what has to be checked besides: that a key is a point of the
// curve, and that neither it nor a signature's first half is one of the few points under which anything verifies.

const P = (1n << 255n) - 19n;

/** The y of the points of small order: two of order 8, the others 1, 2 and 4. */
const SMALL_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;
const SMALL = new Set([0n, 1n, P - 1n, SMALL_Y, P - SMALL_Y]);

/** Whether these 32 bytes are a key that somebody may sign with. */
export function isKey(bytes: Uint8Array): boolean {
  const y = yOf(bytes);
  return !SMALL.has(y) && isOnCurve(y);
}

/** Whether a key made a signature of 64 bytes. */
export async function verifies(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): Promise<boolean> {
  if (signature.length !== 64 || SMALL.has(yOf(signature.subarray(0, 32)))) {
    return false;
  }
  const key = await crypto.subtle.importKey('raw', publicKey as Uint8Array<ArrayBuffer>, 'Ed25519', false, ['verify']);
  const [signed, over] = [signature as Uint8Array<ArrayBuffer>, message as Uint8Array<ArrayBuffer>];
  return crypto.subtle.verify('Ed25519', key, signed, over);
}

/** The y of a point: little-endian, without the bit that says the sign of x. */
function yOf(bytes: Uint8Array): bigint {
  let y = 0n;
  for (let at = 31; at >= 0; at--) {
    y = (y << 8n) | BigInt(bytes[at] ?? 0);
  }
  return (y & ((1n << 255n) - 1n)) % P;
}

/** Whether there is an x with x² = (y² − 1) / (d·y² + 1): the product of both sides of the fraction is a square. */
function isOnCurve(y: bigint): boolean {
  const d = -121665n * power(121666n, P - 2n);
  const square = (y * y) % P;
  const product = ((((square - 1n) * (d * square + 1n)) % P) + P) % P;
  return power(product, (P - 1n) / 2n) <= 1n;
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base % P];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) {
      result = (result * square) % P;
    }
    square = (square * square) % P;
  }
  return result;
}
