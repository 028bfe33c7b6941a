// A report as sentences and tables for a terminal. What came from outside is written so that no terminal takes it for a
// command.

import type { ChangeOf } from './change.js';
import type { Line } from './lines.js';
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
