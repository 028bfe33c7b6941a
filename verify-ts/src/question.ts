// The questions that evidence answers, and which histories each needs: those that are asked for while it is answered, and no
// others.

import { ascends } from './bytes.js';
import { Correlations } from './correlation.js';
import { type Covered, coveredBy } from './covered.js';
import { Entity } from './entity.js';
import { changesAccess } from './fact.js';
import type { Histories } from './histories.js';
import { type Found, Judge } from './judge.js';
import type { Manifest, Time } from './messages.js';
import { People } from './people.js';
import { type Period, type Population, populationOf } from './population.js';
import { firstEntityOf } from './record.js';
import { Recorded } from './recorded.js';
import { type Fail, falsified, malformed } from './rejected.js';
import { type FactAt, factsOfRecord } from './replay.js';
import type { State } from './state.js';
import { isTime, LAST, type Moment, momentOf } from './time.js';

/** Entities whose absence one file may show, at most. */
const ENTITIES_MAX = 1_000;

/** What an identity could do, with all that is theirs; that nothing is recorded of some entities; which approval covers a
 * change, which is the fact of that number in that record; or what changed in a period. A moment that is not given is the last
 * one. */
export type Question = Readonly<{ knownAt: Moment | undefined }> &
  (
    | Readonly<{ about: 'state'; entity: Entity; at: Moment | undefined }>
    | Readonly<{ about: 'absence'; entities: readonly Entity[] }>
    | Readonly<{ about: 'change'; record: bigint; fact: number }>
    | Readonly<{ about: 'period'; period: Period }>
  );

/** What the records answer. */
export type Answer =
  | Readonly<{
      about: 'state';
      entity: Entity;
      at: Moment | undefined;
      covered: Covered;
      states: readonly (readonly [Entity, State])[];
    }>
  | Readonly<{ about: 'absence'; entities: readonly Entity[] }>
  | Readonly<{
      about: 'change';
      change: FactAt;
      /** None of a fact that changed no access. */
      found: Found | undefined;
    }>
  | Readonly<{ about: 'period'; period: Period; population: Population }>;

/** The questions of a manifest, which has one. */
export function questionsOf({ state, absence, change, period }: Manifest): object[] {
  return [state, absence, change, period].filter((question) => question !== undefined);
}

/** Reads the question of a manifest that has one. */
export function readQuestion({ state, absence, change, period }: Manifest, fail: Fail): Question {
  const entityOf = (bytes: Uint8Array) => Entity.fromBytes(bytes) ?? fail('the question has something that is no id of an entity');
  const momentAt = (time: Time | undefined) => {
    if (time && !isTime(time)) {
      fail('the question has a time that is none');
    }
    return time && momentOf(time);
  };
  if (state) {
    const [at, knownAt] = [momentAt(state.at), momentAt(state.knownAt)];
    return { about: 'state', entity: entityOf(state.entity), at, knownAt };
  }
  if (change) {
    return { about: 'change', record: change.record, fact: change.fact, knownAt: momentAt(change.knownAt) };
  }
  if (period) {
    const [from, to, knownAt] = [momentAt(period.from), momentAt(period.to), momentAt(period.knownAt)];
    if (from === undefined || to === undefined || from >= to) {
      return fail('expected a period that begins before it ends, got another or none');
    }
    return { about: 'period', period: { from, to }, knownAt };
  }
  const entities = (absence?.entities ?? []).map(entityOf);
  if (entities.length < 1 || entities.length > ENTITIES_MAX || !ascends(entities.map(({ key }) => key))) {
    fail(`expected 1 to ${ENTITIES_MAX} entities in ascending order`);
  }
  return { about: 'absence', entities, knownAt: undefined };
}

/** Answers the question of a file from its histories, all of which it has to need. */
export async function answer(question: Question, histories: Histories, known: bigint): Promise<Answer> {
  const recorded = new Recorded(histories);
  const answer = await answerBy(question, recorded, known);
  const unneeded = histories.all.find(({ entity }) => !recorded.wasAsked(entity));
  if (unneeded) {
    malformed('closure')(`the history of ${unneeded.entity.text} is there, and the question does not need it`);
  }
  if (answer.about === 'absence' && histories.absent < histories.all.length) {
    falsified('closure')('one of those that are said to be absent has records');
  }
  return answer;
}

async function answerBy(question: Question, recorded: Recorded, known: bigint): Promise<Answer> {
  if (question.about === 'change') {
    return aboutChange(question.record, question.fact, recorded, known);
  }
  if (question.about === 'period') {
    const { period } = question;
    return { about: 'period', period, population: populationOf(period, recorded.stretch(), known) };
  }
  if (question.about === 'absence') {
    question.entities.forEach((entity) => recorded.records(entity));
    return question;
  }
  const { entity, at } = question;
  const moment = at ?? LAST;
  const covered = coveredBy(entity, new People(recorded, moment, known));
  const entities = [covered.whose, ...covered.members.map(({ entity }) => entity)];
  const states = entities.map((of) => [of, recorded.state(of, moment, known)] as const);
  return { about: 'state', entity, at, covered, states };
}

async function aboutChange(index: bigint, number: number, recorded: Recorded, known: bigint): Promise<Answer> {
  const record = recorded.record(index);
  const first = firstEntityOf(record);
  if (first) {
    recorded.records(first);
  }
  const change = recorded.recordCounts(record, known) ? factsOfRecord(record)[number] : undefined;
  if (!change) {
    return falsified('closure')('the change that is asked about is not there, or was read again');
  }
  const judge = new Judge(recorded, await Correlations.of(change.fact, change.source));
  return { about: 'change', change, found: changesAccess(change.fact) ? judge.judge(change, known) : undefined };
}
