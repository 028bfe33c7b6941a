//! Okta events for the benchmarks: an endless stream over a large directory, and the long history of one identity.
//! Shorter than the company's events (about 530 bytes a line) and written straight into bytes, so that generating them
//! costs less than what is measured. Owns no story: nothing here has a ticket.

use std::io::Write;

use jiff::{SignedDuration, Timestamp};

use crate::calendar::{midnight, okta_time};
use crate::company::DOMAIN;
use crate::random::{Random, uuid_text};

const USERS: usize = 2000;
const GROUPS: usize = 200;
const APPS: usize = 20;
/// 2,000 events an hour.
const MEAN_GAP_MILLISECONDS: i64 = 1800;
const HISTORY_GROUPS: usize = 40;
const HISTORY_GAP: SignedDuration = SignedDuration::from_mins(10);

/// Native Okta events without end, one line of JSON each (no line feed): group memberships and app assignments that come
/// and go, and sign-ins. Every removal follows its grant. The company's time passes at 2,000 events an hour from 2026 on.
pub fn okta_events(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    okta_events_among(seed, USERS)
}

/// The same among so many users.
pub fn okta_events_among(seed: u64, users: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random::new(seed, "stream");
    let directory = Directory::new(&mut random, users, None);
    let mut member = vec![false; users * GROUPS];
    let mut assigned = vec![false; users * APPS];
    let mut at = start();
    std::iter::repeat_with(move || {
        at += SignedDuration::from_millis(random.between(0, 2 * MEAN_GAP_MILLISECONDS));
        let user = random.below(users as u64) as usize;
        match random.below(100) {
            0..42 => {
                let group = random.below(GROUPS as u64) as usize;
                let held = flip(&mut member[user * GROUPS + group]);
                directory.membership(&mut random, at, user, group, held)
            }
            42..52 => {
                let app = random.below(APPS as u64) as usize;
                let held = flip(&mut assigned[user * APPS + app]);
                directory.assignment(&mut random, at, user, app, held)
            }
            _ => directory.sign_in(&mut random, at, user),
        }
    })
}

/// Lines of JSON: one identity with so many events that change its state: its account is created and activated, then it
/// joins and leaves up to 40 groups, an event every ten minutes.
pub fn okta_history(seed: u64, login: &str, events: usize) -> Vec<u8> {
    let mut random = Random::new(seed, "history");
    let directory = Directory::new(&mut random, 1, Some(login));
    let mut member = [false; HISTORY_GROUPS];
    let mut at = start();
    let mut bytes = Vec::new();
    for n in 0..events {
        let line = match n {
            0 => directory.lifecycle(&mut random, at, "user.lifecycle.create"),
            1 => directory.lifecycle(&mut random, at, "user.lifecycle.activate"),
            _ => {
                let group = random.below(HISTORY_GROUPS as u64) as usize;
                let held = flip(&mut member[group]);
                directory.membership(&mut random, at, 0, group, held)
            }
        };
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
        at = at.saturating_add(HISTORY_GAP).unwrap_or(at);
    }
    bytes
}

/// Who and what the events are about.
struct Directory {
    /// Id and login.
    users: Vec<(String, String)>,
    groups: Vec<String>,
    apps: Vec<String>,
    token: String,
    provisioner: String,
}

impl Directory {
    fn new(random: &mut Random, users: usize, login: Option<&str>) -> Directory {
        let login = |n: usize| login.map_or_else(|| format!("person{n:04}@{DOMAIN}"), str::to_owned);
        Directory {
            users: (0..users).map(|n| (random.okta_id("00u"), login(n))).collect(),
            groups: (0..GROUPS).map(|_| random.okta_id("00g")).collect(),
            apps: (0..APPS).map(|_| random.okta_id("0oa")).collect(),
            token: random.okta_id("00T"),
            provisioner: random.okta_id("00u"),
        }
    }

    fn membership(&self, random: &mut Random, at: Timestamp, user: usize, group: usize, held: bool) -> Vec<u8> {
        let kind = if held { "group.user_membership.add" } else { "group.user_membership.remove" };
        let group_id = &self.groups[group];
        let group = format!(r#"{{"id":"{group_id}","type":"UserGroup","displayName":"Group {group:03}"}}"#);
        let targets = if random.chance(50) { [self.user(user), group] } else { [group, self.user(user)] };
        self.event(random, at, kind, &self.by_provisioner(), &targets.join(","), true)
    }

    fn assignment(&self, random: &mut Random, at: Timestamp, user: usize, app: usize, held: bool) -> Vec<u8> {
        let kind = if held { "application.user_membership.add" } else { "application.user_membership.remove" };
        let app_id = &self.apps[app];
        let app = format!(r#"{{"id":"{app_id}","type":"AppInstance","displayName":"App {app:02}"}}"#);
        let app_user = format!(r#"{{"id":"0ua{}","type":"AppUser"}}"#, &self.users[user].0[3..]);
        let mut targets = [self.user(user), app, app_user];
        random.shuffle(&mut targets);
        self.event(random, at, kind, &self.by_provisioner(), &targets.join(","), true)
    }

    fn sign_in(&self, random: &mut Random, at: Timestamp, user: usize) -> Vec<u8> {
        self.event(random, at, "user.session.start", &self.user(user), "", false)
    }

    fn lifecycle(&self, random: &mut Random, at: Timestamp, kind: &str) -> Vec<u8> {
        self.event(random, at, kind, &self.by_provisioner(), &self.user(0), true)
    }

    fn user(&self, user: usize) -> String {
        let (id, login) = &self.users[user];
        format!(r#"{{"id":"{id}","type":"User","alternateId":"{login}"}}"#)
    }

    fn by_provisioner(&self) -> String {
        format!(r#"{{"id":"{}","type":"User","alternateId":"svc-provisioner@{DOMAIN}"}}"#, self.provisioner)
    }

    fn event(
        &self,
        random: &mut Random,
        at: Timestamp,
        kind: &str,
        actor: &str,
        target: &str,
        by_token: bool,
    ) -> Vec<u8> {
        let uuid = uuid_text(random.uuid());
        let published = okta_time(at);
        let transaction = random.hex();
        let mut line = Vec::with_capacity(640);
        let written = if by_token {
            let token = &self.token;
            write!(
                line,
                r#"{{"uuid":"{uuid}","published":"{published}","eventType":"{kind}","version":"0","actor":{actor},"outcome":{{"result":"SUCCESS"}},"target":[{target}],"transaction":{{"type":"WEB","id":"{transaction}","detail":{{"requestApiTokenId":"{token}"}}}}}}"#
            )
        } else {
            let host = random.between(2, 250);
            write!(
                line,
                r#"{{"uuid":"{uuid}","published":"{published}","eventType":"{kind}","version":"0","actor":{actor},"client":{{"device":"Computer","ipAddress":"198.51.100.{host}","userAgent":{{"browser":"FIREFOX","os":"Windows 11"}},"zone":"null"}},"outcome":{{"result":"SUCCESS"}},"target":null,"transaction":{{"type":"WEB","id":"{transaction}","detail":{{}}}}}}"#
            )
        };
        written.expect("writing to memory does not fail");
        line
    }
}

/// Turns it over; whether it is now held.
fn flip(held: &mut bool) -> bool {
    *held = !*held;
    *held
}

fn start() -> Timestamp {
    midnight(jiff::civil::date(2026, 1, 1))
}
