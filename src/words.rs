//! Words for what an answer holds: parties, times, numbers and enums.
//!
//! Owns how each of them is written for people. It never knows an answer.

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    ApprovalState, Authentication, Capability, Decider, Decision, FactKind, Moment, Outcome, Party, Role, Verdict,
};

use crate::when::show_timestamp;

/// What people call a party: its name, its login or e-mail, or else its id. Of a ticket, an entitlement and a credential
/// the id stands behind the name, since several may have one name.
pub fn called(party: &Option<Shared<Party>>) -> String {
    let Some(party) = party else { return String::new() };
    let short = || party.id.rsplit(':').next().unwrap_or_default().to_owned();
    match [&party.name, &party.login, &party.email].into_iter().find(|name| !name.is_empty()) {
        None => short(),
        Some(name) if ["entitlement:", "ticket:", "credential:"].iter().any(|kind| party.id.starts_with(kind)) => {
            format!("{name} ({})", short())
        }
        Some(name) => name.clone(),
    }
}

/// A party's name with its login: for lines that have the room.
pub fn called_in_full(party: &Option<Shared<Party>>) -> String {
    let name = called(party);
    match party {
        Some(party) if !party.login.is_empty() && party.login != name && party.id.starts_with("account:") => {
            format!("{name} <{}>", party.login)
        }
        _ => name,
    }
}

/// A span of time in its largest whole unit: "90 days", "12 hours".
pub fn span(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let whole = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    whole.map_or_else(|| counted(seconds, "second"), |(unit, name)| counted(seconds / unit, name))
}

/// A number of things: "1 record", "2 records".
pub fn counted(count: impl Into<u64>, one: &str) -> String {
    match count.into() {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// Both times of an answer.
pub fn times(moment: &Moment) -> String {
    let at = show_timestamp(&moment.at);
    let at = if at.is_empty() { String::new() } else { format!("as of {at}, ") };
    let known = show_timestamp(&moment.known_at);
    match moment.known_size {
        // Record 0 is there from the beginning.
        0 => format!("{at}known by {known}, before the ledger began (0 records)"),
        size => format!("{at}known by {known} ({})", counted(size, "record")),
    }
}

/// How a producer was authenticated, in words.
pub fn authentication(grade: Authentication) -> &'static str {
    match grade {
        Authentication::Unspecified => "nobody",
        Authentication::OperatorFile => "an operator's file",
        Authentication::WebhookSecret => "a webhook's secret",
        Authentication::BrokerCredentials => "a producer's broker credentials",
        Authentication::ClientCredentials => "a client's credentials",
        Authentication::SourceSignature => "the source's signature",
        Authentication::LocalConnection => "a local connection",
        Authentication::OpenBroker => "a broker that asks nobody",
    }
}

/// A time without its fraction of a second, which only programs need.
pub fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// An enum's name without its prefix, in lower case.
pub fn word(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix) {
        Some("UNSPECIFIED") | None => String::new(),
        Some(rest) => rest.to_lowercase().replace('_', " "),
    }
}

/// A kind of fact in the vocabulary's spelling, such as "grant.added".
pub fn kind(kind: FactKind) -> String {
    word(kind.as_str_name(), "FACT_KIND_").replacen(' ', ".", 1).replace(' ', "_")
}

pub fn capability(capability: Capability) -> String {
    word(capability.as_str_name(), "CAPABILITY_")
}

pub fn verdict(verdict: Verdict) -> String {
    word(verdict.as_str_name(), "VERDICT_")
}

pub fn outcome(outcome: Outcome) -> String {
    word(outcome.as_str_name(), "OUTCOME_")
}

pub fn decision(decision: Decision) -> String {
    word(decision.as_str_name(), "DECISION_")
}

/// Who decided an approval, where that was not whoever was asked.
pub fn decided_instead(approval: &ApprovalState) -> String {
    match approval.decider() {
        Decider::Delegate => format!(" by the delegate {}", called(&approval.decided_by)),
        Decider::SomebodyElse => format!(" by {}, who was not asked", called(&approval.decided_by)),
        Decider::Unspecified | Decider::Approver | Decider::Unnamed => String::new(),
    }
}

pub fn role(role: Role) -> String {
    word(role.as_str_name(), "ROLE_")
}
