//! What is live in Okta when the story ends, as its API lists it, with planted differences from the log: and what each of
//! these accesses is. Owns the shapes of those listings and the drift. The files of the log know nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::action::{ActionIndex, Deed};
use crate::calendar::{hours, minutes, okta_time};
use crate::chronicle::Chronicle;
use crate::company::{Access, Company, Identity, IdentityIndex, READING_CIRCLE};
use crate::names::ROLES;
use crate::random::Random;
use crate::truth::{Live, LiveKind, Verdict};
use crate::{Delivery, File, Listings};

const ROOT: &str = "https://tallyhall.okta.example/api/v1/";
/// Elements on a page.
const PAGE: usize = 10;
/// How many differences of each kind are planted, where there is enough to plant them in.
const PLANTED: usize = 3;

type Pair = (IdentityIndex, Access);

/// The listings, and what is true of each access that is in them or should be.
pub(crate) fn listings(chronicle: &Chronicle, random: &mut Random) -> (Listings, Vec<Live>) {
    let mut now = Now::of(chronicle);
    now.drift(chronicle, random);
    let mut live: Vec<Live> = now.kinds.iter().map(|(pair, kind)| describe(chronicle, *pair, *kind)).collect();
    live.sort_by(|one, other| (&one.subject_id, &one.entitlement).cmp(&(&other.subject_id, &other.entitlement)));
    let files = render(chronicle, &now);
    (Listings { connector: "okta", files, scope: None, instance: None, as_of: None }, live)
}

/// What is live, and what each of it is.
struct Now {
    at: Timestamp,
    statuses: BTreeMap<IdentityIndex, &'static str>,
    /// Groups, applications and roles that somebody has, directly.
    held: BTreeSet<Pair>,
    kinds: BTreeMap<Pair, LiveKind>,
    /// What the log took away, and did not give again.
    taken: BTreeSet<Pair>,
    /// The application that a group gives its members.
    implied: Option<(usize, usize)>,
}

impl Now {
    /// As the log has it, with late events.
    fn of(chronicle: &Chronicle) -> Self {
        let mut now = Self {
            at: chronicle.span.end + hours(1),
            statuses: BTreeMap::new(),
            held: BTreeSet::new(),
            kinds: BTreeMap::new(),
            taken: BTreeSet::new(),
            implied: None,
        };
        let mut order: Vec<usize> = (0..chronicle.actions.len()).collect();
        order.retain(|action| chronicle.actions[*action].succeeded);
        order.sort_by_key(|action| (chronicle.actions[*action].at, *action));
        let mut given: BTreeMap<Pair, usize> = BTreeMap::new();
        for number in order {
            let action = &chronicle.actions[number];
            let (who, Some(deed)) = (action.subject, action.okta()) else { continue };
            let status = match deed {
                Deed::CreateAccount => Some("STAGED"),
                Deed::Activate | Deed::Unsuspend | Deed::Unlock => Some("ACTIVE"),
                Deed::Suspend => Some("SUSPENDED"),
                Deed::Lock => Some("LOCKED_OUT"),
                Deed::Deactivate => Some("DEPROVISIONED"),
                _ => None,
            };
            now.statuses.extend(status.map(|status| (who, status)));
            match deed {
                Deed::CreateAccount | Deed::Activate | Deed::Unsuspend => {
                    given.insert((who, Access::Account), number);
                }
                Deed::Suspend | Deed::Deactivate => {
                    given.remove(&(who, Access::Account));
                }
                Deed::JoinGroup(group) => {
                    given.insert((who, Access::Group(*group)), number);
                }
                Deed::AssignApp(app) => {
                    given.insert((who, Access::App(*app)), number);
                }
                Deed::GrantRoles(roles) => given.extend(roles.iter().map(|role| ((who, Access::Role(*role)), number))),
                Deed::LeaveGroup(group) => now.take((who, Access::Group(*group)), &mut given),
                Deed::UnassignApp(app) => now.take((who, Access::App(*app)), &mut given),
                Deed::RevokeRoles(roles) => {
                    roles.iter().for_each(|role| now.take((who, Access::Role(*role)), &mut given));
                }
                Deed::AssignGroupApp { group, app } => now.implied = Some((*group, *app)),
                _ => {}
            }
        }
        now.taken.retain(|pair| !given.contains_key(pair));
        for (pair, action) in given {
            now.kinds.insert(pair, kind(chronicle, ActionIndex(action), pair.1, now.at));
            if pair.1 != Access::Account {
                now.held.insert(pair);
            }
        }
        now
    }

    fn take(&mut self, pair: Pair, given: &mut BTreeMap<Pair, usize>) {
        given.remove(&pair);
        self.taken.insert(pair);
    }

    /// Plants each kind of difference. The reading circle stays as it is, since its members have more through it.
    fn drift(&mut self, chronicle: &Chronicle, random: &mut Random) {
        let is_free = |pair: &Pair| pair.1 != Access::Group(READING_CIRCLE);
        let some = |pairs: Vec<Pair>, random: &mut Random| {
            let mut pairs: Vec<Pair> = pairs.into_iter().filter(is_free).collect();
            random.shuffle(&mut pairs);
            pairs.truncate(PLANTED);
            pairs
        };
        let in_time = |now: &Self, pair: &Pair| matches!(now.kinds[pair], LiveKind::Approved | LiveKind::Unapproved);
        let lost: Vec<Pair> = self.held.iter().copied().filter(|pair| in_time(self, pair)).collect();
        for pair in some(lost, random) {
            self.held.remove(&pair);
            self.kinds.insert(pair, LiveKind::Missing);
        }
        let taken: Vec<Pair> = self.taken.iter().copied().collect();
        for pair in some(taken, random) {
            self.held.insert(pair);
            self.kinds.insert(pair, LiveKind::Revoked);
        }
        let company = &chronicle.company;
        let accounts: Vec<IdentityIndex> = self.statuses.keys().copied().collect();
        let known: BTreeSet<Pair> = self.kinds.keys().chain(&self.taken).copied().collect();
        let groups = (0..company.groups.len()).map(Access::Group);
        let apps = (0..company.apps.len()).map(Access::App).filter(|app| Some(*app) != self.implied_app());
        let roles = (0..ROLES.len()).map(Access::Role);
        let strange = groups.chain(apps).chain(roles).flat_map(|access| accounts.iter().map(move |who| (*who, access)));
        for pair in some(strange.filter(|pair| !known.contains(pair)).collect(), random) {
            self.held.insert(pair);
            self.kinds.insert(pair, LiveKind::Unrecorded);
        }
        // One account that is switched off behind the log's back, and one that is on again.
        let with = |status: &str| -> Vec<IdentityIndex> {
            self.statuses.iter().filter(|(_, of)| **of == status).map(|(who, _)| *who).collect()
        };
        let (on, off) = (with("ACTIVE"), with("DEPROVISIONED"));
        let who = *random.pick(&on);
        self.statuses.insert(who, "DEPROVISIONED");
        self.kinds.insert((who, Access::Account), LiveKind::Missing);
        if !off.is_empty() {
            let who = *random.pick(&off);
            self.statuses.insert(who, "ACTIVE");
            self.kinds.insert((who, Access::Account), LiveKind::Revoked);
        }
    }

    fn implied_app(&self) -> Option<Access> {
        self.implied.map(|(_, app)| Access::App(app))
    }

    /// Those who have an access, and whether they have it through a group.
    fn holders(&self, access: Access) -> Vec<(IdentityIndex, bool)> {
        let mut holders: Vec<(IdentityIndex, bool)> =
            self.held.iter().filter(|(_, held)| *held == access).map(|(who, _)| (*who, false)).collect();
        if let (Some((group, _)), true) = (self.implied, self.implied_app() == Some(access)) {
            let through = self.held.iter().filter(|(_, held)| *held == Access::Group(group)).map(|(who, _)| *who);
            let through: Vec<_> = through.filter(|who| !self.held.contains(&(*who, access))).collect();
            holders.extend(through.into_iter().map(|who| (who, true)));
        }
        holders
    }
}

/// What an access is that the log gave and did not take.
pub(crate) fn kind(chronicle: &Chronicle, action: ActionIndex, access: Access, at: Timestamp) -> LiveKind {
    let planned = chronicle.changes.iter().find(|change| change.action == action && change.access == access);
    let basis = planned.map(|planned| planned.basis).expect("what gives access is planned");
    let until = basis.case.and_then(|case| chronicle.cases[case.0].until);
    match basis.verdict {
        Verdict::Approved if until.is_some_and(|until| until <= at - minutes(1)) => LiveKind::Expired,
        Verdict::Approved => LiveKind::Approved,
        _ => LiveKind::Unapproved,
    }
}

fn describe(chronicle: &Chronicle, (who, access): Pair, kind: LiveKind) -> Live {
    let identity = chronicle.company.of(who);
    Live {
        login: identity.login.clone(),
        subject_id: identity.okta_id.clone(),
        entitlement: chronicle.company.item(access),
        kind,
    }
}

fn render(chronicle: &Chronicle, now: &Now) -> Vec<File> {
    let company = &chronicle.company;
    let user = |who: &IdentityIndex| user(company.of(*who), now.statuses.get(who).copied().unwrap_or("ACTIVE"));
    let (gone, there): (Vec<_>, Vec<_>) = now.statuses.iter().partition(|(_, status)| **status == "DEPROVISIONED");
    let users = |of: Vec<(&IdentityIndex, &&str)>| of.into_iter().map(|(who, _)| user(who)).collect::<Vec<_>>();
    let mut files = vec![
        pages("users", "users", now.at, users(there)),
        pages("users-deprovisioned", "users?filter=status+eq+%22DEPROVISIONED%22", now.at, users(gone)),
    ];
    for (number, group) in company.groups.iter().enumerate() {
        let members = now.holders(Access::Group(number)).iter().map(|(who, _)| user(who)).collect();
        files.push(pages(&format!("group-{number:02}"), &format!("groups/{}/users", group.id), now.at, members));
    }
    for (number, app) in company.apps.iter().enumerate() {
        let holders = now.holders(Access::App(number));
        let users = holders.iter().map(|(who, through)| app_user(company, *who, *through)).collect();
        files.push(pages(&format!("app-{number:02}"), &format!("apps/{}/users", app.id), now.at, users));
    }
    let with_roles = |pair: &&Pair| matches!(pair.1, Access::Role(_));
    let holders: BTreeSet<IdentityIndex> =
        now.held.iter().chain(now.kinds.keys()).filter(with_roles).map(|(who, _)| *who).collect();
    for who in holders {
        let roles = (0..ROLES.len()).filter(|role| now.held.contains(&(who, Access::Role(*role)))).map(role).collect();
        let id = &company.of(who).okta_id;
        files.push(pages(&format!("roles-{:03}", who.0), &format!("users/{id}/roles"), now.at, roles));
    }
    files
}

/// A listing as `curl -i` keeps it, a page behind the other.
fn pages(name: &str, path: &str, at: Timestamp, elements: Vec<Value>) -> File {
    let joined = if path.contains('?') { '&' } else { '?' };
    let count = elements.len().div_ceil(PAGE).max(1);
    let address = |page: usize| match page {
        0 => format!("{ROOT}{path}{joined}limit={PAGE}"),
        page => format!("{ROOT}{path}{joined}after=page{page}&limit={PAGE}"),
    };
    let mut text = String::new();
    for page in 0..count {
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT");
        text.push_str(&format!("HTTP/2 200 \r\ndate: {date}\r\ncontent-type: application/json\r\n"));
        text.push_str(&format!("link: <{}>; rel=\"self\"\r\n", address(page)));
        if page + 1 < count {
            text.push_str(&format!("link: <{}>; rel=\"next\"\r\n", address(page + 1)));
        }
        let elements: Vec<Value> = elements.iter().skip(page * PAGE).take(PAGE).cloned().collect();
        text.push_str(&format!("\r\n{}\n", Value::from(elements)));
    }
    File {
        name: format!("okta-live/{name}.http"),
        connector: "okta",
        delivery: Delivery::OnTime,
        bytes: text.into_bytes(),
    }
}

fn user(identity: &Identity, status: &str) -> Value {
    json!({
        "_links": { "self": { "href": format!("{ROOT}users/{}", identity.okta_id) } },
        "activated": okta_time(identity.from),
        "created": okta_time(identity.from),
        "credentials": { "password": {}, "provider": { "name": "OKTA", "type": "OKTA" } },
        "id": identity.okta_id,
        "lastUpdated": okta_time(identity.from),
        "profile": {
            "email": identity.login, "firstName": identity.first_name, "lastName": identity.last_name,
            "login": identity.login, "title": identity.job_title
        },
        "status": status
    })
}

fn app_user(company: &Company, who: IdentityIndex, through_group: bool) -> Value {
    let identity = company.of(who);
    json!({
        "created": okta_time(identity.from),
        "credentials": { "userName": identity.login },
        "id": identity.okta_id,
        "profile": { "name": identity.display_name() },
        "scope": if through_group { "GROUP" } else { "USER" },
        "status": "ACTIVE",
        "syncState": "DISABLED"
    })
}

fn role(number: usize) -> Value {
    let (kind, label) = ROLES[number];
    json!({ "assignmentType": "USER", "id": format!("ra{number}"), "label": label, "status": "ACTIVE", "type": kind })
}
