//! What an entity's state was, and who held an entitlement.
//!
//! Owns the way from a replayed state to the message for people: names, and what had run out by the moment of the
//! question. It never decides what a fact does, and leaves nothing of the state out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    self, CredentialState, Decider, EntityKind, GetStateResponse, GrantState, ImpliedState, ListHoldersResponse,
    OwnerState, Party, RegisterState, TicketState,
};
use counterfoil_verify::approval::{DecidedBy, decided_by, derive};
use counterfoil_verify::beside;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::kept::Kept;
use counterfoil_verify::state::{self, State};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::answers::Query;
use crate::answers::convert::{evidence, is_lapsed, optional_timestamp, timestamp};
use crate::answers::pages::{Page, Question, occurred_part, recorded_part};
use crate::answers::parties::Parties;
use crate::answers::wanted::WantsHolder;
use crate::error::{QueryError, Result};
use crate::views::segments::HeldGrant;
use crate::views::{histories, nhi, timelines};

/// The holders of a page where nothing else is asked for, and the most of one page.
const PAGE_HOLDERS: usize = 1_000;
const PAGE_HOLDERS_MAX: usize = 10_000;

impl Query<'_> {
    /// What the log says about an entity at a moment.
    pub fn state(&self, entity: &EntityId, at: OccurredAt, known: Option<RecordedAt>) -> Result<GetStateResponse> {
        let size = self.known_size(known)?;
        Ok(GetStateResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            state: Some(self.state_message(entity, at, size)?),
        })
    }

    /// A page of those who held an entitlement at a moment, as far as facts name the holder. Grants that had run out are
    /// marked, and so are accounts that had been deleted.
    ///
    /// # Errors
    /// [`QueryError::NoEntitlement`]; [`QueryError::PageToken`] if the token belongs to another question.
    pub fn holders(
        &self,
        entitlement: &EntityId,
        at: OccurredAt,
        known: Option<RecordedAt>,
        page: &Page,
    ) -> Result<ListHoldersResponse> {
        self.holders_where(entitlement, at, known, "", page)
    }

    /// The same, of those that a filter is true of. A page may hold fewer, and even none: the list goes on for as long as
    /// there is a token.
    ///
    /// # Errors
    /// Those too, and [`QueryError::Filter`].
    pub fn holders_where(
        &self,
        entitlement: &EntityId,
        at: OccurredAt,
        known: Option<RecordedAt>,
        filter: &str,
        page: &Page,
    ) -> Result<ListHoldersResponse> {
        if !matches!(entitlement.kind(), EntityKind::Entitlement | EntityKind::Identifier) {
            return Err(QueryError::NoEntitlement(entitlement.clone()));
        }
        let question = Question::new("holders", &[entitlement.as_bytes(), &recorded_part(known), filter.as_bytes()]);
        let (size, at, after) = match page.read(&question, self.basis.size)? {
            None => (self.known_size(known)?, at, None),
            Some((size, place)) => {
                let (at, after) = read_place(&place).ok_or(QueryError::PageToken("names no place"))?;
                (size, at, Some(after))
            }
        };
        let wants = WantsHolder::new(self, filter, at, size)?;
        let held = timelines::state_at(&self.view, entitlement, at, size)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = held.grants.range::<String, _>((from, Bound::Unbounded));
        // Few of very many may be wanted.
        let looked_at = if wants.wants_all() { page.count(PAGE_HOLDERS, PAGE_HOLDERS_MAX) } else { PAGE_HOLDERS_MAX };
        let parties = self.parties(size);
        // Somebody may hold it in many scopes.
        let mut statuses: Kept<EntityId, i32> = Kept::new();
        let (mut holders, mut last) = (Vec::new(), None);
        for (key, grant) in rest.by_ref().take(looked_at) {
            last = Some(key);
            let mut holder = parties.grant(grant.into(), at)?;
            if let Ok(entity) = grant.counterpart.parse::<EntityId>() {
                let status = || {
                    let account = timelines::state_at(&self.view, &entity, at, size)?.account;
                    Ok::<_, QueryError>(account.map_or(0, |account| account.status))
                };
                holder.holder_status = *statuses.get(&entity, status)?;
            }
            holders.extend(Some(holder).filter(|holder| wants.wants(holder)));
            if holders.len() == page.count(PAGE_HOLDERS, PAGE_HOLDERS_MAX) {
                break;
            }
        }
        let next_page_token = match (rest.next(), last) {
            (Some(_), Some(last)) => question.token(size, &[&occurred_part(at), last.as_bytes()].concat()),
            _ => String::new(),
        };
        Ok(ListHoldersResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            entitlement: Some(parties.party(entitlement)?),
            holders,
            removed: held.removed.as_ref().map(evidence),
            known: histories::is_known(&self.view, entitlement, at, size)?,
            next_page_token,
            ..ListHoldersResponse::default()
        })
    }

    /// The state exactly as `verify::replay` gives it for all records of the entity.
    pub fn replayed(&self, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<State> {
        Ok(timelines::state_kept(&self.view, entity, at, known)?.to_state())
    }

    pub(crate) fn state_message(&self, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<v1::State> {
        let replayed = timelines::state_kept(&self.view, entity, at, known)?;
        let (state, parties) = (replayed.rest(), self.parties(known));
        let mut party = parties.party(entity)?;
        if state.identity_type != 0 && state.identity_type != party.identity_type {
            party.to_mut().identity_type = state.identity_type;
        }
        // A register may know a non-human identity by its login alone.
        let by_login = match state.register.is_none() && nhi::is_non_human(party.identity_type()) {
            true => self.entry_by_login(entity, at, known)?,
            false => None,
        };
        let (bearer, entry) = by_login.as_ref().map_or((entity, state), |(bearer, state)| (bearer, state));
        // Whoever has a state was named by the facts that made it.
        let has_state = *state != State::default() || replayed.grants().next().is_some();
        let is_known = has_state || histories::is_known(&self.view, entity, at, known)?;
        Ok(v1::State {
            entity: Some(party),
            known: is_known,
            account: state.account.as_ref().map(account),
            grants: replayed.grants().map(|held| parties.grant(held, at)).collect::<Result<_>>()?,
            credentials: parties.credentials(&state.credentials, at)?,
            ticket: state.ticket.as_ref().map(|ticket| parties.ticket_message(ticket)).transpose()?,
            implies: parties.all(state.implies.values().map(|one| &one.implied).collect::<BTreeSet<_>>())?,
            implied: state.implies.values().map(|one| parties.implied(one)).collect::<Result<_>>()?,
            held: state.held.values().map(|held| parties.grant(held.into(), at)).collect::<Result<_>>()?,
            version: state.version.as_ref().map(|version| version.version.clone()).unwrap_or_default(),
            version_evidence: state.version.as_ref().map(|version| evidence(&version.evidence)),
            removed: state.removed.as_ref().map(evidence),
            owners: parties.evident(&entry.owners, |owner, evidence| OwnerState { owner, evidence })?,
            register: entry.register.as_ref().map(|held| self.register(bearer, held)).transpose()?,
            linked: parties.links(entity, state)?,
            lifecycle: state.lifecycle.as_ref().map(|step| v1::LifecycleState {
                kind: step.kind,
                effective_at: optional_timestamp(&step.effective_at),
                evidence: Some(evidence(&step.evidence)),
            }),
            identifiers: if is_known { self.identifiers(entity, at, known)? } else { Vec::new() },
            sights: self.sights(entity, &replayed, at, known)?,
            rule: state.rule.as_ref().map(rule),
            members: Vec::new(),
            members_cut: false,
        })
    }

    /// What a register says of an entity, with its texts, which lie beside its records.
    pub(crate) fn register(&self, entity: &EntityId, register: &state::RegisterState) -> Result<RegisterState> {
        let text = |by: &Option<state::Evidence>, name: &str| match by {
            Some(by) if self.shows_names => self.text_beside(RecordIndex(by.index), entity, name),
            _ => Ok(String::new()),
        };
        Ok(RegisterState {
            registered: register.registered,
            retired: register.retired,
            purpose_declared: register.purpose_declared,
            expires_at: optional_timestamp(&register.expires_at),
            rotation_interval_seconds: register.rotation_interval_seconds,
            evidence: Some(evidence(&register.evidence)),
            storage_declared: register.storage_declared,
            systems: register.systems.clone(),
            operations: register.operations.clone(),
            suspected_at: optional_timestamp(&register.suspected_at),
            retired_at: optional_timestamp(&register.retired_at),
            purpose: text(&register.purpose, "purpose")?,
            stored_in: text(&register.entry.filter(|_| register.storage_declared), "stored_in")?,
        })
    }

    /// A text that lies beside a record about an entity; empty where there is none.
    fn text_beside(&self, index: RecordIndex, entity: &EntityId, name: &str) -> Result<String> {
        let beside = self.read_beside(index)?;
        let of = beside.iter().flat_map(beside::values).filter(|(of, _)| of == entity);
        let text = of.flat_map(|(_, values)| values.values).find(|value| value.name == name);
        Ok(text.map(|value| value.value).unwrap_or_default())
    }

    fn identifiers(&self, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<Vec<Shared<Party>>> {
        if entity.kind() == EntityKind::Identifier {
            return Ok(Vec::new());
        }
        let tokens = histories::tokens_kept(&self.view, entity, at, known)?;
        let parties = self.parties(known);
        tokens.iter().map(|token| parties.party(&EntityId::identifier(token))).collect()
    }
}

impl Parties<'_, '_> {
    /// The message for a ticket's state.
    pub(crate) fn ticket_message(&self, ticket: &state::TicketState) -> Result<TicketState> {
        let derived = derive(ticket);
        let item = |asked: &state::ItemState| {
            Ok(v1::AccessItemState {
                operation: asked.item.operation,
                target_type: asked.item.target_type.clone(),
                target: asked.targets.first().map_or(Ok(None), |target| self.of(target))?,
                from: optional_timestamp(&asked.item.from),
                until: optional_timestamp(&asked.item.until),
            })
        };
        Ok(TicketState {
            r#type: ticket.version.r#type,
            status: ticket.version.status,
            requester: self.of(&ticket.requester)?,
            beneficiary: ticket.beneficiary.first().map_or(Ok(None), |id| self.of(id))?,
            assignee: self.of(&ticket.assignee)?,
            items: ticket.items.iter().map(item).collect::<Result<_>>()?,
            window_start: optional_timestamp(&ticket.version.window_start),
            window_end: optional_timestamp(&ticket.version.window_end),
            decision: derived.as_ref().map_or(0, |derived| derived.decision.into()),
            decided_at: derived.and_then(|derived| derived.completed_by).map(|by| timestamp(by.occurred_at().0)),
            source_decision: ticket.version.source_decision,
            source_decided_at: ticket.source_decided.map(|by| timestamp(by.occurred_at().0)),
            approvals: self.approvals(&ticket.approvals)?,
            opened_at: ticket.opened.map(|by| timestamp(by.occurred_at().0)),
            evidence: Some(evidence(&ticket.evidence)),
        })
    }

    /// By level, then by when the decision fell.
    fn approvals(&self, approvals: &BTreeMap<String, state::ApprovalState>) -> Result<Vec<v1::ApprovalState>> {
        let mut rows: Vec<_> = approvals.iter().collect();
        rows.sort_by_key(|(_, row)| (row.level, row.evidence.order()));
        let message = |(id, row): (&String, &state::ApprovalState)| {
            Ok(v1::ApprovalState {
                id: id.clone(),
                level: row.level,
                rule: row.rule,
                approver: self.of(&row.approver)?,
                decision: row.decision,
                decided_at: is_decided(row).then(|| timestamp(row.evidence.occurred_at().0)),
                decided_by: self.of(&row.decided_by)?,
                evidence: Some(evidence(&row.evidence)),
                delegate: self.of(&row.delegate)?,
                delegated_at: row.delegated.map(|by| timestamp(by.occurred_at().0)),
                decider: decider(row).into(),
            })
        };
        rows.into_iter().map(message).collect()
    }

    fn grant(&self, held: HeldGrant<'_>, at: OccurredAt) -> Result<GrantState> {
        let grant = held.terms;
        let expires_at = grant.and_then(|grant| grant.expires_at);
        Ok(GrantState {
            counterpart: self.of(held.counterpart)?,
            scope: held.scope.to_owned(),
            expires_at: optional_timestamp(&expires_at),
            lapsed: is_lapsed(&expires_at, at),
            mode: grant.map_or(0, |grant| grant.mode),
            inherited_via: self.of(held.inherited_via)?,
            conditional: grant.is_some_and(|grant| grant.conditional),
            actor: self.of(held.actor)?,
            evidence: Some(evidence(held.evidence)),
            confidence: held.confidence,
            holder_status: 0,
        })
    }

    fn implied(&self, implied: &state::ImpliedState) -> Result<ImpliedState> {
        Ok(ImpliedState {
            party: self.of(&implied.implied)?,
            scope: implied.scope.clone(),
            evidence: Some(evidence(&implied.evidence)),
        })
    }

    /// The credentials of a state.
    pub(crate) fn credentials(
        &self,
        credentials: &BTreeMap<String, state::CredentialState>,
        at: OccurredAt,
    ) -> Result<Vec<CredentialState>> {
        let when = |by: Option<state::Evidence>| by.map(|by| timestamp(by.occurred_at().0));
        let message = |(id, held): (&String, &state::CredentialState)| {
            Ok(CredentialState {
                credential: self.of(id)?,
                owner: self.of(&held.owner)?,
                status: held.status,
                expires_at: optional_timestamp(&held.expires_at),
                lapsed: is_lapsed(&held.expires_at, at),
                created_at: when(held.created),
                rotated_at: when(held.rotated),
                last_used_at: when(held.last_used),
                evidence: Some(evidence(&held.evidence)),
            })
        };
        credentials.iter().map(message).collect()
    }

    fn all<'s>(&self, ids: impl IntoIterator<Item = &'s String>) -> Result<Vec<Shared<Party>>> {
        ids.into_iter().filter_map(|id| self.of(id).transpose()).collect()
    }

    fn evident<T>(
        &self,
        entities: &BTreeMap<String, state::Evidence>,
        message: impl Fn(Option<Shared<Party>>, Option<v1::Evidence>) -> T,
    ) -> Result<Vec<T>> {
        let one = |(id, by): (&String, &state::Evidence)| Ok(message(self.of(id)?, Some(evidence(by))));
        entities.iter().map(one).collect()
    }
}

/// The moment of the question, and the last holder of the page before.
fn read_place(place: &[u8]) -> Option<(OccurredAt, String)> {
    let (at, last) = place.split_first_chunk::<12>()?;
    Some((OccurredAt(Moment::from_sortable_bytes(at)), String::from_utf8(last.to_vec()).ok()?))
}

fn decider(row: &state::ApprovalState) -> Decider {
    match decided_by(row) {
        None => Decider::Unspecified,
        Some(DecidedBy::Approver) => Decider::Approver,
        Some(DecidedBy::Delegate) => Decider::Delegate,
        Some(DecidedBy::SomebodyElse) => Decider::SomebodyElse,
        Some(DecidedBy::Unnamed) => Decider::Unnamed,
    }
}

/// Whether somebody decided, rather than was only asked.
pub(crate) fn is_decided(row: &state::ApprovalState) -> bool {
    row.decision() != v1::Decision::Requested
}

fn account(account: &state::AccountState) -> v1::AccountState {
    v1::AccountState {
        status: account.status,
        locked: account.locked,
        reversible: account.reversible,
        department: account.department.clone(),
        evidence: Some(evidence(&account.evidence)),
    }
}

fn rule(declared: &state::RuleState) -> v1::RuleState {
    v1::RuleState {
        version: declared.rule.version,
        matched_by: declared.rule.matched_by,
        systems: declared.rule.systems.clone(),
        withdrawn: declared.rule.withdrawn,
        evidence: Some(evidence(&declared.evidence)),
    }
}
