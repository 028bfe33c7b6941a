//! Who and what there is: people, service accounts and agents, departments, groups and apps, and the dates on which
//! people join, move, pause and leave. Owns identities and names. Says nothing about tickets or events.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::calendar::{Span, days, some_time};
use crate::cloud::CloudAccess;
use crate::names::{
    APPS, DEPARTMENTS, FIRST_NAMES, GROUP_RIGHTS, GROUP_SYSTEMS, LAST_NAMES, ROLES, SERVICES, STORY_GROUPS,
};
use crate::random::Random;

pub(crate) const DOMAIN: &str = "tallyhall.example";
/// Fewer people than this cannot fill the roles of the story.
pub(crate) const PEOPLE_MIN: u32 = 12;
pub(crate) const ALL_STAFF: usize = 0;
pub(crate) const AUTOMATION: usize = 1;
pub(crate) const READING_CIRCLE: usize = 2;

/// Everything that exists in the company during the span.
pub(crate) struct Company {
    pub(crate) identities: Vec<Identity>,
    pub(crate) departments: Vec<Department>,
    pub(crate) groups: Vec<Named>,
    pub(crate) apps: Vec<Named>,
    /// Console administrators; the first is the one the system itself sets up.
    pub(crate) admins: Vec<IdentityIndex>,
    pub(crate) provisioner: IdentityIndex,
    pub(crate) services: Vec<IdentityIndex>,
    pub(crate) agents: Vec<IdentityIndex>,
    /// A service account that nobody asked for.
    pub(crate) ghost: IdentityIndex,
    pub(crate) movers: Vec<Mover>,
    pub(crate) breaks: Vec<Break>,
    pub(crate) cast: StoryCast,
    pub(crate) story_groups: [usize; STORY_GROUPS.len()],
    /// What anybody may ask for.
    pub(crate) elective_groups: Vec<usize>,
    pub(crate) elective_apps: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct IdentityIndex(pub(crate) usize);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    Person,
    /// Somebody of the near misses, who plays no other part.
    Lookalike,
    Service,
    Agent,
}

pub(crate) struct Identity {
    pub(crate) nature: Nature,
    pub(crate) okta_id: String,
    pub(crate) login: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) job_title: String,
    /// As of the start, or of joining.
    pub(crate) department: usize,
    pub(crate) manager: Option<IdentityIndex>,
    pub(crate) freshservice_id: u64,
    /// Works in the service desk: a Freshservice agent.
    pub(crate) helpdesk: bool,
    /// When Freshservice learns of it; never, for the ghost.
    pub(crate) known_from: Option<Timestamp>,
    /// When the account is created.
    pub(crate) from: Timestamp,
    pub(crate) until: Option<Timestamp>,
}

pub(crate) struct Department {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) head: IdentityIndex,
    pub(crate) technical: bool,
    pub(crate) baseline: Vec<Access>,
}

/// A group or an app.
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// What can be asked for and given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Access {
    Account,
    Group(usize),
    App(usize),
    Role(usize),
    ApiToken,
    OauthClient,
    Cloud(CloudAccess),
}

pub(crate) struct Mover {
    pub(crate) who: IdentityIndex,
    pub(crate) at: Timestamp,
    pub(crate) to: usize,
}

pub(crate) struct Break {
    pub(crate) who: IdentityIndex,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// The people the told story is about. They neither move nor leave.
pub(crate) struct StoryCast {
    /// Had an access, lost it, and got another that nobody approved.
    pub(crate) hero: IdentityIndex,
    /// Lost an access, and the log of it comes late.
    pub(crate) latecomer: IdentityIndex,
    /// Was given an access and lost it again, and the log of both comes late.
    pub(crate) passer: IdentityIndex,
}

impl Company {
    pub(crate) fn of(&self, who: IdentityIndex) -> &Identity {
        &self.identities[who.0]
    }

    /// As a ticket's item and as the ground truth name it.
    pub(crate) fn item(&self, access: Access) -> String {
        match access {
            Access::Account => "okta/account".into(),
            Access::Group(group) => format!("okta/group_member/{}", self.groups[group].id),
            Access::App(app) => format!("okta/app_assignment/{}", self.apps[app].id),
            Access::Role(role) => format!("okta/role/{}", ROLES[role].0),
            Access::ApiToken => "okta/api_token".into(),
            Access::OauthClient => "okta/oauth_client".into(),
            Access::Cloud(access) => access.item(),
        }
    }

    /// As people call it.
    pub(crate) fn name(&self, access: Access) -> &str {
        match access {
            Access::Account => "Okta account",
            Access::Group(group) => &self.groups[group].name,
            Access::App(app) => &self.apps[app].name,
            Access::Role(role) => ROLES[role].1,
            Access::ApiToken => "Okta API token",
            Access::OauthClient => "OAuth client",
            Access::Cloud(access) => access.name(),
        }
    }

    /// Account, groups and apps that come with a department.
    pub(crate) fn baseline(&self, department: usize) -> Vec<Access> {
        let mut items = vec![Access::Account, Access::Group(ALL_STAFF), Access::App(0), Access::App(1)];
        items.extend(&self.departments[department].baseline);
        items
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = IdentityIndex> {
        (0..self.identities.len()).map(IdentityIndex).filter(|who| self.of(*who).nature == Nature::Person)
    }
}

impl Identity {
    pub(crate) fn display_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// Employed, and settled enough to ask for things, until well before leaving.
    pub(crate) fn settled_at(&self, at: Timestamp) -> bool {
        self.from + days(6) < at && self.until.is_none_or(|until| at < until - days(2))
    }
}

/// Founds the company of so many people (at least [`PEOPLE_MIN`]) and settles who comes and goes in the span.
pub(crate) fn found(people: u32, months: u32, span: &Span, random: &mut Random) -> Company {
    let people = people.max(PEOPLE_MIN) as usize;
    let months = months.max(1) as usize;
    let department_count = (people / 6).clamp(4, DEPARTMENTS.len());
    let mut company = places(department_count, people, random);
    let mut logins = BTreeSet::new();

    for n in 0..people {
        let person = person(n % department_count, n < department_count, n, span.start, &mut logins, random);
        company.identities.push(person);
    }
    for n in 0..(people * months / 60).max(1) {
        let from = some_time(random, span.start + days(12), span.end - days(8));
        let department = n % department_count;
        let mut joiner = person(department, false, people + n, from, &mut logins, random);
        joiner.known_from = Some(from - days(9));
        company.identities.push(joiner);
    }
    for n in 0..company.identities.len() {
        let head = company.departments[company.identities[n].department].head;
        company.identities[n].manager = [head, IdentityIndex(1)].into_iter().find(|manager| manager.0 != n);
        company.identities[n].helpdesk = n < department_count || company.admins.contains(&IdentityIndex(n));
    }
    choose_lives(&mut company, people, department_count, months, span, random);
    add_machines(&mut company, people, span, random);
    company
}

/// Departments, groups and apps, with nobody in them yet.
fn places(department_count: usize, people: usize, random: &mut Random) -> Company {
    let mut groups = Vec::new();
    let mut apps = Vec::new();
    let mut add = |list: &mut Vec<Named>, prefix: &str, name: String| {
        list.push(Named { id: random.okta_id(prefix), name });
        list.len() - 1
    };
    for name in ["All Staff", "Automation Accounts", "Reading Circle"] {
        add(&mut groups, "00g", name.into());
    }
    for name in APPS {
        add(&mut apps, "0oa", name.into());
    }
    let departments = (0..department_count)
        .map(|n| {
            let words = &DEPARTMENTS[n];
            let mut baseline = words.groups.map(|name| Access::Group(add(&mut groups, "00g", name.into()))).to_vec();
            baseline.push(Access::App(add(&mut apps, "0oa", words.app.into())));
            let id = 21_000_300_000 + 11 * n as u64;
            Department { id, name: words.name, head: IdentityIndex(n), technical: words.technical, baseline }
        })
        .collect();
    let story_groups = STORY_GROUPS.map(|name| add(&mut groups, "00g", name.into()));
    let elective_groups = (0..40 + people / 5)
        .map(|n| {
            let series = n / (GROUP_SYSTEMS.len() * GROUP_RIGHTS.len());
            let right = GROUP_RIGHTS[n / GROUP_SYSTEMS.len() % GROUP_RIGHTS.len()];
            let suffix = if series == 0 { String::new() } else { format!(" {}", series + 1) };
            add(&mut groups, "00g", format!("{} {right}{suffix}", GROUP_SYSTEMS[n % GROUP_SYSTEMS.len()]))
        })
        .collect();
    let admins = (1..4).map(|n| IdentityIndex(n * department_count)).filter(|admin| admin.0 < people).collect();
    let nobody = IdentityIndex(0);
    Company {
        identities: Vec::new(),
        departments,
        groups,
        apps,
        admins,
        provisioner: nobody,
        services: Vec::new(),
        agents: Vec::new(),
        ghost: nobody,
        movers: Vec::new(),
        breaks: Vec::new(),
        cast: StoryCast { hero: nobody, latecomer: nobody, passer: nobody },
        story_groups,
        elective_groups,
        // The first two come with every account, the last with membership of the reading circle.
        elective_apps: (2..APPS.len() - 1).collect(),
    }
}

fn person(
    department: usize,
    head: bool,
    n: usize,
    from: Timestamp,
    logins: &mut BTreeSet<String>,
    random: &mut Random,
) -> Identity {
    let (first, first_login) = *random.pick(&FIRST_NAMES);
    let (last, last_login) = *random.pick(&LAST_NAMES);
    let mut login = format!("{first_login}.{last_login}@{DOMAIN}");
    let mut namesakes = 1;
    while !logins.insert(login.clone()) {
        namesakes += 1;
        login = format!("{first_login}.{last_login}{namesakes}@{DOMAIN}");
    }
    let words = &DEPARTMENTS[department];
    Identity {
        nature: Nature::Person,
        okta_id: random.okta_id("00u"),
        login,
        first_name: first.into(),
        last_name: last.into(),
        job_title: if head { words.head } else { *random.pick(&words.titles) }.into(),
        department,
        manager: None,
        freshservice_id: 21_000_400_000 + 7 * n as u64,
        helpdesk: false,
        known_from: Some(from),
        from,
        until: None,
    }
}

/// Who plays in the story, who moves, who leaves, who pauses: each person at most one of these.
fn choose_lives(
    company: &mut Company,
    people: usize,
    department_count: usize,
    months: usize,
    span: &Span,
    random: &mut Random,
) {
    let mut free: Vec<IdentityIndex> =
        (department_count..people).map(IdentityIndex).filter(|who| !company.admins.contains(who)).collect();
    random.shuffle(&mut free);
    let mut free = free.into_iter();
    let mut next = || free.next().expect("twelve people leave six who are neither heads nor administrators");
    company.cast = StoryCast { hero: next(), latecomer: next(), passer: next() };

    let room = (people - 9) / 3;
    for _ in 0..(people * months / 90).clamp(1, room) {
        let who = next();
        let at = some_time(random, span.permille(300).max(span.start + days(12)), span.permille(850));
        let to =
            (company.of(who).department + 1 + random.below(department_count as u64 - 1) as usize) % department_count;
        company.movers.push(Mover { who, at, to });
    }
    for _ in 0..(people * months / 72).clamp(1, room) {
        let at = some_time(random, span.permille(400).max(span.start + days(14)), span.end - days(4));
        company.identities[next().0].until = Some(at);
    }
    if months >= 2 && people >= 24 {
        for _ in 0..(people * months / 180).clamp(1, people / 12) {
            let from = some_time(random, span.permille(350), span.permille(450));
            let to = some_time(random, from + part(span, 120), from + part(span, 200));
            company.breaks.push(Break { who: next(), from, to });
        }
    }
}

/// Service accounts, AI agents and the ghost.
fn add_machines(company: &mut Company, people: usize, span: &Span, random: &mut Random) {
    let mut add = |random: &mut Random, nature, name: &str, title: &str, from: Timestamp, known_from| {
        let n = company.identities.len();
        let mut machine = person(0, false, n, from, &mut BTreeSet::new(), random);
        machine.nature = nature;
        machine.login = format!("{name}@{DOMAIN}");
        machine.first_name = title.into();
        machine.last_name = String::new();
        machine.job_title = "Automation".into();
        machine.manager = Some(IdentityIndex(0));
        machine.known_from = known_from;
        company.identities.push(machine);
        IdentityIndex(n)
    };
    let provisioner =
        add(random, Nature::Service, "svc-provisioner", "Freshservice provisioner", span.start, Some(span.start));
    let mut services = Vec::new();
    for n in 0..2 + people / 30 {
        let from = some_time(random, span.permille(60).max(span.start + days(6)), span.permille(600));
        let purpose = SERVICES[n % SERVICES.len()];
        let series = if n < SERVICES.len() { String::new() } else { format!("-{}", n / SERVICES.len() + 1) };
        let login = format!("svc-{purpose}{series}");
        services.push(add(
            random,
            Nature::Service,
            &login,
            &format!("Service account {purpose}{series}"),
            from,
            Some(from - days(4)),
        ));
    }
    let mut agents = Vec::new();
    for n in 0..1 + people / 200 {
        let from = some_time(
            random,
            span.permille(150).max(span.start + days(6)),
            span.permille(220).max(span.start + days(7)),
        );
        let series = if n == 0 { String::new() } else { format!("-{}", n + 1) };
        agents.push(add(
            random,
            Nature::Agent,
            &format!("agent-triage{series}"),
            &format!("Triage agent{series}"),
            from,
            Some(from - days(4)),
        ));
    }
    let from = some_time(random, span.permille(500), span.permille(700));
    let ghost = add(random, Nature::Service, "svc-legacy-sync", "Legacy sync", from, None);
    company.provisioner = provisioner;
    company.services = services;
    company.agents = agents;
    company.ghost = ghost;
}

fn part(span: &Span, thousandths: i64) -> SignedDuration {
    SignedDuration::from_secs(span.seconds() * thousandths / 1000)
}
