//! Listings of IAM: what `get-account-authorization-details` gives, and which responses of AWS are pages of a listing.
//!
//! Owns which listing a response is a page of. Responses of AWS name the page behind them, and neither the one before nor
//! what was asked for: what the operator has to name stands in the table. Elements of Identity Center are `directory`'s,
//! those of the credential report `report`'s. Policy documents are told apart by a digest, and never read.

use counterfoil_proto::v1::{AccountStatus, Entitlement, Fact, FactKind, Ref, RejectReason, Time, fact::Detail};

use super::identity::{self, Arn, is_account};
use super::{directory, entitlements, report};
use crate::connectors::draft::{Draft, fact};
use crate::connectors::lister::{Target, percent_decoded};
use crate::connectors::{Lister, Next, Own, Page, Reject, Response, Seen, Shows};
use crate::json::{self, Json, quoted};

pub struct Listings;

pub const ALL: [&str; 1] = ["all"];

/// One list of the response about a whole account: its key, the path to it, what its elements are, which filter asks for
/// them, and what the listing covers.
struct List {
    path: &'static [&'static str],
    kind: &'static str,
    filter: &'static str,
    scope: &'static str,
}

const DETAILS: &str = "get-account-authorization-details";
const LISTS: [List; 4] = [
    List {
        path: &["UserDetailList"],
        kind: "user",
        filter: "User",
        scope: "accounts/user/+held/group_member/user/+held/policy/user/",
    },
    List { path: &["GroupDetailList"], kind: "group", filter: "Group", scope: "definitions/iam_group" },
    List {
        path: &["RoleDetailList"],
        kind: "role",
        filter: "Role",
        scope: "accounts/role/+definitions/session_role+held/policy/role/",
    },
    List { path: &["Policies"], kind: "policy", filter: "LocalManagedPolicy", scope: "definitions/iam_policy" },
];

impl Lister for Listings {
    fn report(&self, text: &str) -> Option<Result<String, Reject>> {
        report::as_json(text)
    }

    fn pages(&self, response: &Response<'_, '_>) -> Result<Vec<Page>, Reject> {
        let target = response.target.map(|target| Target::of(target, "\0"));
        let operation = target.as_ref().map(|target| target.segments.last().copied().unwrap_or_default());
        let is = |name: &str| operation.is_none_or(|operation| operation == name);
        if is(DETAILS) && LISTS.iter().any(|list| list_of(response.body, list).is_some()) {
            return details(response, target.as_ref());
        }
        if is(report::OPERATION) && response.body.get(report::ROWS).is_some() {
            return Ok(vec![report::page(response)?]);
        }
        directory::page(response, target.as_ref()).map(|page| vec![page])
    }

    fn element(&self, kind: &str, json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
        let (kind, of) = kind.split_once(' ').unwrap_or((kind, ""));
        match kind {
            "user" => user(json, of, at, draft),
            "group" => group(json, of, at, draft),
            "role" => role(json, of, at, draft),
            "policy" => policy(json, at, draft),
            report::KIND => report::row(json, of, at, draft),
            _ => directory::element(kind, of, json, at, draft),
        }
    }
}

fn list_of<'j, 'a>(body: &'j Json<'a>, list: &List) -> Option<&'j [Json<'a>]> {
    match body.get(list.path[0]) {
        Some(Json::Array(elements)) => Some(elements),
        _ => None,
    }
}

/// The pages of the four listings that a response about a whole account is one of.
fn details(response: &Response<'_, '_>, target: Option<&Target<'_>>) -> Result<Vec<Page>, Reject> {
    let arns = LISTS.iter().flat_map(|list| list_of(response.body, list).unwrap_or_default());
    let account = account(arns.filter_map(|element| element.text("Arn")), response)?;
    let next = next(response.body, "Marker");
    let filters: Option<Vec<&str>> =
        target.and_then(|target| target.get("filter")).map(|filters| filters.split(',').collect());
    let page = |list: &List| {
        let elements = list_of(response.body, list);
        let is_asked_for = target.is_some() && filters.as_ref().is_none_or(|filters| filters.contains(&list.filter));
        let flaw = match elements {
            None => Some("list-missing"),
            Some(_) if filters.is_some() && !is_asked_for => Some("filtered"),
            Some(_) => target.filter(|target| target.has_other_than(&["filter"])).map(|_| "filtered"),
        };
        Page {
            scope: list.scope.to_owned(),
            instance: Some(account.clone()),
            taken: None,
            shows: match elements {
                Some([_, ..]) => Shows::Items,
                Some([]) if is_asked_for => Shows::Items,
                _ => Shows::Nothing,
            },
            strand: ALL[0],
            strands: &ALL,
            kind: format!("{} {account}", list.kind),
            path: list.path,
            own: Own::Behind,
            next: next.clone(),
            flaw,
            total: None,
        }
    };
    Ok(LISTS.iter().map(page).collect())
}

/// What comes behind a page: IAM says whether anything does, and the command line names it in a way of its own. Where they
/// say so and not which, it is a page that nobody has.
pub fn next(body: &Json<'_>, marker: &str) -> Next {
    let is_truncated = body.present("IsTruncated").map(|said| said.as_truth() != Some(false));
    let marker = body.present(marker).or_else(|| body.present("NextToken"));
    match (is_truncated, marker) {
        (Some(false), _) | (None, None) => Next::Nothing,
        (_, marker) => Next::At(marker.and_then(Json::as_str).unwrap_or_default().to_owned()),
    }
}

/// The account that a page is of: the one that its ARNs name, or else the operator.
pub fn account<'t>(arns: impl Iterator<Item = &'t str>, response: &Response<'_, '_>) -> Result<String, Reject> {
    let mut own = arns.filter_map(Arn::parse).map(|arn| arn.account).filter(|account| is_account(account));
    let named = Some(response.instance).filter(|instance| is_account(instance));
    let refused = |message: String| Reject::new(RejectReason::NotAnEvent, message);
    match (own.next(), named) {
        (Some(own), Some(named)) if own != named => {
            Err(refused(format!("expected a listing of the account {named}, as instance says, got one of {own}")))
        }
        (Some(account), _) | (None, Some(account)) => Ok(account.to_owned()),
        (None, None) => Err(refused(
            "the page does not say which account it is of: give the number of the account whose log tells of it in instance"
                .to_owned(),
        )),
    }
}

/// The elements of a list that an element has, if it has one.
fn list<'j, 'a>(json: &'j Json<'a>, key: &str) -> Result<&'j [Json<'a>], Reject> {
    match json.get(key) {
        Some(Json::Array(elements)) => Ok(elements),
        None | Some(Json::Null) => Ok(&[]),
        Some(other) => Err(unexpected(&format!("a list of {key}"), other)),
    }
}

/// A text that an element must have.
pub fn text<'j>(json: &'j Json<'_>, path: &str) -> Result<&'j str, Reject> {
    json.text(path).ok_or_else(|| unexpected(&format!("an element with {path}"), json))
}

pub fn unexpected(expected: &str, got: &Json<'_>) -> Reject {
    Reject::new(RejectReason::FieldInvalid, format!("expected {expected}, got {}", quoted(&got.to_text())))
}

/// The ARN of an element, which must be one of the listing's account.
fn own_arn<'j>(json: &'j Json<'_>, account: &str) -> Result<&'j str, Reject> {
    let arn = text(json, "Arn")?;
    let is_own = Arn::parse(arn).is_some_and(|arn| arn.account == account);
    if is_own { Ok(arn) } else { Err(unexpected(&format!("an ARN of the account {account}"), json)) }
}

fn user(json: &Json<'_>, account: &str, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
    let (name, arn) = (text(json, "UserName")?, own_arn(json, account)?);
    let ids: Vec<_> = json.text("UserId").map(|id| ("unique_id", id)).into_iter().chain([("arn", arn)]).collect();
    let user = identity::user(draft, name, &ids, None);
    let mut seen = vec![exists(at, user.clone())];
    for group in list(json, "GroupList")? {
        let name = group.as_str().ok_or_else(|| unexpected("the name of a group", group))?;
        let group = entitlements::group(draft, name);
        seen.push(Seen::direct(held(at, user.clone(), group, "")));
    }
    held_policies(json, "UserPolicyList", &user, at, draft, &mut seen)?;
    Ok(seen)
}

/// A role: whoever acts in its sessions, and what those hold who may assume it.
fn role(json: &Json<'_>, account: &str, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
    let (name, arn) = (text(json, "RoleName")?, own_arn(json, account)?);
    let ids: Vec<_> = json.text("RoleId").map(|id| ("unique_id", id)).into_iter().chain([("arn", arn)]).collect();
    let role = identity::role(draft, name, &ids, None);
    let mut seen = vec![exists(at, role.clone())];
    let sessions = identity::session_role(draft, name, None);
    if let Some(sessions) = &sessions {
        note_document(json.get("AssumeRolePolicyDocument"), sessions, "trust_document", draft);
        for profile in list(json, "InstanceProfileList")? {
            draft.text(sessions, "instance_profile", text(profile, "Arn")?);
        }
    }
    seen.push(implied(at, sessions, role.clone(), "").into());
    held_policies(json, "RolePolicyList", &role, at, draft, &mut seen)?;
    Ok(seen)
}

/// The policies of a user or a role, and the limit that they stay within.
fn held_policies(
    json: &Json<'_>,
    inline: &str,
    holder: &Option<Ref>,
    at: Time,
    draft: &mut Draft<'_>,
    seen: &mut Vec<Seen>,
) -> Result<(), Reject> {
    let policies = policies(json, inline, holder, draft)?;
    seen.extend(policies.into_iter().map(|policy| Seen::direct(held(at, holder.clone(), Some(policy), ""))));
    if let Some(limit) = json.present("PermissionsBoundary") {
        let limit = entitlements::boundary(draft, Some(text(limit, "PermissionsBoundaryArn")?));
        seen.push(Seen::direct(held(at, holder.clone(), limit, "")));
    }
    Ok(())
}

fn group(json: &Json<'_>, account: &str, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
    own_arn(json, account)?;
    let group = entitlements::group(draft, text(json, "GroupName")?);
    let mut seen = vec![defined(at, group.clone()).into()];
    let policies = policies(json, "GroupPolicyList", &group, draft)?;
    seen.extend(policies.into_iter().map(|policy| implied(at, group.clone(), Some(policy), "").into()));
    Ok(seen)
}

/// The policies that are attached to a holder, and those that are a part of it.
fn policies(json: &Json<'_>, inline: &str, holder: &Option<Ref>, draft: &mut Draft<'_>) -> Result<Vec<Ref>, Reject> {
    let mut policies = Vec::new();
    for attached in list(json, "AttachedManagedPolicies")? {
        policies.extend(entitlements::policy(draft, text(attached, "PolicyArn")?));
    }
    for part in list(json, inline)? {
        let name = text(part, "PolicyName")?;
        let policy = holder.as_ref().and_then(|holder| entitlements::inline_policy(draft, holder, name));
        if let Some(policy) = &policy {
            note_document(part.get("PolicyDocument"), policy, "document", draft);
        }
        policies.extend(policy);
    }
    Ok(policies)
}

/// A managed policy, AWS's own included, with what says which version counts.
fn policy(json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
    let policy = entitlements::policy(draft, text(json, "Arn")?);
    if let Some(policy) = &policy {
        if let Some(version) = json.text("DefaultVersionId") {
            draft.text(policy, "default_version", version);
        }
        let default = |version: &&Json<'_>| version.get("IsDefaultVersion").and_then(Json::as_bool) == Some(true);
        let version = list(json, "PolicyVersionList")?.iter().find(default);
        note_document(version.and_then(|version| version.get("Document")), policy, "document", draft);
    }
    Ok(vec![defined(at, policy).into()])
}

/// Notes the digest of a document, so that another one is seen to be another. AWS writes documents percent-encoded, and
/// some of its tools decode them: it is the same document.
fn note_document(document: Option<&Json<'_>>, of: &Ref, name: &str, draft: &mut Draft<'_>) {
    let digest =
        |json: &Json<'_>, raw: &str| json::hex(&json::content_digest(json, raw.as_bytes(), draft.context.digest_key));
    let digest = match document {
        Some(Json::Str(encoded)) => {
            let plain =
                if encoded.trim_start().starts_with('{') { encoded.as_ref().into() } else { percent_decoded(encoded) };
            match json::parse(plain.as_bytes()) {
                Ok(json) => digest(&json, &plain),
                Err(_) => digest(&Json::Str(plain.as_ref().into()), &plain),
            }
        }
        None | Some(Json::Null) => return,
        Some(json) => digest(json, &json.to_text()),
    };
    draft.text(of, name, &digest);
}

/// An account that is there. IAM has no users and roles that are switched off.
pub fn exists(at: Time, subject: Option<Ref>) -> Seen {
    Seen { status: AccountStatus::Seen, ..held(at, subject, None, "").into() }
}

pub fn held(at: Time, subject: Option<Ref>, object: Option<Ref>, scope: &str) -> Fact {
    Fact { subject, object, scope: scope.to_owned(), ..fact(FactKind::SnapshotItem, at) }
}

pub fn defined(at: Time, object: Option<Ref>) -> Fact {
    Fact { object, ..fact(FactKind::EntitlementDefined, at) }
}

/// That whoever holds the one holds the other as well.
pub fn implied(at: Time, object: Option<Ref>, gained: Option<Ref>, scope: &str) -> Fact {
    let detail = Entitlement { implies_added: gained.into_iter().collect(), ..Entitlement::default() };
    let detail = Some(Detail::Entitlement(detail));
    Fact { object, detail, scope: scope.to_owned(), ..fact(FactKind::EntitlementChanged, at) }
}
