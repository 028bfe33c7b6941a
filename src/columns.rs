//! The columns of the CSV form: one fixed list for each message that makes a row.
//!
//! Owns their names, their order, and what a cell holds where the JSON form leaves a default out. A list never depends on
//! the answer, and never loses or moves a column: what a message gains comes last in its list, wherever its field stands.

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccessEntry, Affected, Backup, CapableIdentity, CreateBackupResponse, CreateTokenResponse, DeadLetter, Difference,
    EffectiveAccess, EffectiveHolder, Explanation, FsckReport, GetBlastRadiusResponse, GetConsistencyProofResponse,
    GetInclusionProofResponse, GetRecordResponse, GrantExplanation, GrantState, HistoryEntry, ImportSummary,
    IncarnationReport, IntegrationPath, InventoryCount, KeyRetirement, KeyRotation, ListingSummary, NonHumanIdentity,
    Party, ReconciledItem, RedactResponse, RemapResponse, RestoreReport, RetriedDeadLetter, ReversalStep,
    SourceSummary, State, TraceStep,
};
use serde::Serialize;
use serde_json::Value;

/// A message that makes a row.
pub trait Row: Serialize {
    /// Its columns between blanks, each by the path of its field in the JSON form, with its default behind a `=`. A
    /// field that holds a list, or for which the list has no deeper column, is JSON in one cell.
    const COLUMNS: &'static str;
}

impl<T: Row> Row for &T {
    const COLUMNS: &'static str = T::COLUMNS;
}

/// The names of the columns of `R`.
pub fn header<R: Row>() -> impl Iterator<Item = &'static str> {
    R::COLUMNS.split_whitespace().map(|column| column.split_once('=').map_or(column, |(name, _)| name))
}

/// The cells of a row. A field of a message that is there has its default; of one that is not there, nothing.
pub fn cells<R: Row>(row: &R) -> serde_json::Result<Vec<String>> {
    let value = serde_json::to_value(row)?;
    let cell = |column: &str| {
        let (path, default) = column.split_once('=').unwrap_or((column, ""));
        let (parents, field) = path.rsplit_once('.').map_or((None, path), |(parents, field)| (Some(parents), field));
        let mut parents = parents.into_iter().flat_map(|parents| parents.split('.'));
        match parents.try_fold(&value, |value, parent| value.get(parent)) {
            Some(parent) => parent.get(field).map_or_else(|| default.to_owned(), text),
            None => String::new(),
        }
    };
    Ok(R::COLUMNS.split_whitespace().map(cell).collect())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Row for Shared<Party> {
    const COLUMNS: &'static str = "id name login email identityType=IDENTITY_TYPE_UNSPECIFIED";
}

impl Row for State {
    const COLUMNS: &'static str = "\
         entity.id entity.name entity.login entity.email entity.identityType=IDENTITY_TYPE_UNSPECIFIED known=false \
         account.status=ACCOUNT_STATUS_UNSPECIFIED account.locked=false account.reversible=false account.department \
         account.evidence.record=0 account.evidence.fact=0 account.evidence.occurredAt account.evidence.recordedAt \
         account.evidence.authentication=AUTHENTICATION_UNSPECIFIED grants=[] credentials=[] \
         ticket.type=TICKET_TYPE_UNSPECIFIED ticket.status=TICKET_STATUS_UNSPECIFIED ticket.requester.id \
         ticket.requester.name ticket.requester.login ticket.requester.email \
         ticket.requester.identityType=IDENTITY_TYPE_UNSPECIFIED ticket.beneficiary.id ticket.beneficiary.name \
         ticket.beneficiary.login ticket.beneficiary.email ticket.beneficiary.identityType=IDENTITY_TYPE_UNSPECIFIED \
         ticket.assignee.id ticket.assignee.name ticket.assignee.login ticket.assignee.email \
         ticket.assignee.identityType=IDENTITY_TYPE_UNSPECIFIED ticket.items=[] ticket.windowStart ticket.windowEnd \
         ticket.decision=DECISION_UNSPECIFIED ticket.decidedAt ticket.sourceDecision=DECISION_UNSPECIFIED \
         ticket.sourceDecidedAt ticket.approvals=[] ticket.openedAt ticket.evidence.record=0 ticket.evidence.fact=0 \
         ticket.evidence.occurredAt ticket.evidence.recordedAt \
         ticket.evidence.authentication=AUTHENTICATION_UNSPECIFIED implies=[] owners=[] register.registered=false \
         register.retired=false register.purposeDeclared=false register.expiresAt register.rotationIntervalSeconds=0 \
         register.evidence.record=0 register.evidence.fact=0 register.evidence.occurredAt \
         register.evidence.recordedAt register.evidence.authentication=AUTHENTICATION_UNSPECIFIED linked=[] \
         lifecycle.kind=FACT_KIND_UNSPECIFIED lifecycle.effectiveAt lifecycle.evidence.record=0 \
         lifecycle.evidence.fact=0 lifecycle.evidence.occurredAt lifecycle.evidence.recordedAt \
         lifecycle.evidence.authentication=AUTHENTICATION_UNSPECIFIED identifiers=[] removed.record=0 \
         removed.fact=0 removed.occurredAt removed.recordedAt removed.authentication=AUTHENTICATION_UNSPECIFIED \
         sights=[] held=[] implied=[] version versionEvidence.record=0 versionEvidence.fact=0 \
         versionEvidence.occurredAt versionEvidence.recordedAt \
         versionEvidence.authentication=AUTHENTICATION_UNSPECIFIED \
         register.storageDeclared=false register.systems=[] register.operations=[] register.suspectedAt \
         register.retiredAt register.purpose register.storedIn rule.version=0 rule.matchedBy=MATCHED_BY_UNSPECIFIED \
         rule.systems=[] rule.withdrawn=false rule.evidence.record=0 rule.evidence.fact=0 rule.evidence.occurredAt \
         rule.evidence.recordedAt rule.evidence.authentication=AUTHENTICATION_UNSPECIFIED members=[] membersCut=false";
}

impl Row for HistoryEntry {
    const COLUMNS: &'static str = "\
         evidence.record=0 evidence.fact=0 evidence.occurredAt evidence.recordedAt \
         evidence.authentication=AUTHENTICATION_UNSPECIFIED kind=FACT_KIND_UNSPECIFIED outcome=OUTCOME_UNSPECIFIED \
         roles=[] actor.id actor.name actor.login actor.email actor.identityType=IDENTITY_TYPE_UNSPECIFIED via.id \
         via.name via.login via.email via.identityType=IDENTITY_TYPE_UNSPECIFIED subject.id subject.name \
         subject.login subject.email subject.identityType=IDENTITY_TYPE_UNSPECIFIED object.id object.name \
         object.login object.email object.identityType=IDENTITY_TYPE_UNSPECIFIED tickets=[] nativeType source members=[] \
         remapping.connector remapping.connectorVersion=0 remapping.replaces=0";
}

impl Row for Difference {
    const COLUMNS: &'static str = "\
         kind=DIFFERENCE_KIND_UNSPECIFIED what party.id party.name party.login party.email \
         party.identityType=IDENTITY_TYPE_UNSPECIFIED before after evidence.record=0 evidence.fact=0 \
         evidence.occurredAt evidence.recordedAt evidence.authentication=AUTHENTICATION_UNSPECIFIED member.id \
         member.name member.login member.email member.identityType=IDENTITY_TYPE_UNSPECIFIED";
}

impl Row for NonHumanIdentity {
    const COLUMNS: &'static str = "\
         entity.id entity.name entity.login entity.email entity.identityType=IDENTITY_TYPE_UNSPECIFIED \
         register.registered=false register.retired=false register.purposeDeclared=false register.expiresAt \
         register.rotationIntervalSeconds=0 register.evidence.record=0 register.evidence.fact=0 \
         register.evidence.occurredAt register.evidence.recordedAt \
         register.evidence.authentication=AUTHENTICATION_UNSPECIFIED register.storageDeclared=false \
         register.systems=[] register.operations=[] register.suspectedAt register.retiredAt register.purpose \
         register.storedIn owners=[] credential accountStatus=ACCOUNT_STATUS_UNSPECIFIED lastSeen.record=0 \
         lastSeen.fact=0 lastSeen.occurredAt lastSeen.recordedAt \
         lastSeen.authentication=AUTHENTICATION_UNSPECIFIED source gaps=[]";
}

impl Row for IntegrationPath {
    const COLUMNS: &'static str = "\
         source.id source.name source.login source.email source.identityType=IDENTITY_TYPE_UNSPECIFIED credential.id \
         credential.name credential.login credential.email credential.identityType=IDENTITY_TYPE_UNSPECIFIED system \
         instance owners=[] firstSeen.record=0 firstSeen.fact=0 firstSeen.occurredAt firstSeen.recordedAt \
         firstSeen.authentication=AUTHENTICATION_UNSPECIFIED lastSeen.record=0 lastSeen.fact=0 lastSeen.occurredAt \
         lastSeen.recordedAt lastSeen.authentication=AUTHENTICATION_UNSPECIFIED facts=0 cut=false gaps=[]";
}

impl Row for InventoryCount {
    const COLUMNS: &'static str = "part=INVENTORY_PART_UNSPECIFIED system count=0 withoutGap=0 gaps=[]";
}

impl Row for GrantState {
    const COLUMNS: &'static str = "\
         counterpart.id counterpart.name counterpart.login counterpart.email \
         counterpart.identityType=IDENTITY_TYPE_UNSPECIFIED scope expiresAt lapsed=false mode=GRANT_MODE_UNSPECIFIED \
         inheritedVia.id inheritedVia.name inheritedVia.login inheritedVia.email \
         inheritedVia.identityType=IDENTITY_TYPE_UNSPECIFIED conditional=false actor.id actor.name actor.login \
         actor.email actor.identityType=IDENTITY_TYPE_UNSPECIFIED evidence.record=0 evidence.fact=0 \
         evidence.occurredAt evidence.recordedAt evidence.authentication=AUTHENTICATION_UNSPECIFIED \
         confidence=CONFIDENCE_UNSPECIFIED holderStatus=ACCOUNT_STATUS_UNSPECIFIED";
}

impl Row for Explanation {
    const COLUMNS: &'static str = "\
         change.record=0 change.fact=0 change.occurredAt change.recordedAt \
         change.authentication=AUTHENTICATION_UNSPECIFIED eventId kind=FACT_KIND_UNSPECIFIED \
         outcome=OUTCOME_UNSPECIFIED subject.id subject.name subject.login subject.email \
         subject.identityType=IDENTITY_TYPE_UNSPECIFIED object.id object.name object.login object.email \
         object.identityType=IDENTITY_TYPE_UNSPECIFIED executor.id executor.name executor.login executor.email \
         executor.identityType=IDENTITY_TYPE_UNSPECIFIED credential.id credential.name credential.login \
         credential.email credential.identityType=IDENTITY_TYPE_UNSPECIFIED verdict=VERDICT_UNSPECIFIED \
         rule=LINK_RULE_UNSPECIFIED ruleVersion=0 tickets=[] summary orderOnSourcesWord=false beneficiaryCut=false \
         provisional=false ticketsKnownUntil margin=0 \
         verdicts.explained=RULING_UNSPECIFIED verdicts.approved=RULING_UNSPECIFIED \
         verdicts.reversible=RULING_UNSPECIFIED verdicts.explainedBecause verdicts.approvedBecause \
         verdicts.reversibleBecause";
}

impl Row for ReconciledItem {
    const COLUMNS: &'static str = "\
         kind=RECONCILE_KIND_UNSPECIFIED subject.id subject.name subject.login subject.email \
         subject.identityType=IDENTITY_TYPE_UNSPECIFIED object.id object.name object.login object.email \
         object.identityType=IDENTITY_TYPE_UNSPECIFIED scope listing verdict=VERDICT_UNSPECIFIED change.record=0 \
         change.fact=0 change.occurredAt change.recordedAt change.authentication=AUTHENTICATION_UNSPECIFIED until \
         records=[]";
}

impl Row for SourceSummary {
    const COLUMNS: &'static str = "\
         system instance connector events=0 facts=0 unmapped=0 incomplete=0 duplicates=0 conflicts=0 rejected=0 \
         firstOccurredAt lastOccurredAt unmappedTypes=[] objects=[] retried=0";
}

impl Row for DeadLetter {
    const COLUMNS: &'static str =
        "record=0 recordedAt connector channel sequence=0 reason error size=0 content retriedAs=0";
}

impl Row for RetriedDeadLetter {
    const COLUMNS: &'static str = "record=0 events=[] reason error";
}

impl Row for RemapResponse {
    const COLUMNS: &'static str = "\
        connector connectorVersion=0 events=0 same=0 remapped=0 listings=0 removed=0 newer=0 unreadable=0 dryRun=false \
        lookedAt=0 records=0 firstUnreadable.record=0 firstUnreadable.error";
}

impl Row for RedactResponse {
    const COLUMNS: &'static str = "redactions=[] entities=[] records=0 parts=0 dryRun=false";
}

impl Row for CreateBackupResponse {
    const COLUMNS: &'static str = "\
         backup.id=0 backup.createdAt backup.treeSize=0 backup.root backup.checkpoint backup.files=0 backup.bytes=0 \
         backup.holdsRedacted=false copiedFiles=0 copiedBytes=0 mendedFiles=0 removed=[] problems=[]";
}

impl Row for Backup {
    const COLUMNS: &'static str = "id=0 createdAt treeSize=0 root checkpoint files=0 bytes=0 holdsRedacted=false";
}

impl Row for RestoreReport {
    const COLUMNS: &'static str = "\
         basis.origin basis.treeSize=0 basis.root basis.withheld=[] backup=0 opens=false anchored=0 redactions=0 \
         removedParts=0";
}

impl Row for IncarnationReport {
    const COLUMNS: &'static str = "\
         basis.origin basis.treeSize=0 basis.root basis.withheld=[] predecessor left=0 known=0 redactions=0";
}

impl Row for KeyRotation {
    const COLUMNS: &'static str = "basis.origin basis.treeSize=0 basis.root basis.withheld=[] record=0 former key";
}

impl Row for KeyRetirement {
    const COLUMNS: &'static str = "retired";
}

impl Row for ImportSummary {
    const COLUMNS: &'static str =
        "input events=0 facts=0 unmapped=0 incomplete=0 duplicates=0 conflicts=0 rejected=0 resumedDocuments=0";
}

impl Row for ListingSummary {
    const COLUMNS: &'static str = "\
         scope completeness=COMPLETENESS_UNSPECIFIED reason asOf pages=0 count=0 events=0 duplicates=0 rejected=0 facts=0 \
         begin=0 end=0";
}

impl Row for FsckReport {
    const COLUMNS: &'static str = "\
         records=0 bytes=0 root sound=false problem problemRecord basis.origin basis.treeSize=0 basis.root \
         basis.withheld=[] beyondAnchor=0 redacted=0";
}

impl Row for GetRecordResponse {
    const COLUMNS: &'static str = "\
         basis.origin basis.treeSize=0 basis.root basis.withheld=[] leafHash record.format=0 record.index=0 record.prev \
         record.recordedAt.seconds=0 record.recordedAt.nanos=0 record.recordedAt.precision=PRECISION_UNSPECIFIED \
         record.provenance.source.system record.provenance.source.instance record.provenance.source.stream \
         record.provenance.position.channel record.provenance.position.sequence=0 record.provenance.eventId \
         record.provenance.contentDigest record.provenance.connector record.provenance.connectorVersion=0 \
         record.provenance.delivery=DELIVERY_UNSPECIFIED record.provenance.authentication=AUTHENTICATION_UNSPECIFIED \
         record.provenance.assumedZone record.commitment record.origin record.event record.eventConflict \
         record.sourceRejected record.sourceGap payload values=[] recordBytes beside envelope \
         record.provenance.retryOf=0 record.eventRemapped record.seal record.redaction record.keyAnnouncement";
}

impl Row for GetInclusionProofResponse {
    const COLUMNS: &'static str = "basis.origin basis.treeSize=0 basis.root basis.withheld=[] index=0 leafHash path=[] \
         treeSize=0 checkpoint";
}

impl Row for GetConsistencyProofResponse {
    const COLUMNS: &'static str = "basis.origin basis.treeSize=0 basis.root basis.withheld=[] oldSize=0 path=[] \
         treeSize=0 checkpoint";
}

impl Row for AccessEntry {
    const COLUMNS: &'static str = "id name roles=[] audience createdAt expiresAt revokedAt secretSha256 certificate";
}

impl Row for CreateTokenResponse {
    const COLUMNS: &'static str = "entry.id entry.name entry.roles=[] entry.audience entry.createdAt entry.expiresAt \
         entry.revokedAt entry.secretSha256 entry.certificate token";
}

impl Row for EffectiveAccess {
    const COLUMNS: &'static str = "\
         what.id what.name what.login what.email what.identityType=IDENTITY_TYPE_UNSPECIFIED scope \
         mode=GRANT_MODE_UNSPECIFIED conditional=false inherited=false expiresAt paths=[] morePaths=false \
         bounds=[]";
}

impl Row for EffectiveHolder {
    const COLUMNS: &'static str = "\
         holder.party.id holder.party.name holder.party.login holder.party.email \
         holder.party.identityType=IDENTITY_TYPE_UNSPECIFIED holder.status=ACCOUNT_STATUS_UNSPECIFIED \
         holder.locked=false holder.credentialStatus=CREDENTIAL_STATUS_UNSPECIFIED holder.mayAct=false \
         access.what.id access.what.name access.what.login access.what.email \
         access.what.identityType=IDENTITY_TYPE_UNSPECIFIED access.scope access.mode=GRANT_MODE_UNSPECIFIED \
         access.conditional=false access.inherited=false access.expiresAt access.paths=[] access.morePaths=false \
         access.bounds=[]";
}

impl Row for Affected {
    const COLUMNS: &'static str = "\
         kind=AFFECTED_KIND_UNSPECIFIED holder.party.id holder.party.name holder.party.login holder.party.email \
         holder.party.identityType=IDENTITY_TYPE_UNSPECIFIED holder.status=ACCOUNT_STATUS_UNSPECIFIED \
         holder.locked=false holder.credentialStatus=CREDENTIAL_STATUS_UNSPECIFIED holder.mayAct=false \
         access.what.id access.what.name access.what.login access.what.email \
         access.what.identityType=IDENTITY_TYPE_UNSPECIFIED access.scope access.mode=GRANT_MODE_UNSPECIFIED \
         access.conditional=false access.inherited=false access.expiresAt access.paths=[] access.morePaths=false \
         access.bounds=[]";
}

impl Row for CapableIdentity {
    const COLUMNS: &'static str = "\
         identity.party.id identity.party.name identity.party.login identity.party.email \
         identity.party.identityType=IDENTITY_TYPE_UNSPECIFIED identity.status=ACCOUNT_STATUS_UNSPECIFIED \
         identity.locked=false identity.credentialStatus=CREDENTIAL_STATUS_UNSPECIFIED identity.mayAct=false \
         capabilities=[] by=[] credentials=[]";
}

impl Row for GetBlastRadiusResponse {
    const COLUMNS: &'static str = "\
         basis.origin basis.treeSize=0 basis.root basis.withheld=[] moment.at moment.knownAt moment.knownSize=0 \
         entity.id entity.name entity.login entity.email entity.identityType=IDENTITY_TYPE_UNSPECIFIED known=false \
         principals=[] tier=RISK_TIER_UNSPECIFIED tableVersion=0 capabilities=[] systems=[] reached=[] assumed=[] \
         past=[] pastFrom cut=false pastCut=false reachedCount=0";
}

impl Row for TraceStep {
    const COLUMNS: &'static str = "\
         step=TRACE_MOMENT_UNSPECIFIED at missing access=[] records=[]";
}

impl Row for GrantExplanation {
    const COLUMNS: &'static str = "\
         holder.id holder.name holder.login holder.email holder.identityType=IDENTITY_TYPE_UNSPECIFIED entitlement.id \
         entitlement.name entitlement.login entitlement.email entitlement.identityType=IDENTITY_TYPE_UNSPECIFIED scope \
         standing=ACCESS_STANDING_UNSPECIFIED given seen.record=0 seen.fact=0 seen.occurredAt seen.recordedAt \
         seen.authentication=AUTHENTICATION_UNSPECIFIED expiresAt askedUntil removed missing=[] summary";
}

impl Row for ReversalStep {
    const COLUMNS: &'static str = "\
         status=REVERSAL_STATUS_UNSPECIFIED operation=FACT_KIND_UNSPECIFIED subject.id subject.name subject.login \
         subject.email subject.identityType=IDENTITY_TYPE_UNSPECIFIED object.id object.name object.login object.email \
         object.identityType=IDENTITY_TYPE_UNSPECIFIED scope implied.id implied.name implied.login implied.email \
         implied.identityType=IDENTITY_TYPE_UNSPECIFIED expiresAt mode=GRANT_MODE_UNSPECIFIED inheritedVia.id \
         inheritedVia.name inheritedVia.login inheritedVia.email inheritedVia.identityType=IDENTITY_TYPE_UNSPECIFIED \
         conditional=false before after now assumed=false change.record=0 change.fact=0 change.occurredAt \
         change.recordedAt change.authentication=AUTHENTICATION_UNSPECIFIED kind=FACT_KIND_UNSPECIFIED actor.id \
         actor.name actor.login actor.email actor.identityType=IDENTITY_TYPE_UNSPECIFIED via.id via.name via.login \
         via.email via.identityType=IDENTITY_TYPE_UNSPECIFIED because.record=0 because.fact=0 because.occurredAt \
         because.recordedAt because.authentication=AUTHENTICATION_UNSPECIFIED irreversible=IRREVERSIBLE_UNSPECIFIED \
         used.record=0 used.fact=0 used.occurredAt used.recordedAt used.authentication=AUTHENTICATION_UNSPECIFIED \
         summary";
}
