//! Onboarding requests: somebody is going to join.
//!
//! Owns the person that such a request is about, who has no account yet: the request's id stands for them, until an
//! account with the same e-mail address appears.

use counterfoil_proto::v1::{
    EntityKind, Fact, FactKind, IdentityType, Lifecycle, Mapping, Ref, Ticket, TicketText, TicketType, Time,
    fact::Detail,
};

use super::ticket::{Version, account};
use super::{Reading, Reject, Resource};
use crate::connectors::draft::{Draft, Principal, correlation, fact};
use crate::json::Json;
use crate::times;

/// Reads a version of an onboarding request.
pub fn read(mut resource: Resource<'_, '_, '_>) -> Result<Reading, Reject> {
    let json = resource.json;
    let Some(id) = resource.id() else {
        let seen = resource.updated_at()?;
        return resource.finish(seen, Mapping::Incomplete);
    };
    let at = resource.version()?;
    let draft = &mut resource.draft;
    let person = person(json, &id, draft);
    let requester = json.id_at("requester_id").and_then(|requester| account(&requester, None, draft));
    let request = draft.own_ticket("onboarding", &id);
    let mut detail =
        Ticket { r#type: TicketType::Onboarding.into(), requester: requester.clone(), ..Ticket::default() };
    if let Some(subject) = json.text("subject") {
        detail.texts.push(TicketText::Subject.into());
        draft.text(&request, "subject", subject);
    }
    let ticket = resource.parent.as_deref().and_then(|parent| {
        let (kind, id) = parent.split_once('/')?;
        Some(draft.own_ticket(kind, id))
    });
    let lifecycle = Lifecycle {
        effective_at: joining(json, &request, draft),
        department: json.id_at("fields.cf_department").map_or_else(String::new, |department| draft.opaque(&department)),
    };
    draft.facts.push(Fact {
        actor: requester.clone(),
        subject: person.clone(),
        object: Some(request.clone()),
        detail: (lifecycle != Lifecycle::default()).then_some(Detail::Lifecycle(lifecycle)),
        ..fact(FactKind::LifecycleJoiner, at.seen)
    });
    let version =
        Version { ticket: request, beneficiary: person, actor: requester, created_at: at.created, updated_at: at.seen };
    version.push(detail, draft);
    for fact in &mut draft.facts {
        fact.correlation = correlation(String::new(), String::new(), ticket.clone().into_iter().collect());
    }
    resource.finish(at.updated, Mapping::Incomplete)
}

/// The day of joining, "DD-MM-YYYY". A day that cannot be read is kept as text beside the record.
fn joining(json: &Json<'_>, request: &Ref, draft: &mut Draft<'_>) -> Option<Time> {
    let text = json.text("fields.cf_date_of_joining")?;
    let day = times::day_month_year(text).or_else(|| times::day(text));
    if day.is_none() {
        draft.text(request, "unread.cf_date_of_joining", text);
    }
    day
}

fn person(json: &Json<'_>, id: &str, draft: &mut Draft<'_>) -> Option<Ref> {
    let email = ["cf_employee_email", "cf_email", "cf_work_email"]
        .iter()
        .find_map(|field| json.text(&format!("fields.{field}")))
        .map(|email| ("email", email));
    let values: Vec<_> = [("display_name", "fields.cf_employee_name"), ("job_title", "fields.cf_job_title")]
        .into_iter()
        .filter_map(|(name, path)| Some((name, json.text(path)?)))
        .collect();
    let id = draft.typed("onboarding", id);
    draft.principal(Principal {
        kind: EntityKind::Person,
        id: Some(&id),
        logins: email.as_slice(),
        values: &values,
        identity_type: IdentityType::Human,
        ..Principal::default()
    })
}
