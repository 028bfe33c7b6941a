// The messages that are read, described once: `proto/counterfoil/v1/*.proto` without their comments. What is not read is
// not here.

import type { Of } from './protobuf.js';

export const Time = { seconds: [1, 'sint64'], nanos: [2, 'uint32'], precision: [3, 'enum'] } as const;
export type Time = Of<typeof Time>;

export const Ref = {
  kind: [1, 'enum'],
  system: [2, 'string'],
  instance: [3, 'string'],
  id: [4, 'string'],
  tokens: [5, 'bytes', 'repeated'],
  identityType: [6, 'enum'],
} as const;
export type Ref = Of<typeof Ref>;

const Correlation = {
  transaction: [1, 'string'],
  request: [2, 'string'],
  tickets: [3, Ref, 'repeated'],
} as const;

const Grant = {
  expiresAt: [1, Time],
  mode: [2, 'enum'],
  inheritedVia: [3, Ref],
  conditional: [4, 'bool'],
} as const;
export type Grant = Of<typeof Grant>;

const AccessItem = {
  operation: [1, 'enum'],
  target: [2, Ref],
  targetType: [3, 'string'],
  from: [4, Time],
  until: [5, Time],
} as const;

const Ticket = {
  type: [1, 'enum'],
  status: [2, 'enum'],
  requester: [3, Ref],
  assignee: [4, Ref],
  items: [5, AccessItem, 'repeated'],
  windowStart: [6, Time],
  windowEnd: [7, Time],
  sourceDecision: [8, 'enum'],
  texts: [9, 'enum', 'repeated'],
} as const;
export type Ticket = Of<typeof Ticket>;

const Approval = {
  id: [1, 'string'],
  level: [2, 'uint32'],
  rule: [3, 'enum'],
  quorum: [4, 'uint32'],
  approver: [5, Ref],
  askedBy: [6, Ref],
  delegate: [7, Ref],
  sourceDecision: [8, 'enum'],
} as const;
export type Approval = Of<typeof Approval>;

const Account = {
  changed: [1, 'string', 'repeated'],
  reversible: [2, 'bool'],
  department: [3, 'string'],
  manager: [4, Ref],
} as const;
export type Account = Of<typeof Account>;

const Credential = { expiresAt: [1, Time], lastUsedAt: [2, Time], rotationIntervalSeconds: [3, 'uint64'] } as const;
export type Credential = Of<typeof Credential>;

const Entitlement = {
  version: [1, 'string'],
  impliesAdded: [2, Ref, 'repeated'],
  impliesRemoved: [3, Ref, 'repeated'],
} as const;
export type Entitlement = Of<typeof Entitlement>;

const Ownership = {
  owner: [1, Ref],
  expiresAt: [2, Time],
  rotationIntervalSeconds: [3, 'uint64'],
  purposeDeclared: [4, 'bool'],
  storageDeclared: [5, 'bool'],
  systems: [6, 'string', 'repeated'],
  operations: [7, 'string', 'repeated'],
  suspectedAt: [8, Time],
  retiredAt: [9, Time],
} as const;
export type Ownership = Of<typeof Ownership>;

const Lifecycle = { effectiveAt: [1, Time], department: [2, 'string'] } as const;
export type Lifecycle = Of<typeof Lifecycle>;

const Snapshot = { completeness: [1, 'enum'], asOf: [2, Time], count: [3, 'uint64'], root: [4, 'bytes'] } as const;
export type Snapshot = Of<typeof Snapshot>;

const Review = { decision: [1, 'enum'], reviewer: [2, Ref] } as const;
export type Review = Of<typeof Review>;

const PolicyDecision = { effect: [1, 'enum'], policy: [2, 'string'], policyVersion: [3, 'string'] } as const;
export type PolicyDecision = Of<typeof PolicyDecision>;

const MatchingRule = {
  version: [1, 'uint32'],
  matchedBy: [2, 'enum'],
  systems: [3, 'string', 'repeated'],
  withdrawn: [4, 'bool'],
} as const;
export type MatchingRule = Of<typeof MatchingRule>;

export const Fact = {
  kind: [1, 'enum'],
  occurredAt: [2, Time],
  outcome: [3, 'enum'],
  reason: [4, 'string'],
  confidence: [5, 'enum'],
  actor: [6, Ref],
  via: [7, Ref],
  subject: [8, Ref],
  object: [9, Ref],
  scope: [10, 'string'],
  correlation: [11, Correlation],
  grant: [12, Grant, 'oneof'],
  ticket: [13, Ticket, 'oneof'],
  approval: [14, Approval, 'oneof'],
  account: [15, Account, 'oneof'],
  credential: [16, Credential, 'oneof'],
  entitlement: [17, Entitlement, 'oneof'],
  ownership: [18, Ownership, 'oneof'],
  lifecycle: [19, Lifecycle, 'oneof'],
  snapshot: [20, Snapshot, 'oneof'],
  review: [21, Review, 'oneof'],
  policyDecision: [22, PolicyDecision, 'oneof'],
  matchingRule: [23, MatchingRule, 'oneof'],
} as const;
export type Fact = Of<typeof Fact>;

const Source = { system: [1, 'string'], instance: [2, 'string'], stream: [3, 'string'] } as const;
export type Source = Of<typeof Source>;

const Position = { channel: [1, 'string'], sequence: [2, 'uint64'] } as const;

const Provenance = {
  source: [1, Source],
  position: [2, Position],
  eventId: [3, 'string'],
  contentDigest: [4, 'bytes'],
  connector: [5, 'string'],
  connectorVersion: [6, 'uint32'],
  delivery: [7, 'enum'],
  authentication: [8, 'enum'],
  assumedZone: [9, 'string'],
  retryOf: [10, 'uint64'],
} as const;
export type Provenance = Of<typeof Provenance>;

const Predecessor = {
  origin: [1, 'string'],
  size: [2, 'uint64'],
  root: [3, 'bytes'],
  firstRecord: [4, 'bytes'],
  knownSize: [5, 'uint64'],
  knownRoot: [6, 'bytes'],
} as const;

const Origin = { origin: [1, 'string'], indexKeyCommitment: [2, 'bytes'], predecessor: [3, Predecessor] } as const;
export type Origin = Of<typeof Origin>;

const Event = {
  nativeType: [1, 'string'],
  mapping: [2, 'enum'],
  part: [3, 'uint32'],
  parts: [4, 'uint32'],
  facts: [5, Fact, 'repeated'],
} as const;
export type Event = Of<typeof Event>;

const EventConflict = { firstIndex: [1, 'uint64'] } as const;

const EventRemapped = {
  firstIndex: [1, 'uint64'],
  replaces: [2, 'uint64'],
  replacesLeaf: [3, 'bytes'],
  entities: [4, 'bytes', 'repeated'],
  event: [5, Event],
} as const;
export type EventRemapped = Of<typeof EventRemapped>;

const SourceRejected = { reason: [1, 'enum'], size: [2, 'uint64'] } as const;

const SourceGap = { from: [1, 'uint64'], to: [2, 'uint64'], reason: [3, 'enum'] } as const;
export type SourceGap = Of<typeof SourceGap>;

const SealedSource = {
  source: [1, Source],
  events: [2, 'uint64'],
  facts: [3, 'uint64'],
  unmapped: [4, 'uint64'],
  duplicates: [5, 'uint64'],
  conflicts: [6, 'uint64'],
  rejected: [7, 'uint64'],
} as const;
export type SealedSource = Of<typeof SealedSource>;

const Seal = {
  mapRoot: [1, 'bytes'],
  sources: [2, SealedSource, 'repeated'],
  next: [3, Position, 'repeated'],
  continued: [4, 'bool'],
} as const;
export type Seal = Of<typeof Seal>;

const RedactedParts = { first: [1, 'uint64'], records: [2, 'uint64'], parts: [3, 'uint32', 'repeated'] } as const;

const Redaction = {
  removed: [1, RedactedParts, 'repeated'],
  entities: [2, 'bytes', 'repeated'],
  reason: [3, 'string'],
  rule: [4, 'string'],
  by: [5, 'bytes'],
  callers: [6, 'string', 'repeated'],
  searched: [7, 'uint64'],
} as const;
export type Redaction = Of<typeof Redaction>;

const KeyAnnouncement = {
  origin: [1, 'string'],
  publicKey: [2, 'bytes'],
  reason: [3, 'string'],
  by: [4, 'bytes'],
  formerKey: [5, 'bytes'],
} as const;
export type KeyAnnouncement = Of<typeof KeyAnnouncement>;

export const Record = {
  format: [1, 'uint32'],
  index: [2, 'uint64'],
  prev: [3, 'bytes'],
  recordedAt: [4, Time],
  provenance: [5, Provenance],
  commitment: [6, 'bytes'],
  origin: [7, Origin, 'oneof'],
  event: [8, Event, 'oneof'],
  eventConflict: [9, EventConflict, 'oneof'],
  sourceRejected: [10, SourceRejected, 'oneof'],
  sourceGap: [11, SourceGap, 'oneof'],
  seal: [12, Seal, 'oneof'],
  redaction: [13, Redaction, 'oneof'],
  keyAnnouncement: [14, KeyAnnouncement, 'oneof'],
  eventRemapped: [15, EventRemapped, 'oneof'],
} as const;
export type Record = Of<typeof Record>;

const Sealed = { content: [1, 'bytes'], salt: [2, 'bytes'], commitment: [3, 'bytes'] } as const;
export type Sealed = Of<typeof Sealed>;

const Beside = {
  seed: [1, 'bytes'],
  payload: [2, Sealed],
  values: [3, Sealed, 'repeated'],
  envelope: [4, Sealed],
} as const;
export type Beside = Of<typeof Beside>;

const Value = { name: [1, 'string'], value: [2, 'string'] } as const;

export const Values = { entity: [1, 'bytes'], values: [2, Value, 'repeated'] } as const;
export type Values = Of<typeof Values>;

export const MapProof = {
  bits: [1, 'bytes'],
  siblings: [2, 'bytes'],
  key: [3, 'bytes'],
  count: [4, 'uint64'],
  head: [5, 'bytes'],
} as const;

const StateQuestion = { entity: [1, 'bytes'], at: [2, Time], knownAt: [3, Time] } as const;

const AbsenceQuestion = { entities: [1, 'bytes', 'repeated'] } as const;

const ChangeQuestion = { record: [1, 'uint64'], fact: [2, 'uint32'], knownAt: [3, Time] } as const;

const PeriodQuestion = { from: [1, Time], to: [2, Time], knownAt: [3, Time] } as const;

const Basis = {
  origin: [1, 'string'],
  size: [2, 'uint64'],
  root: [3, 'bytes'],
  covered: [4, 'uint64'],
  known: [5, 'uint64'],
  first: [6, 'uint64'],
} as const;
export type Basis = Of<typeof Basis>;

const Totals = {
  histories: [1, 'uint64'],
  absent: [2, 'uint64'],
  records: [3, 'uint64'],
  elided: [4, 'uint64'],
  facts: [5, 'uint64'],
  openings: [6, 'uint64'],
} as const;
export type Totals = Of<typeof Totals>;

const Member = { name: [1, 'string'], size: [2, 'uint64'], sha256: [3, 'bytes'] } as const;

export const Manifest = {
  format: [1, 'uint32'],
  state: [2, StateQuestion, 'oneof'],
  absence: [3, AbsenceQuestion, 'oneof'],
  change: [4, ChangeQuestion, 'oneof'],
  basis: [5, Basis],
  totals: [6, Totals],
  sources: [7, SealedSource, 'repeated'],
  members: [8, Member, 'repeated'],
  period: [9, PeriodQuestion],
} as const;
export type Manifest = Of<typeof Manifest>;

const ElidedRecord = { index: [1, 'uint64'], leaf: [2, 'bytes'] } as const;

export const Records = { records: [1, 'bytes', 'repeated'], elided: [2, ElidedRecord, 'repeated'] } as const;
export type Records = Of<typeof Records>;

const InclusionPath = { index: [1, 'uint64'], path: [2, 'bytes'] } as const;
export type InclusionPath = Of<typeof InclusionPath>;

const EntityHistory = { entity: [1, 'bytes'], proof: [2, 'bytes'], records: [3, 'uint64', 'repeated'] } as const;

export const Proofs = { inclusions: [1, InclusionPath, 'repeated'], histories: [2, EntityHistory, 'repeated'] } as const;
export type Proofs = Of<typeof Proofs>;

const Opening = { index: [1, 'uint64'], beside: [2, Beside] } as const;

export const Openings = { openings: [1, Opening, 'repeated'] } as const;
export type Openings = Of<typeof Openings>;
