// Moments: nanoseconds since 1970-01-01T00:00:00Z, by whichever clock. It never reads one.

import type { Time } from './messages.js';
import { MAX } from './words.js';

export type Moment = bigint;

const SECOND = 1_000_000_000n;
const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;

/** The first moment there is. */
const FIRST: Moment = SECONDS_MIN * SECOND;

/** The last moment there is. */
export const LAST: Moment = SECONDS_MAX * SECOND + SECOND - 1n;

/** Whether a time lies in year 1 to year 9999 and says its precision. */
export function isTime(time: Time): boolean {
  const isPrecise = time.precision > 0 && time.precision <= MAX.precision;
  return time.seconds >= SECONDS_MIN && time.seconds <= SECONDS_MAX && time.nanos < Number(SECOND) && isPrecise;
}

export function momentOf(time: Time): Moment {
  return time.seconds * SECOND + BigInt(time.nanos);
}

export function momentOfSeconds(seconds: bigint): Moment {
  return seconds * SECOND;
}

/** The second that a moment is in. */
export function secondsOf(moment: Moment): bigint {
  const nanos = ((moment % SECOND) + SECOND) % SECOND;
  return (moment - nanos) / SECOND;
}

/** The moment so many seconds later, within the moments that there are. */
export function plusSeconds(moment: Moment, seconds: bigint): Moment {
  const sum = moment + seconds * SECOND;
  return sum > LAST ? LAST : sum < FIRST ? FIRST : sum;
}

/** The seconds in which every zone of the world has a time of the years -9999 to 9999: outside of them a moment is
 * written as a number. */
const SHOWN_MIN = -377_705_023_201n;
const SHOWN_MAX = 253_402_207_200n;

/** A moment in RFC 3339, with as many digits of a second as it has. */
export function shown(moment: Moment): string {
  const nanos = ((moment % SECOND) + SECOND) % SECOND;
  const seconds = secondsOf(moment);
  if (seconds < SHOWN_MIN || seconds > SHOWN_MAX) {
    return `${seconds} s`;
  }
  const date = new Date(Number(seconds) * 1_000).toISOString().replace(/\.000Z$/, '');
  const fraction = nanos === 0n ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
  return `${date}${fraction}Z`;
}
