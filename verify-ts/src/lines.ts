// A state as lines: what is so, since when, and by which record.

import { derive } from './approval.js';
import type { Entity } from './entity.js';
import type { Names } from './names.js';
import { type Evidence, type GrantState, sorted, type State } from './state.js';
import { type Moment, momentOf, shown } from './time.js';
import { AccountStatus, Confidence, CredentialStatus, Decision, FactKind } from './words.js';

/** One thing that is so. What does not apply is left out. */
export type Line = Readonly<{
  what: string;
  /** The entity that it is about, beside the one whose state it is, and what that one is called. */
  of?: string;
  name?: string;
  scope?: string;
  status?: string;
  /** Until when it holds, and that this was over by the moment that was asked about. */
  until?: string;
  lapsed?: boolean;
  conditional?: boolean;
  /** What it is inherited through. */
  through?: string;
  /** No log says so. */
  seenInAListingOnly?: boolean;
  since: string;
  record: bigint;
  fact: number;
}>;

/** Everything that a state says, in a fixed order. */
export function linesOf(state: State, at: Moment | undefined, names: Names): Line[] {
  const { account, ticket, register, lifecycle, version, removed } = state;
  const line = (what: string, evidence: Evidence, of?: Entity, more: More = {}): Line => {
    const about = of && { of: of.text, name: names.of(of) };
    return { what, ...said({ ...about, ...more }), ...placed(evidence) };
  };
  const grant = (what: string) => (held: GrantState) => line(what, held.evidence, held.counterpart, termsOf(held, at));
  return [
    ...(account ? [line('account', account.evidence, undefined, { status: accountStatus(account) })] : []),
    ...sorted(state.grants).map(grant('grant')),
    ...sorted(state.held).map(grant('holds')),
    ...sorted(state.credentials).map(({ credential, status, expiresAt, evidence }) =>
      line('credential', evidence, credential, { status: credentialStatus(status), ...ending(expiresAt, at) }),
    ),
    ...(ticket ? [line('ticket for', ticket.evidence, ticket.beneficiary[0], { status: decision(derive(ticket)?.decision) })] : []),
    ...sorted(state.implies).map(({ implied, scope, evidence }) => line('implies', evidence, implied, { scope })),
    ...sorted(state.owners).map(({ owner, evidence }) => line('owner', evidence, owner)),
    ...(register
      ? [line('register', register.evidence, undefined, { status: register.retired ? 'retired' : 'registered' })]
      : []),
    ...sorted(state.linked).map(({ counterpart, evidence }) => line('linked with', evidence, counterpart)),
    ...(lifecycle ? [line('lifecycle', lifecycle.evidence, undefined, { status: lifecycleStatus(lifecycle.kind) })] : []),
    ...(version ? [line('version', version.evidence, undefined, { status: version.version })] : []),
    ...(removed ? [line('removed', removed)] : []),
  ];
}

type More = { [K in Exclude<keyof Line, 'what' | 'since' | 'record' | 'fact'>]?: Line[K] };

/** What applies of it. */
function said(more: More): Partial<Line> {
  return Object.fromEntries(Object.entries(more).filter(([, value]) => value !== '' && value !== false));
}

function placed({ occurredAt, index, fact }: Evidence): Pick<Line, 'since' | 'record' | 'fact'> {
  return { since: shown(occurredAt), record: index, fact };
}

function termsOf({ scope, grant, inheritedVia, confidence }: GrantState, at: Moment | undefined): More {
  return {
    scope,
    ...ending(grant?.expiresAt && momentOf(grant.expiresAt), at),
    conditional: grant?.conditional ?? false,
    through: inheritedVia?.text ?? '',
    seenInAListingOnly: confidence === Confidence.snapshot,
  };
}

/** An end, and whether that was by the moment that was asked about. */
function ending(until: Moment | undefined, at: Moment | undefined): More {
  return until === undefined ? {} : { until: shown(until), lapsed: at !== undefined && until <= at };
}

function accountStatus({ status, locked }: NonNullable<State['account']>): string {
  const names: ReadonlyMap<number, string> = new Map([
    [AccountStatus.seen, 'seen'],
    [AccountStatus.created, 'created'],
    [AccountStatus.enabled, 'enabled'],
    [AccountStatus.disabled, 'disabled'],
    [AccountStatus.deleted, 'deleted'],
  ]);
  return `${names.get(status)}${locked ? ', locked' : ''}`;
}

function credentialStatus(status: number): string {
  const names: ReadonlyMap<number, string> = new Map([
    [CredentialStatus.active, 'active'],
    [CredentialStatus.disabled, 'disabled'],
    [CredentialStatus.revoked, 'revoked'],
    [CredentialStatus.expired, 'expired'],
  ]);
  return names.get(status) ?? 'seen';
}

function decision(decision: number | undefined): string {
  const names: ReadonlyMap<number | undefined, string> = new Map([
    [undefined, 'no decision'],
    [Decision.approved, 'approved'],
    [Decision.rejected, 'rejected'],
    [Decision.cancelled, 'cancelled'],
    [Decision.expired, 'expired'],
  ]);
  return names.get(decision) ?? 'not decided';
}

function lifecycleStatus(kind: number): string {
  const names: ReadonlyMap<number, string> = new Map([
    [FactKind.lifecycleJoiner, 'joiner'],
    [FactKind.lifecycleMover, 'mover'],
  ]);
  return names.get(kind) ?? 'leaver';
}
