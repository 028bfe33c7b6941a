//! What it costs to compare live access with the log.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Result, ensure};
use counterfoil_ingest::connectors;
use counterfoil_ingest::snapshot::{SnapshotOptions, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::{Clock, SystemClock};
use counterfoil_query::{Page, Views};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt};

use crate::figure::Figure;
use crate::stopwatch::{median, tell, timed};
use crate::subject;

const GROUPS: usize = 20;
const MEMBERS: usize = 500;
/// As many as make every one of them a member of ten groups.
const PEOPLE: usize = GROUPS * MEMBERS / 10;
const ROUNDS: usize = 3;

/// Reconciliation of all groups against asking who was in each of them.
pub fn measure(folder: &Path) -> Result<Vec<Figure>> {
    let location = subject::create(&folder.join("live"))?;
    let ledger = subject::open(&location)?;
    let log = folder.join("memberships.jsonl");
    std::fs::write(&log, memberships())?;
    subject::import_okta(&ledger, &log, GROUPS * MEMBERS)?;
    let mut inputs = Vec::with_capacity(GROUPS);
    for group in 0..GROUPS {
        let file = folder.join(format!("group{group}"));
        std::fs::write(&file, listing(group))?;
        inputs.push(Input::new(&file));
    }
    let mut seed_secret = [0; 32];
    getrandom::fill(&mut seed_secret).expect("the operating system has randomness");
    let options = SnapshotOptions {
        instance: "default".to_owned(),
        target: None,
        as_of: None,
        stated: false,
        received_at: SystemClock::new().read().wall,
        seed_secret,
    };
    let okta = connectors::by_name("okta").expect("there is a connector for Okta");
    let (taking, taken) = timed(|| Ok(take(&ledger, okta.as_ref(), &inputs, &options)?))?;
    ensure!(taken.listings.iter().all(|listing| listing.is_complete), "expected complete listings");
    let views = Views::open(&location.views(), ledger.reader())?;
    views.catch_up(&mut |_, _| ())?;
    let query = views.query()?;
    let at = OccurredAt(Moment { seconds: i64::from(i32::MAX), nanos: 0 });
    let (mut ours, mut baseline) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let page = Page { size: MEMBERS, token: String::new() };
        let (asked, held) = timed(|| {
            let ids = (0..GROUPS).map(|group| format!("entitlement:okta:default:group_member/{}", group_id(group)));
            let entities = ids.map(|id| Ok(id.parse::<EntityId>()?)).collect::<Result<Vec<_>>>()?;
            entities
                .iter()
                .map(|entity| Ok(query.holders(entity, at, None, &page)?.holders.len()))
                .sum::<Result<usize>>()
        })?;
        let (compared, answer) = timed(|| Ok(query.reconcile("okta", None, at, None)?))?;
        let total = answer.total.unwrap_or_default();
        let expected = (GROUPS * MEMBERS) as u64;
        ensure!(held as u64 == expected && total.unapproved == expected, "expected {expected} of each, got {total:?}");
        tell(&format!("round {round}: reconciled in {compared:.2?}, listed the holders in {asked:.2?}"));
        ours.push(compared);
        baseline.push(asked);
    }
    let name = format!("reconcile {} live grants, against listing their holders", GROUPS * MEMBERS);
    let seconds = |times| median(times).as_secs_f64();
    Ok(vec![
        Figure::at_most(2.0, &name, seconds(ours), seconds(baseline), "s"),
        Figure::plain("take listings of as many", (GROUPS * MEMBERS) as f64 / taking.as_secs_f64(), "items/s"),
    ])
}

fn user_id(person: usize) -> String {
    format!("00u{person:017}")
}

fn group_id(group: usize) -> String {
    format!("00g{group:017}")
}

/// The members of a group: neighbours share no more than a tenth of theirs.
fn members(group: usize) -> impl Iterator<Item = usize> {
    (0..MEMBERS).map(move |member| (group * MEMBERS + member * 7) % PEOPLE)
}

fn memberships() -> String {
    let mut text = String::new();
    let all = (0..GROUPS).flat_map(|group| members(group).map(move |person| (group, person)));
    for (number, (group, person)) in all.enumerate() {
        let (day, hour, minute) = (1 + number / 86_400 % 28, number / 3_600 % 24, number / 60 % 60);
        let _ = writeln!(
            text,
            r#"{{"uuid":"00000000-0000-4000-8000-{number:012}","published":"2026-01-{day:02}T{hour:02}:{minute:02}:00.000Z","eventType":"group.user_membership.add","actor":{{"id":"00u99999999999999999","type":"User","alternateId":"admin@example.com"}},"outcome":{{"result":"SUCCESS"}},"transaction":{{"id":"t{number}","detail":{{}}}},"debugContext":{{"debugData":{{"requestId":"r{number}"}}}},"target":[{{"id":"{}","type":"User","alternateId":"person{person}@example.com"}},{{"id":"{}","type":"UserGroup","displayName":"Group {group}"}}]}}"#,
            user_id(person),
            group_id(group),
        );
    }
    text
}

fn listing(group: usize) -> String {
    let user = |person: usize| {
        format!(
            r#"{{"id":"{}","status":"ACTIVE","profile":{{"login":"person{person}@example.com","email":"person{person}@example.com"}}}}"#,
            user_id(person)
        )
    };
    let users: Vec<String> = members(group).map(user).collect();
    format!(
        "HTTP/2 200\r\ndate: Sun, 01 Mar 2026 09:00:00 GMT\r\nlink: <https://example.okta.com/api/v1/groups/{}/users>; rel=\"self\"\r\n\r\n[{}]\n",
        group_id(group),
        users.join(",")
    )
}
