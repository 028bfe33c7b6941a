// A report as sentences and tables for a terminal. What came from outside is written so that no terminal takes it for a
// command.

import type { ChangeOf } from './change.js';
import type { Line } from './lines.js';
import type { PeriodOf, Row, Who } from './period.js';
import type { Report, StateOf } from './report.js';

export function textOfReport(report: Report): string {
  const { basis, asked } = report;
  const whose = asked ? 'on the word of whoever runs the log' : "on nobody's word";
  const lines = [
    'PROVED',
    report.question,
    `Log ${basis.origin}, ${basis.treeSize} records, root ${basis.root}`,
    ...(asked ? [`Asked at ${asked.at} by "${asked.by}", about "${asked.about}"`] : []),
    '',
    ...report.claims.flatMap(({ claim, restsOn, independent }) => [
      `  ${independent ? '✓' : '·'} ${claim}`,
      `      on the word of: ${restsOn}`,
    ]),
    ...report.states.flatMap(stateLines),
    ...(report.change ? changeLines(report.change) : []),
    ...(report.period ? periodLines(report.period) : []),
    ...report.contested.map((contested) => `! ${contested}`),
    ...(report.sources.length > 0 ? ['', `Sources before the seal, ${whose}:`] : []),
    ...report.sources.map(({ source, ...counts }) => {
      return `  ${source}: ${Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(', ')}`;
    }),
  ];
  return lines.map((line) => `${safe(line)}\n`).join('');
}

function stateLines({ entity, name, steps, lines }: StateOf): string[] {
  const width = Math.max(0, ...lines.map(({ what }) => what.length));
  const table = lines.map((line) => {
    return `  ${line.what.padEnd(width)}  ${valueOf(line)}  since ${line.since}  [record ${line.record}]`;
  });
  const title = name === '' ? entity : `${name}, ${entity}`;
  return ['', title, ...steps.map((step) => `    ${step}`), ...(lines.length > 0 ? table : ['  nothing'])];
}

function changeLines(change: ChangeOf): string[] {
  const called = (id = '', name = '') => (name === '' ? id : `${name} (${id})`);
  const { kind, subject, subjectName, object, objectName, happened, record, fact, rule, verdict, tickets } = change;
  const about = `${kind}: ${called(subject, subjectName)} ${called(object, objectName)}`;
  return [
    '',
    `${about}, ${happened} [record ${record}.${fact}]`,
    rule ? `  ${verdict}, by rule ${rule}` : `  ${verdict}`,
    ...tickets.flatMap(({ ticket, verdict, selfApproved, approvals }) => [
      `  ${ticket}: ${verdict}${selfApproved ? ', approved by themselves' : ''}`,
      ...approvals.map(({ level, approver, approverName, decision, at, record }) => {
        return `    level ${level}: ${approverName === '' ? approver : approverName}, ${decision} ${at}  [record ${record}]`;
      }),
    ]),
  ];
}

function periodLines({ from, to, first, records, facts, kinds, sources, gaps, changes }: PeriodOf): string[] {
  const { total, ...counts } = records;
  const { total: all, ...ofFacts } = facts;
  return [
    '',
    `From ${from} until ${to}: ${changes.length} changes`,
    ...changes.map(rowLine),
    'Drawn from:',
    `  ${total} records read, from number ${first} on: ${listed(counts)}`,
    `  ${all} facts read: ${listed(ofFacts)}`,
    ...kinds.map(({ kind, ...counts }) => `  ${kind}: ${listed(counts)}`),
    ...sources.map(({ source, ...counts }) => `  ${source}: ${listed(counts)}`),
    ...gaps.map(({ record, source, from, to, reason }) => {
      return `! gap of ${source}: positions ${from} to ${to}, ${reason} [record ${record}]`;
    }),
  ];
}

function listed(counts: Readonly<Record<string, number | bigint>>): string {
  const name = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return Object.entries(counts).map(([counted, count]) => `${count} ${name(counted)}`).join(', ');
}

function rowLine({ record, fact, kind, happened, subject, object, actor, scope, tickets, lateSeconds, firstCame, backfill }: Row): string {
  const called = (who: Who | undefined) => (who?.name === undefined ? who?.entity : `${who.name} (${who.entity})`);
  const remarks = [
    scope && `in ${scope}`,
    actor && `by ${called(actor)}`,
    tickets && `names ${tickets.join(', ')}`,
    lateSeconds !== undefined && `recorded ${lateSeconds} s later`,
    firstCame !== undefined && `first came as record ${firstCame}, read again`,
    backfill && 'old logs',
  ];
  const what = [kind, called(subject), called(object)].filter(Boolean).join(' ');
  return `  ${happened}  ${what}, ${remarks.filter(Boolean).join(', ')} [record ${record}.${fact}]`;
}

function valueOf(line: Line): string {
  const of = line.name ? `${line.name} (${line.of})` : (line.of ?? '');
  const parts = [
    line.scope ? `${of} in ${line.scope}` : of,
    line.status,
    line.until && `${line.lapsed ? 'ran out' : 'until'} ${line.until}`,
    line.conditional && 'under conditions',
    line.through && `through ${line.through}`,
    line.seenInAListingOnly && 'seen in a listing only',
  ];
  return parts.filter(Boolean).join(', ');
}

/** A text without control characters, and without those that turn around what stands beside them. */
export function safe(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}
