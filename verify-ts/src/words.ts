// The numbers of the enums that decide something, and the highest of each enum: a record that has a higher one is none.

export const MAX = {
  factKind: 54,
  outcome: 4,
  confidence: 3,
  precision: 9,
  entityKind: 12,
  identityType: 12,
  grantMode: 2,
  ticketType: 5,
  ticketStatus: 6,
  ticketText: 4,
  decision: 7,
  accessOperation: 2,
  approvalRule: 5,
  completeness: 3,
  reviewDecision: 2,
  policyEffect: 2,
  matchedBy: 1,
  mapping: 4,
  rejectReason: 11,
  gapReason: 4,
  delivery: 2,
  authentication: 7,
} as const;

export const OUTCOME_SUCCESS = 1;
export const Mapping = { mapped: 1, unmapped: 3, incomplete: 4 } as const;
export const COMPLETENESS_COMPLETE = 1;
export const MATCHED_BY_EMAIL = 1;

export const DELIVERY_BACKFILL = 2;

export const Precision = { nanosecond: 1, second: 4, minute: 5, day: 6 } as const;
export const Confidence = { derived: 2, snapshot: 3 } as const;
export const GapReason = { truncated: 2, recreated: 3 } as const;

/** Why a source lost something, as people read it, by the numbers. */
export const GAP_REASON_NAMES: readonly string[] = ['unspecified', 'retention', 'truncated', 'recreated', 'damaged'];


export const Kind = {
  person: 1,
  account: 2,
  credential: 3,
  entitlement: 4,
  ticket: 5,
  integration: 6,
  snapshotScope: 7,
  identifier: 8,
  unresolved: 9,
  source: 10,
  rule: 11,
  correlation: 12,
} as const;

export const FactKind = {
  ticketOpened: 1,
  ticketClosed: 3,
  ticketCancelled: 4,
  approvalRequested: 5,
  approvalGranted: 6,
  approvalRejected: 7,
  approvalCancelled: 8,
  approvalExpired: 9,
  approvalDelegated: 10,
  accountCreated: 11,
  accountEnabled: 12,
  accountDisabled: 13,
  accountLocked: 14,
  accountUnlocked: 15,
  accountDeleted: 16,
  accountUpdated: 17,
  grantAdded: 18,
  grantRemoved: 19,
  grantModified: 20,
  grantExpired: 21,
  entitlementDefined: 22,
  entitlementChanged: 23,
  entitlementRemoved: 24,
  credentialCreated: 25,
  credentialRotated: 26,
  credentialDisabled: 27,
  credentialEnabled: 28,
  credentialRevoked: 29,
  credentialExpired: 30,
  credentialUsed: 31,
  ownerAssigned: 32,
  ownerRemoved: 33,
  purposeDeclared: 34,
  nhiRegistered: 35,
  nhiRetired: 36,
  lifecycleJoiner: 37,
  lifecycleMover: 38,
  lifecycleLeaver: 39,
  snapshotBegin: 40,
  snapshotItem: 41,
  snapshotEnd: 42,
  identifierBound: 43,
  identityLinked: 44,
  identityUnlinked: 53,
  ruleDeclared: 54,
} as const;

/** The kinds of facts as people read them, from the one with the number 1. */
export const FACT_KIND_NAMES: readonly string[] = [
  'ticket opened',
  'ticket updated',
  'ticket closed',
  'ticket cancelled',
  'approval requested',
  'approval granted',
  'approval rejected',
  'approval cancelled',
  'approval expired',
  'approval delegated',
  'account created',
  'account enabled',
  'account disabled',
  'account locked',
  'account unlocked',
  'account deleted',
  'account updated',
  'grant added',
  'grant removed',
  'grant modified',
  'grant expired',
  'entitlement defined',
  'entitlement changed',
  'entitlement removed',
  'credential created',
  'credential rotated',
  'credential disabled',
  'credential enabled',
  'credential revoked',
  'credential expired',
  'credential used',
  'owner assigned',
  'owner removed',
  'purpose declared',
  'nhi registered',
  'nhi retired',
  'lifecycle joiner',
  'lifecycle mover',
  'lifecycle leaver',
  'snapshot begin',
  'snapshot item',
  'snapshot end',
  'identifier bound',
  'identity linked',
  'review opened',
  'review decision',
  'review closed',
  'session assumed',
  'auth event',
  'policy decision',
  'source heartbeat',
  'source audit config changed',
  'identity unlinked',
  'rule declared',
];

export const TicketStatus = { resolved: 3, closed: 4, cancelled: 5 } as const;

export const AccessOperation = { add: 1, remove: 2 } as const;

export const Decision = {
  requested: 1,
  approved: 2,
  rejected: 3,
  cancelled: 4,
  peerResponded: 6,
  expired: 7,
} as const;

/** The decisions as people read them, by their numbers. */
export const DECISION_NAMES: readonly string[] = [
  'unspecified',
  'requested',
  'approved',
  'rejected',
  'cancelled',
  'not requested',
  'peer responded',
  'expired',
];

export const ApprovalRule = { unspecified: 0, any: 1, all: 2, majority: 3, first: 4, quorum: 5 } as const;

export const AccountStatus = { seen: 1, created: 2, enabled: 3, disabled: 4, deleted: 5 } as const;

export const CredentialStatus = { active: 1, disabled: 2, revoked: 3, expired: 4 } as const;
