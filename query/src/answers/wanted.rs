//! Which changes and which holders a question wants.
//!
//! Owns the fields of their filters, and what each field is of an entry. It finds nothing: `changes` and `holders` do.

use std::collections::BTreeSet;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccountStatus, ChangeEffect, Confidence, EntityKind, Explanation, FactKind, GrantMode, GrantState, Party, Record,
    Ref, Verdict,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Role, can_change_access};
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;
use pbjson_types::Timestamp;

use crate::answers::changes::{ChangesRequest, ids, role_of};
use crate::answers::{Query, Wanted};
use crate::error::{QueryError, Result};
use crate::filter::{Field, Kind, Known, Typed, typed};
use crate::views::changes::Effect;

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// The fields of a change.
const CHANGE_FIELDS: [Field; 15] = [
    field("kind", Kind::Word("FACT_KIND_", || words(changing_kinds(), |kind: &FactKind| kind_word(*kind)))),
    field("effect", Kind::Word("CHANGE_EFFECT_", || vec!["gives".to_owned(), "takes".to_owned()])),
    field("verdict", Kind::Word("VERDICT_", || words(all(Verdict::try_from), |one| verdict_word(*one)))),
    field("system", Kind::Text),
    field("instance", Kind::Text),
    field("scope", Kind::Text),
    field("event_id", Kind::Text),
    field("record", Kind::Number),
    field("occurred_at", Kind::Time),
    field("recorded_at", Kind::Time),
    field("actor", Kind::Entity),
    field("via", Kind::Entity),
    field("subject", Kind::Entity),
    field("object", Kind::Entity),
    field("ticket", Kind::Entity),
];

/// The fields of a holder.
const HOLDER_FIELDS: [Field; 15] = [
    field("system", Kind::Text),
    field("instance", Kind::Text),
    field("scope", Kind::Text),
    field("mode", Kind::Word("GRANT_MODE_", || words(all(GrantMode::try_from), |one| mode_word(*one)))),
    field("confidence", Kind::Word("CONFIDENCE_", || words(all(Confidence::try_from), |one| confidence_word(*one)))),
    field("status", Kind::Word("ACCOUNT_STATUS_", || words(all(AccountStatus::try_from), |one| status_word(*one)))),
    field("lapsed", Kind::Flag),
    field("conditional", Kind::Flag),
    field("expires_at", Kind::Time),
    field("occurred_at", Kind::Time),
    field("recorded_at", Kind::Time),
    field("record", Kind::Number),
    field("holder", Kind::Entity),
    field("granted_by", Kind::Entity),
    field("inherited_via", Kind::Entity),
];

/// Which changes a request wants, beyond their time.
pub(crate) struct Wants<'r> {
    request: &'r ChangesRequest,
    by: BTreeSet<String>,
    for_whom: BTreeSet<String>,
    filter: Option<Typed>,
}

impl<'r> Wants<'r> {
    pub(crate) fn new(
        query: &Query<'_>,
        request: &'r ChangesRequest,
        (by, for_whom): (&[Shared<Party>], &[Shared<Party>]),
        at: OccurredAt,
        size: TreeSize,
    ) -> Result<Self> {
        let filter = query.filter(&request.filter, &CHANGE_FIELDS, at, size)?;
        Ok(Self { request, by: ids(by), for_whom: ids(for_whom), filter })
    }

    /// Those of whom every wanted change names one, and in which role.
    pub(crate) fn named(&self) -> Option<(&BTreeSet<String>, Role)> {
        let asked = [(&self.for_whom, Role::Subject), (&self.by, Role::Actor)];
        let asked = asked.into_iter().find(|(entities, _)| !entities.is_empty());
        let demanded = |field: &'static str| Some((self.filter.as_ref()?.demanded(field)?, role_of(field)?));
        asked.or_else(|| ["subject", "via", "actor", "object"].into_iter().find_map(demanded))
    }

    /// The effects that are wanted.
    pub(crate) fn effects(&self) -> &'static [Effect] {
        match self.request.effect {
            ChangeEffect::Unspecified | ChangeEffect::Gives => &[Effect::Gave],
            ChangeEffect::Takes => &[Effect::Took],
            ChangeEffect::Any => &[Effect::Gave, Effect::Took],
        }
    }

    /// Whether a change may be wanted, before it is known what the approvals say about it.
    pub(crate) fn may_want(&self, record: &Record, fact: &FactAt<'_>, effect: Effect) -> bool {
        let is_one = |wanted: &BTreeSet<String>, reference: &Option<Ref>| {
            wanted.is_empty() || first(reference, fact).is_some_and(|id| wanted.contains(&id))
        };
        self.effects().contains(&effect)
            && is_one(&self.by, &fact.fact.actor)
            && is_one(&self.for_whom, &fact.fact.subject)
            && (self.request.kinds.is_empty() || self.request.kinds.contains(&fact.fact.kind()))
            && self.fits(record, fact, None) != Some(false)
    }

    /// Whether one is that [`Self::may_want`].
    pub(crate) fn wants(&self, record: &Record, fact: &FactAt<'_>, explained: &Explanation) -> bool {
        let verdict = explained.verdict();
        (self.request.verdicts.is_empty() || self.request.verdicts.contains(&verdict))
            && self.request.which.wants(verdict)
            && self.fits(record, fact, Some(explained)) == Some(true)
    }

    fn fits(&self, record: &Record, fact: &FactAt<'_>, explained: Option<&Explanation>) -> Option<bool> {
        match &self.filter {
            Some(filter) => filter.is_true(&|field| of_change(field, record, fact, explained)),
            None => Some(true),
        }
    }
}

/// Which holders a question wants.
pub(crate) struct WantsHolder(Option<Typed>);

impl WantsHolder {
    pub(crate) fn new(query: &Query<'_>, filter: &str, at: OccurredAt, size: TreeSize) -> Result<Self> {
        Ok(Self(query.filter(filter, &HOLDER_FIELDS, at, size)?))
    }

    /// Whether every holder is.
    pub(crate) fn wants_all(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn wants(&self, holder: &GrantState) -> bool {
        self.0.as_ref().is_none_or(|filter| filter.is_true(&|field| of_holder(field, holder)) == Some(true))
    }
}

impl Query<'_> {
    /// Reads a filter of a list with these fields.
    fn filter(&self, text: &str, fields: &[Field], at: OccurredAt, size: TreeSize) -> Result<Option<Typed>> {
        typed(text, fields, |field, name| match field.name {
            "ticket" => self.tickets_called(name, at, size),
            _ => Ok(ids(&self.everybody(name, false, at, size)?)),
        })
    }

    /// Every ticket of that number, id or subject.
    fn tickets_called(&self, name: &str, at: OccurredAt, size: TreeSize) -> Result<BTreeSet<String>> {
        let called = self.resolve_known(name, Wanted::default(), at, size)?.identities;
        let is_ticket = |party: &&Shared<Party>| {
            party.id.parse::<EntityId>().is_ok_and(|entity| entity.kind() == EntityKind::Ticket)
        };
        let found: BTreeSet<String> = called.iter().filter(is_ticket).map(|party| party.id.clone()).collect();
        match found.is_empty() {
            true => Err(QueryError::NobodyCalled(name.to_owned())),
            false => Ok(found),
        }
    }
}

/// A field of a change; what the approvals say about it is not known before it is explained.
fn of_change(field: &str, record: &Record, fact: &FactAt<'_>, explained: Option<&Explanation>) -> Known {
    let entity = |reference: &Option<Ref>| first(reference, fact).map_or(Known::Absent, |id| Known::Entities(vec![id]));
    match field {
        "kind" => Known::Text(kind_word(fact.fact.kind())),
        "effect" => Known::Text(if Effect::of(fact) == Some(Effect::Took) { "takes" } else { "gives" }.to_owned()),
        "system" => text(&fact.source.system),
        "instance" => text(&fact.source.instance),
        "scope" => text(&fact.fact.scope),
        "event_id" => text(record.provenance.as_ref().map_or("", |provenance| &provenance.event_id)),
        "record" => Known::Number(record.index),
        "occurred_at" => Known::Time(fact.evidence.occurred_at().0),
        "recorded_at" => Known::Time(fact.evidence.recorded_at().0),
        "actor" => entity(&fact.fact.actor),
        "via" => entity(&fact.fact.via),
        "subject" => entity(&fact.fact.subject),
        "object" => entity(&fact.fact.object),
        "verdict" => explained.map_or(Known::Unknown, |explained| Known::Text(verdict_word(explained.verdict()))),
        "ticket" => explained.map_or(Known::Unknown, |explained| {
            Known::Entities(explained.tickets.iter().filter_map(|one| Some(one.ticket.as_ref()?.id.clone())).collect())
        }),
        _ => Known::Absent,
    }
}

fn of_holder(field: &str, holder: &GrantState) -> Known {
    let party = |party: &Option<Shared<Party>>| {
        party.as_ref().map_or(Known::Absent, |party| Known::Entities(vec![party.id.clone()]))
    };
    let place = |part: fn(&EntityId) -> &str| {
        let entity = holder.counterpart.as_ref().and_then(|party| party.id.parse::<EntityId>().ok());
        entity.map_or(Known::Absent, |entity| text(part(&entity)))
    };
    let evidence = holder.evidence.as_ref();
    let time = |time: Option<Timestamp>| time.map_or(Known::Absent, |time| Known::Time(moment(time)));
    match field {
        "system" => place(EntityId::system),
        "instance" => place(EntityId::instance),
        "scope" => text(&holder.scope),
        "mode" => text(&mode_word(holder.mode())),
        "confidence" => text(&confidence_word(holder.confidence())),
        "status" => text(&status_word(holder.holder_status())),
        "lapsed" => Known::Flag(holder.lapsed),
        "conditional" => Known::Flag(holder.conditional),
        "expires_at" => time(holder.expires_at),
        "occurred_at" => time(evidence.and_then(|evidence| evidence.occurred_at)),
        "recorded_at" => time(evidence.and_then(|evidence| evidence.recorded_at)),
        "record" => evidence.map_or(Known::Absent, |evidence| Known::Number(evidence.record)),
        "holder" => party(&holder.counterpart),
        "granted_by" => party(&holder.actor),
        "inherited_via" => party(&holder.inherited_via),
        _ => Known::Absent,
    }
}

/// What a reference of a fact names, in text form.
fn first(reference: &Option<Ref>, fact: &FactAt<'_>) -> Option<String> {
    let entities = reference.as_ref().map(|reference| named(reference, fact.source))?;
    entities.first().map(ToString::to_string)
}

fn text(text: &str) -> Known {
    if text.is_empty() { Known::Absent } else { Known::Text(text.to_owned()) }
}

fn moment(time: Timestamp) -> Moment {
    Moment { seconds: time.seconds, nanos: u32::try_from(time.nanos).unwrap_or_default() }
}

fn changing_kinds() -> Vec<FactKind> {
    all(FactKind::try_from).into_iter().filter(|kind| can_change_access(*kind)).collect()
}

/// Every value of an enum but that which stands for none.
fn all<T, E>(of: impl Fn(i32) -> std::result::Result<T, E>) -> Vec<T> {
    (1..=i32::from(u8::MAX)).filter_map(|number| of(number).ok()).collect()
}

fn words<T>(values: Vec<T>, word: impl Fn(&T) -> String) -> Vec<String> {
    values.iter().map(word).collect()
}

fn word(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix) {
        Some("UNSPECIFIED") | None => String::new(),
        Some(rest) => rest.to_lowercase(),
    }
}

fn kind_word(kind: FactKind) -> String {
    word(kind.as_str_name(), "FACT_KIND_").replacen('_', ".", 1)
}

fn verdict_word(verdict: Verdict) -> String {
    word(verdict.as_str_name(), "VERDICT_")
}

fn mode_word(mode: GrantMode) -> String {
    word(mode.as_str_name(), "GRANT_MODE_")
}

fn confidence_word(confidence: Confidence) -> String {
    word(confidence.as_str_name(), "CONFIDENCE_")
}

fn status_word(status: AccountStatus) -> String {
    word(status.as_str_name(), "ACCOUNT_STATUS_")
}
