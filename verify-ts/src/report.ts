// What is proved, sentence by sentence, and on whose word.
//
// Owns the sentences. They say no more than what was checked: what rests on somebody's word names whose.

import type { Attestation } from './attest.js';
import { order, toBase64 } from './bytes.js';
import { changeOfAnswer, type ChangeOf } from './change.js';
import type { Verified } from './evidence.js';
import { type Line, linesOf } from './lines.js';
import type { Record as LogRecord, SealedSource } from './messages.js';
import { Names } from './names.js';
import { periodOfAnswer, type PeriodOf } from './period.js';
import { recordedFrom } from './population.js';
import type { Answer } from './question.js';
import { eventOf } from './record.js';
import { CLOCK_TOLERANCE_SECONDS } from './ticket.js';
import { momentOfSeconds, shown } from './time.js';

/** A sentence, whose word it rests on, and whether that is more than the word of whoever runs the log. */
export type Claim = Readonly<{ claim: string; restsOn: string; independent: boolean }>;

/** The state of an entity, and how one comes to it from whom was asked about. */
export type StateOf = Readonly<{ entity: string; name: string; steps: readonly string[]; lines: readonly Line[] }>;

/** What came from a source. */
export type SourceCounts = Readonly<Omit<SealedSource, 'source'> & { source: string }>;

/** What a file proves. Numbers of 64 bits are `bigint`. */
export type Report = Readonly<{
  /** Whatever is not proved is rejected before. */
  verdict: 'proved';
  question: string;
  basis: Readonly<{
    origin: string;
    treeSize: bigint;
    root: string;
    covered: bigint;
    known: bigint;
    knownAt: string;
  }>;
  claims: readonly Claim[];
  states: readonly StateOf[];
  /** What the tickets say about a change. */
  change?: ChangeOf;
  /** What changed in a period. */
  period?: PeriodOf;
  /** Who else has some of it, by other records. */
  contested: readonly string[];
  /** How many records each entity has. */
  histories: Readonly<Record<string, number>>;
  sources: readonly SourceCounts[];
  /** Who asked, where the log's key has signed that. */
  asked?: Readonly<{ at: string; by: string; about: string }>;
}>;

export function reportOf(verified: Verified): Report {
  const { attested, answer, asked, known, first, histories, sources } = verified;
  const { origin, size, root } = attested.checkpoint;
  const names = new Names(verified.opened);
  const byText = [...histories.all].sort((one, other) => order(one.entity.text, other.entity.text));
  return {
    verdict: 'proved',
    question: questionOf(verified, names),
    basis: {
      origin,
      treeSize: size,
      root: toBase64(root),
      covered: known.covered,
      known: known.size,
      knownAt: known.at === undefined ? '' : shown(known.at),
    },
    claims: claimsOf(verified),
    states: statesOf(verified, names),
    ...(answer.about === 'change' && { change: changeOfAnswer(answer, names) }),
    ...(answer.about === 'period' && { period: periodOfAnswer(answer, first, names) }),
    contested: contestedOf(verified, names),
    histories: Object.fromEntries(byText.map(({ entity, indexes }) => [entity.text, indexes.length])),
    sources: sources.map(countsOf),
    ...(asked && { asked: { ...asked, at: shown(momentOfSeconds(asked.at)) } }),
  };
}

function questionOf({ answer }: Verified, names: Names): string {
  if (answer.about === 'absence') {
    return `Is anything recorded of ${answer.entities.map((entity) => names.shown(entity)).join(', ')}?`;
  }
  if (answer.about === 'change') {
    const { index, fact } = answer.change.evidence;
    return `Which approval covers fact ${fact} of record ${index}?`;
  }
  if (answer.about === 'period') {
    return `What changed from ${shown(answer.period.from)} until ${shown(answer.period.to)}?`;
  }
  const when = answer.at === undefined ? 'by all that is recorded' : `at ${shown(answer.at)}`;
  return `What could ${names.shown(answer.entity)} do ${when}?`;
}

function statesOf({ answer }: Verified, names: Names): StateOf[] {
  if (answer.about !== 'state') {
    return [];
  }
  return answer.states.map(([entity, state]) => {
    const member = answer.covered.members.find((member) => member.entity.is(entity));
    const steps = (member?.steps ?? []).map(({ from, to, record, rule }) => {
      const by = rule ? `, by the rule ${rule.id}` : '';
      return `${names.shown(from)} → ${names.shown(to)} (record ${record}${by})`;
    });
    return { entity: entity.text, name: names.of(entity), steps, lines: linesOf(state, answer.at, names) };
  });
}

function contestedOf({ answer }: Verified, names: Names): string[] {
  if (answer.about !== 'state') {
    return [];
  }
  const { members, isCut } = answer.covered;
  const contested = members.flatMap(({ entity, contestedBy }) =>
    contestedBy.map(({ counterpart, evidence }) => {
      return `${names.shown(entity)} is also said to be that of ${counterpart.text} (record ${evidence.index})`;
    }),
  );
  return isCut ? [...contested, 'more is theirs than was followed'] : contested;
}

function claimsOf(verified: Verified): Claim[] {
  const { attested, answer, asked, known, records, opened, sources } = verified;
  const { checkpoint, witnesses } = attested;
  const operator = `the key of ${checkpoint.origin}`;
  const seen = named(witnesses);
  const hasWitnesses = witnesses.length > 0;
  const first = witnesses.map(({ at }) => at).sort(order)[0];
  const predecessor = records.whole.get(0n)?.origin?.predecessor;
  const claims: Claim[] = [
    {
      claim: `These records are in the log in this order, unchanged since the checkpoint of ${checkpoint.size} records.`,
      restsOn: hasWitnesses
        ? `${operator}, and ${seen}, who show everybody the same log`
        : `${operator} alone: no witness says that others are shown the same log`,
      independent: hasWitnesses,
    },
    first === undefined
      ? {
          claim: 'When they were recorded is what they say themselves.',
          restsOn: `${operator} alone: no witness gives a time`,
          independent: false,
        }
      : {
          claim: `They existed no later than ${shown(momentOfSeconds(first))}.`,
          restsOn: `${seen}; a finer order of times is the word of whoever runs the log`,
          independent: true,
        },
    ...(predecessor
      ? [
          {
            claim: `The first ${predecessor.size} records are those of the log ${predecessor.origin}, which this one goes on from; ${predecessor.knownSize - predecessor.size} more of it are known to be lost.`,
            restsOn: `${operator}: whoever has the whole log can recompute the root that ${predecessor.origin} had`,
            independent: false,
          },
        ]
      : []),
    ...(answer.about === 'period' ? stretchClaims(verified, answer) : [wholeClaim(verified)]),
  ];
  if (answer.about !== 'absence') {
    const were = known.size === 1n ? 'was' : 'were';
    const what = { state: 'state', change: 'verdict', period: 'population' }[answer.about];
    const claim = `The ${what} below follows from these records, as far as ${known.size} of them ${were} known.`;
    claims.push({ claim, restsOn: 'recomputed here', independent: true });
  }
  if (opened.shown + opened.onWord > 0) {
    const claim = `${opened.shown} of the tokens in these records are those of the identifiers beside them.`;
    claims.push({ claim, restsOn: "recomputed here with the policy's key of tokens", independent: true });
  }
  if (opened.onWord > 0) {
    const claim = `${opened.onWord} more tokens stand for identifiers that are not in this file.`;
    claims.push({ claim, restsOn: operator, independent: false });
  }
  claims.push(...gradesOf(records.whole.values()));
  if (!asked && sources.length > 0) {
    const restsOn = "nobody's word: the log's key has not signed who asked for this file";
    claims.push({ claim: 'What came from each source is as this file has it.', restsOn, independent: false });
  }
  return claims;
}

/** That the histories are whole, or that there are none. */
function wholeClaim({ attested, answer, known, histories }: Verified): Claim {
  const { checkpoint, replayers, isReplayed } = attested;
  const claim =
    answer.about === 'absence'
      ? `None of the first ${known.covered} records names any of these.`
      : `The histories are whole: up to record ${known.covered} no record of these ${histories.all.length} entities is left out.`;
  const restsOn = isReplayed
    ? `${named(replayers)}, who recomputed every seal`
    : `the key of ${checkpoint.origin}: whoever has the whole log can refute it, and no quorum of replayers has confirmed it`;
  return { claim, restsOn, independent: isReplayed };
}

/** That nothing is left out of what a period needs, that what happened in it is there, and what it is known to lack. */
function stretchClaims({ attested, known, first }: Verified, { period, population }: PeriodAnswer): Claim[] {
  const { checkpoint, witnesses } = attested;
  const [operator, hasWitnesses] = [`the key of ${checkpoint.origin}`, witnesses.length > 0];
  const from = shown(recordedFrom(period));
  const whole =
    known.size > first
      ? `Of the first ${known.size} records none is left out that was recorded at ${from} or later: ` +
        `these are the numbers ${first} to ${known.size - 1n}.`
      : `None of the first ${known.size} records was recorded at ${from} or later.`;
  const seen = hasWitnesses ? `${operator}, and ${named(witnesses)}` : `${operator} alone`;
  const { gaps, rejected, rejectedReadSince } = population.records;
  const count = (of: 'unmapped' | 'incomplete') => population.sources.reduce((sum, [, counts]) => sum + counts[of], 0);
  return [
    {
      claim: whole,
      restsOn: `${seen}; the times of records are the word of whoever runs the log`,
      independent: hasWitnesses,
    },
    {
      claim:
        'What happened in the period is among these records, as far as it was recorded by then, unless its source\'s clock ' +
        `was more than ${CLOCK_TOLERANCE_SECONDS} seconds ahead.`,
      restsOn: 'the clocks of the log and of its sources',
      independent: false,
    },
    {
      claim:
        `Complete is what was recorded: gaps of sources ${gaps}, rejected documents ${rejected} (read since: ` +
        `${rejectedReadSince}), events of unknown type ${count('unmapped')}, incomplete events ${count('incomplete')}. ` +
        'What a source lost, or never delivered, is in no record.',
      restsOn: 'the sources, and whoever delivered what they said',
      independent: false,
    },
  ];
}

type PeriodAnswer = Extract<Answer, { about: 'period' }>;

const SIGNED = "the source's own signature, which the log says it verified";

/** By how the producer of a record was authenticated. */
const GRADES: readonly string[] = [
  'nobody in particular',
  'a file that an operator brought',
  'whoever holds the secret of a webhook',
  'whoever may write to a topic of Kafka',
  'a client with a token or a certificate',
  SIGNED,
  'whoever has an account on the machine of the log',
  'whoever can reach a broker that asks for no credentials',
];

/** On whose word each record's content is, with how many there are of each kind. */
function gradesOf(records: Iterable<LogRecord>): Claim[] {
  const counts = new Map<string, number>();
  for (const record of [...records].filter(eventOf)) {
    const grade = GRADES[record.provenance?.authentication ?? 0] ?? '';
    counts.set(grade, (counts.get(grade) ?? 0) + 1);
  }
  return [...counts].sort(([one], [other]) => order(one, other)).map(([restsOn, count]) => ({
    claim: `${count === 1 ? '1 record holds' : `${count} records hold`} what the source said.`,
    restsOn,
    independent: restsOn === SIGNED,
  }));
}

function named(attestations: readonly Attestation[]): string {
  return attestations.map(({ by }) => by.name).join(', ');
}

function countsOf({ source, ...counts }: SealedSource): SourceCounts {
  return { source: `${source?.system ?? ''}:${source?.instance ?? ''}:${source?.stream ?? ''}`, ...counts };
}
