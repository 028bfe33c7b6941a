//! What somebody could do and by which path, as rows.

use counterfoil_proto::v1::{
    AccessPath, AccessPrincipal, AccessStep, AccountStatus, Affected, AffectedKind, CapableIdentity, CredentialStatus,
    EffectiveAccess, EffectiveHolder, Evidence, GetBlastRadiusResponse, GetEffectiveAccessResponse, GrantMode,
    ListAffectedResponse, ListCapableIdentitiesResponse, ListHoldersResponse, StepKind,
};

use crate::output::Rows;
use crate::tables::{title, vouched_for};
use crate::when::show_timestamp;
use crate::words::{called, called_in_full, capability, counted, kind, times, to_the_second, word};

const CUT: &str = "so many entities are concerned that not all of them were followed: something may be missing";

/// Everything that somebody could do: a row for each path.
pub fn access(response: &GetEffectiveAccessResponse) -> Rows {
    let mut title = title(&response.entity, &response.moment);
    if !response.known {
        title.push("Nothing was known of it by then.".to_owned());
    }
    title.extend(response.principals.iter().filter_map(status));
    title.extend(response.cut.then(|| CUT.to_owned()));
    title.extend(vouched_for(response.accesses.iter().flat_map(rests_on)));
    let rows = response.accesses.iter().flat_map(|access| {
        access.paths.iter().enumerate().map(move |(number, path)| {
            let is_first = number == 0;
            let how = if is_first { how(access) } else { String::new() };
            vec![if is_first { called(&access.what) } else { String::new() }, how, shown(path), records(path)]
        })
    });
    Rows { title, columns: vec!["what", "how", "by which path", "records"], rows: rows.collect() }
}

/// Whoever holds something through any path.
pub fn effective_holders(response: &ListHoldersResponse) -> Rows {
    let mut title = title(&response.entitlement, &response.moment);
    if !response.known {
        title.push("Nothing was known of it by then.".to_owned());
    } else if response.effective.is_empty() {
        title.push("Nobody held it, by itself or through anything else.".to_owned());
    } else {
        title.push(counted(response.effective.len() as u64, "access"));
    }
    title.extend(response.cut.then(|| CUT.to_owned()));
    let accesses = response.effective.iter().filter_map(|holder| holder.access.as_ref());
    title.extend(vouched_for(accesses.flat_map(rests_on)));
    let row = |holder: &EffectiveHolder| {
        let access = holder.access.clone().unwrap_or_default();
        let path = access.paths.first();
        let who = holder.holder.as_ref().map(|principal| called_in_full(&principal.party)).unwrap_or_default();
        let status = holder.holder.as_ref().and_then(cannot_act).unwrap_or_default();
        vec![who, status, how(&access), path.map(shown).unwrap_or_default(), path.map(records).unwrap_or_default()]
    };
    let columns = vec!["who", "status", "how", "by which path", "records"];
    Rows { title, columns, rows: response.effective.iter().map(row).collect() }
}

/// Whose access is another because of a change.
pub fn affected(response: &ListAffectedResponse) -> Rows {
    let mut title: Vec<String> = response
        .changed
        .iter()
        .map(|changed| {
            let version =
                if changed.version.is_empty() { String::new() } else { format!(", version {}", changed.version) };
            format!("{} {}{version}", kind(changed.kind()), called(&changed.entitlement))
        })
        .collect();
    title.extend(response.moment.as_ref().map(times));
    let count = |kind: AffectedKind| response.affected.iter().filter(|one| one.kind() == kind).count() as u64;
    let counts = [(AffectedKind::Gained, "gained"), (AffectedKind::Lost, "lost"), (AffectedKind::Changed, "changed")];
    let counts = counts.map(|(kind, what)| format!("{} {what}", count(kind))).join(", ");
    title.push(match response.affected.is_empty() {
        true => "Nobody's access is another because of it.".to_owned(),
        false => format!("{}: {counts}", counted(response.affected.len() as u64, "access")),
    });
    title.extend(response.cut.then(|| CUT.to_owned()));
    let row = |affected: &Affected| {
        let access = affected.access.clone().unwrap_or_default();
        let who = affected.holder.as_ref().map(|principal| called_in_full(&principal.party)).unwrap_or_default();
        let path = access.paths.first().map(shown).unwrap_or_default();
        let kind = word(affected.kind().as_str_name(), "AFFECTED_KIND_");
        vec![who, kind, called(&access.what), how(&access), path]
    };
    let columns = vec!["who", "", "what", "how", "by which path"];
    Rows { title, columns, rows: response.affected.iter().map(row).collect() }
}

/// How far somebody reaches, point by point.
pub fn blast(response: &GetBlastRadiusResponse) -> Rows {
    let mut title = title(&response.entity, &response.moment);
    if !response.known {
        title.push("Nothing was known of it by then.".to_owned());
    }
    title.extend(response.principals.iter().filter_map(status));
    title.extend(response.cut.then(|| CUT.to_owned()));
    let mut rows = Vec::new();
    let mut push = |what: &str, which: String, how: String| rows.push(vec![what.to_owned(), which, how]);
    let tier = word(response.tier().as_str_name(), "RISK_TIER_").to_uppercase();
    push("tier", tier, format!("by table {} of capabilities", response.table_version));
    for held in &response.capabilities {
        let by = held.by.first().map(|access| {
            let path = access.paths.first().map(shown).unwrap_or_default();
            let more = if held.count > 1 { format!(", and {} more", held.count - 1) } else { String::new() };
            format!("{path}{more}")
        });
        push("can", capability(held.capability()), by.unwrap_or_default());
    }
    for system in &response.systems {
        let counts = system.entitlements.iter().map(|one| format!("{} {}", one.count, one.kind));
        let accounts = (system.accounts > 0).then(|| format!("acts as {}", counted(system.accounts, "account")));
        let unknown = (system.unknown > 0).then(|| format!("{} of unknown meaning", system.unknown));
        let how = counts.chain(accounts).chain(unknown).collect::<Vec<_>>().join(", ");
        push("reaches", format!("{} {}", system.system, system.instance), how);
    }
    for role in &response.assumed {
        let last = to_the_second(&show_timestamp(&role.last_at));
        push("assumed", called(&role.role), format!("{}, last at {last}", counted(role.count, "session")));
    }
    for action in &response.past {
        let failed = if action.failed > 0 { format!(", {} failed", action.failed) } else { String::new() };
        let last = to_the_second(&show_timestamp(&action.last_at));
        push("did", kind(action.kind()), format!("{} times{failed}, last at {last}", action.succeeded));
    }
    if response.past.is_empty() {
        push("did", "nothing".to_owned(), format!("since {}", show_timestamp(&response.past_from)));
    }
    if response.past_cut {
        title.push("it did more than was counted: what is earliest in the window is missing".to_owned());
    }
    Rows { title, columns: vec!["what", "which", "how"], rows }
}

/// Whoever can do something to others.
pub fn capable(response: &ListCapableIdentitiesResponse) -> Rows {
    let mut title: Vec<String> = response.moment.as_ref().map(times).into_iter().collect();
    title.push(match response.identities.len() as u64 {
        0 => "Nobody is known to be able to.".to_owned(),
        1 => "1 identity".to_owned(),
        count => format!("{count} identities"),
    });
    title.push(format!(
        "by table {} of capabilities: what else lets somebody do it, nobody can tell",
        response.table_version
    ));
    title.extend(response.cut.then(|| CUT.to_owned()));
    let row = |identity: &CapableIdentity| {
        let principal = identity.identity.clone().unwrap_or_default();
        let can = identity.capabilities().map(capability).collect::<Vec<_>>().join(", ");
        let by: Vec<String> = identity.by.iter().map(|access| called(&access.what)).collect();
        let kind = principal.party.as_ref().map(|party| word(party.identity_type().as_str_name(), "IDENTITY_TYPE_"));
        vec![
            called_in_full(&principal.party),
            kind.unwrap_or_default(),
            cannot_act(&principal).unwrap_or_default(),
            can,
            by.join(", "),
            counted(identity.credentials.len() as u64, "credential"),
        ]
    };
    let columns = vec!["who", "type", "status", "can", "by", "with"];
    Rows { title, columns, rows: response.identities.iter().map(row).collect() }
}

/// Why somebody cannot act, if so.
fn cannot_act(principal: &AccessPrincipal) -> Option<String> {
    let status = match (principal.status(), principal.credential_status()) {
        (AccountStatus::Deleted, _) => "deleted",
        (AccountStatus::Disabled, _) => "disabled",
        _ if principal.locked => "locked",
        (_, CredentialStatus::Disabled) => "disabled",
        (_, CredentialStatus::Revoked) => "revoked",
        (_, CredentialStatus::Expired) => "expired",
        _ => "out of time",
    };
    (!principal.may_act).then(|| status.to_owned())
}

fn status(principal: &AccessPrincipal) -> Option<String> {
    let status = cannot_act(principal)?;
    Some(format!("{} is {status}: none of this can be used through it", called(&principal.party)))
}

/// How an access holds.
fn how(access: &EffectiveAccess) -> String {
    let mut how = vec![if access.inherited { "inherited" } else { "direct" }.to_owned()];
    if access.mode() == GrantMode::Eligible {
        how.push("eligible, not active".to_owned());
    }
    if !access.scope.is_empty() {
        how.push(format!("in scope {}", access.scope));
    }
    if access.expires_at.is_some() {
        how.push(format!("until {}", show_timestamp(&access.expires_at)));
    }
    if access.conditional {
        how.push("under conditions".to_owned());
    }
    for bound in &access.bounds {
        let by = called(&bound.by);
        how.push(if by.is_empty() { "bounded".to_owned() } else { format!("bounded by {by}") });
    }
    if access.more_paths {
        how.push("more paths".to_owned());
    }
    how.join(", ")
}

/// A path in words: "Jane -> Engineers -> Deployer".
fn shown(path: &AccessPath) -> String {
    let arrow = |step: &AccessStep| match step.kind() {
        StepKind::Grant => "holds",
        StepKind::Implication => "implies",
        StepKind::Link => "is the same as",
        StepKind::Session | StepKind::Unspecified => "was seen in",
    };
    let first = path.steps.first().map(|step| called(&step.from)).unwrap_or_default();
    let rest = path.steps.iter().map(|step| format!(" {} {}", arrow(step), called(&step.to)));
    first + &rest.collect::<String>()
}

fn records(path: &AccessPath) -> String {
    let evidence = path.steps.iter().filter_map(|step| step.evidence.as_ref());
    evidence.map(|by| format!("{}.{}", by.record, by.fact)).collect::<Vec<_>>().join(", ")
}

fn rests_on(access: &EffectiveAccess) -> impl Iterator<Item = &Option<Evidence>> {
    access.paths.iter().flat_map(|path| &path.steps).map(|step| &step.evidence)
}
