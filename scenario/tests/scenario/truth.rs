//! The ground truth says nothing that the files do not show: each part of it is derived again, naively, from the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::cloud;
use crate::reader::{Reading, Ticket, gives, named, read, reference, state, text, time, values};
use counterfoil_scenario::{AccountStatus, Change, Company, Options, Rule, Truth, Verdict, generate};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const WINDOW: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Companies of several sizes and spans, beginning on working days and on a Saturday, each with its reading.
pub static COMPANIES: LazyLock<Vec<(Company, Reading)>> = LazyLock::new(|| {
    let sizes =
        [(1, 60, 6, "2026-01-01"), (2, 12, 1, "2026-02-01"), (3, 25, 3, "2025-11-15"), (4, 150, 9, "2024-02-29")];
    let company = |(seed, people, months, start): (u64, u32, u32, &str)| {
        let company = generate(&Options { seed, people, start: start.parse().unwrap(), months, ..Options::default() });
        let reading = read(&company, true);
        (company, reading)
    };
    sizes.map(company).into()
});

/// The company of the default options.
fn default_company() -> &'static (Company, Reading) {
    &COMPANIES[0]
}

#[test]
fn every_verdict_follows_from_the_files() {
    for (company, reading) in &*COMPANIES {
        let told = told(company, "okta");
        let mut seen = 0;
        for (_, event) in &reading.events {
            let Some((subject, items)) = gives(event) else { continue };
            for item in items {
                seen += 1;
                let uuid = event["uuid"].as_str().unwrap();
                let change = told.get(&(uuid, &*item)).unwrap_or_else(|| panic!("{uuid} {item} is not told"));
                check_change(change, reading, event, &subject, &item);
            }
        }
        assert_eq!(seen, told.len(), "a change is told that did not happen");
        let happened =
            reading.events.iter().filter(|(_, event)| event["eventType"] == "group.application_assignment.add");
        let happened: Vec<_> = happened.map(|(at, event)| (event["uuid"].as_str().unwrap(), *at)).collect();
        let told = company.truth.widened.iter().filter(|widened| widened.entitlement.starts_with("okta/"));
        let told: Vec<_> = told.map(|widened| (&*widened.event_uuid, widened.occurred_at)).collect();
        assert_eq!(happened, told);
        assert!(!told.is_empty());
    }
}

/// What is told of the changes in a system, by event and entitlement.
pub fn told<'c>(company: &'c Company, system: &str) -> BTreeMap<(&'c str, &'c str), &'c Change> {
    let of_it = || company.truth.changes.iter().filter(|change| change.entitlement.starts_with(system));
    let told: BTreeMap<_, _> = of_it().map(|change| ((&*change.event_uuid, &*change.entitlement), change)).collect();
    assert_eq!(told.len(), of_it().count(), "a change is told twice");
    told
}

fn check_change(change: &Change, reading: &Reading, event: &Value, subject: &str, item: &str) {
    let at = time(&event["published"]);
    check_basis(change, reading, reference(event), subject, item, at);
    let actor = &event["actor"]["alternateId"];
    assert_eq!((&*change.subject_login, change.occurred_at), (subject, at));
    assert_eq!(&change.executor_login, actor);
    assert_eq!(change.api_token_id.as_deref(), event["transaction"]["detail"]["requestApiTokenId"].as_str());
    assert_eq!(change.late_delivery, reading.late.contains(&change.event_uuid));
    assert_eq!(change.event_type, event["eventType"]);
}

/// What stands behind a change that names a ticket, or none.
pub fn check_basis(
    change: &Change,
    reading: &Reading,
    reference: Option<u64>,
    subject: &str,
    item: &str,
    at: Timestamp,
) {
    let (verdict, rule, numbers) = judge(reading, reference, subject, item, at);
    assert_eq!((change.verdict, change.rule), (verdict, rule), "{change:?}");
    let names: Vec<_> = numbers.iter().map(|number| format!("SR-{number}")).collect();
    if verdict == Verdict::Ambiguous {
        assert_eq!((&change.ticket, &change.candidates), (&None, &names));
    } else {
        assert_eq!((&change.ticket, &change.candidates), (&names.first().cloned(), &vec![]));
    }
    let ticket = change.ticket.as_ref().map(|_| &reading.tickets[&numbers[0]]);
    let approved_at = ticket.and_then(|ticket| ticket.approved_at().ok());
    assert_eq!(change.requester_email, ticket.map(|ticket| ticket.requester.clone()));
    assert_eq!(change.approved_at, approved_at);
    let rows = ticket.iter().flat_map(|ticket| ticket.rows.values());
    let said_yes: BTreeSet<_> = rows.filter(|row| row.status == 1).map(|row| &*row.approver).collect();
    let told_yes: BTreeSet<_> = change.approver_emails.iter().map(String::as_str).collect();
    assert_eq!(told_yes, if approved_at.is_some() { said_yes } else { BTreeSet::new() }, "{change:?}");
}

/// The verdict, the rule, and the tickets that it names.
fn judge(
    reading: &Reading,
    reference: Option<u64>,
    subject: &str,
    item: &str,
    at: Timestamp,
) -> (Verdict, Option<Rule>, Vec<u64>) {
    let asks = |ticket: &Ticket| ticket.adds && ticket.items.iter().any(|asked| asked == item);
    if let Some(number) = reference {
        let ticket = &reading.tickets[&number];
        assert!(asks(ticket), "SR-{number} does not ask for {item}");
        let verdict = match ticket.approved_at() {
            Err(true) => Verdict::Rejected,
            Err(false) => Verdict::Pending,
            Ok(_) if ticket.beneficiary != subject => Verdict::OtherBeneficiary,
            Ok(approved_at) if approved_at > at => Verdict::ApprovedLate,
            Ok(_) => Verdict::Approved,
        };
        return (verdict, Some(Rule::Explicit), vec![number]);
    }
    let naming: Vec<_> =
        reading.tickets.iter().filter(|(_, ticket)| asks(ticket) && ticket.beneficiary == subject).collect();
    let in_window = |ticket: &Ticket| {
        ticket.approved_at().is_ok_and(|approved_at| (approved_at..=approved_at + WINDOW).contains(&at))
    };
    let fitting: Vec<_> = naming.iter().filter(|(_, ticket)| in_window(ticket)).map(|(number, _)| **number).collect();
    match fitting.len() {
        0 => {
            assert!(naming.is_empty(), "{subject} {item}: a ticket names what nobody is said to have asked for");
            (Verdict::None, None, fitting)
        }
        1 => (Verdict::Approved, Some(Rule::Window), fitting),
        _ => (Verdict::Ambiguous, None, fitting),
    }
}

#[test]
fn every_state_follows_from_the_files() {
    for (company, reading) in &*COMPANIES {
        assert!((38..=42).contains(&company.truth.states.len()));
        for told in &company.truth.states {
            let (account, entitlements) = state(reading, &told.login, told.at);
            let told_account = serde_json::to_value(told.account).unwrap();
            assert_eq!((account, &entitlements), (told_account.as_str().unwrap(), &told.entitlements), "{told:?}");
        }
    }
    let kinds: Vec<_> = default_company().0.truth.states.iter().map(|state| state.account).collect();
    for kind in [AccountStatus::Absent, AccountStatus::Active, AccountStatus::Deactivated] {
        assert!(kinds.contains(&kind), "{kind:?} is never asked about");
    }
}

#[test]
fn each_verdict_is_planted() {
    let truth = &default_company().0.truth;
    let planted = |verdict| truth.changes.iter().filter(|change| change.verdict == verdict).count();
    for verdict in
        [Verdict::ApprovedLate, Verdict::OtherBeneficiary, Verdict::Rejected, Verdict::Pending, Verdict::None]
    {
        assert!(planted(verdict) >= 2, "{verdict:?}");
    }
    assert_eq!(planted(Verdict::Ambiguous), 1);
    let approved = planted(Verdict::Approved) * 100 / truth.changes.len();
    assert!((82..=88).contains(&approved), "{approved} % approved");
    let by_rule = |rule| truth.changes.iter().filter(|change| change.rule == Some(rule)).count();
    assert!(by_rule(Rule::Window) > 50 && by_rule(Rule::Explicit) > 500);
}

/// Two tickets may only fit the same change where that was planted.
#[test]
fn windows_of_one_beneficiary_and_item_do_not_overlap() {
    for (company, reading) in &*COMPANIES {
        let mut windows: BTreeMap<(&str, &str), Vec<(Timestamp, String)>> = BTreeMap::new();
        for (number, ticket) in reading.tickets.iter().filter(|(_, ticket)| ticket.adds && !ticket.incident) {
            for item in ticket.items.iter().filter(|_| ticket.approved_at().is_ok()) {
                let window = (ticket.approved_at().unwrap(), format!("SR-{number}"));
                windows.entry((&ticket.beneficiary, item)).or_default().push(window);
            }
        }
        let ambiguous = company.truth.changes.iter().find(|change| change.verdict == Verdict::Ambiguous).unwrap();
        for ((beneficiary, item), mut windows) in windows {
            windows.sort();
            for pair in windows.windows(2) {
                let planted = ambiguous.candidates.contains(&pair[0].1) && ambiguous.candidates.contains(&pair[1].1);
                assert!(planted || pair[0].0 + WINDOW < pair[1].0, "{beneficiary} {item}: {pair:?}");
            }
        }
    }
}

#[test]
fn freshservice_and_the_quorum_agree() {
    for (_, reading) in &*COMPANIES {
        for (number, ticket) in &reading.tickets {
            let expected = match ticket.approved_at() {
                _ if ticket.incident => "Not Requested",
                Ok(_) => "Approved",
                Err(true) => "Rejected",
                Err(false) => "Requested",
            };
            assert_eq!(ticket.approval_status_name, expected, "SR-{number}");
            let parties = [&ticket.requester, &ticket.beneficiary];
            assert!(ticket.rows.values().all(|row| !parties.contains(&&row.approver)), "SR-{number} approves itself");
        }
    }
}

#[test]
fn what_lapsed_or_was_kept_is_still_held() {
    for (company, reading) in &*COMPANIES {
        let end = reading.events.last().unwrap().0;
        let held = |login: &str, entitlement: &String| match entitlement.starts_with("okta/") {
            true => state(reading, login, end).1.contains(entitlement),
            false => cloud::held(&cloud::calls(company), login).contains(entitlement),
        };
        for lapsed in &company.truth.lapsed {
            let number: u64 = lapsed.ticket.strip_prefix("SR-").unwrap().parse().unwrap();
            assert!(held(&lapsed.login, &lapsed.entitlement), "{lapsed:?}");
            assert_eq!(reading.tickets[&number].until, Some(lapsed.until));
        }
        assert_eq!(company.truth.kept.len(), 2);
        for kept in &company.truth.kept {
            assert!(held(&kept.login, &kept.entitlement), "{kept:?}");
        }
    }
    assert!(!default_company().0.truth.lapsed.is_empty());
}

#[test]
fn the_story_is_as_told() {
    for (company, reading) in &*COMPANIES {
        let story = &company.truth.story;
        let on_time = read(company, false);
        let holds = |reading, login: &str, at, entitlement| state(reading, login, at).1.contains(entitlement);
        let before_end = reading.events.last().unwrap().0;
        assert!(holds(reading, &story.identity_login, story.past_at, &story.past_entitlement));
        assert!(!holds(reading, &story.identity_login, before_end, &story.past_entitlement));
        assert!(holds(&on_time, &story.late_identity_login, story.late_at, &story.late_entitlement));
        assert!(!holds(reading, &story.late_identity_login, story.late_at, &story.late_entitlement));

        let change = |uuid: &str| company.truth.changes.iter().find(|change| change.event_uuid == uuid).unwrap();
        let explained = change(&story.explained_change_uuid);
        let ticket = &reading.tickets[&story.explained_ticket.strip_prefix("SR-").unwrap().parse().unwrap()];
        assert_eq!((explained.verdict, explained.rule), (Verdict::Approved, Some(Rule::Explicit)));
        assert_eq!(ticket.rows.values().map(|row| row.level).max(), Some(2));
        let unapproved = change(&story.unapproved_change_uuid);
        assert_eq!((unapproved.verdict, &unapproved.subject_login), (Verdict::None, &story.identity_login));
        let late = company.truth.changes.iter().filter(|change| change.late_delivery).count();
        assert!(late >= 1, "no grant comes late");
    }
}

#[test]
fn the_counts_are_those_of_the_files() {
    let (company, reading) = default_company();
    let counts = &company.truth.counts;
    let lines: usize = (company.files.iter().filter(|file| file.name.starts_with("okta/system-log")))
        .map(|file| values(file).len())
        .sum();
    assert_eq!(counts.okta_events, reading.events.len());
    assert_eq!(counts.okta_duplicates, lines - reading.events.len());
    assert_eq!(counts.okta_late_events, reading.late.len());
    assert_eq!(counts.tickets, reading.tickets.len());
    assert_eq!(counts.ticket_versions, named(company, "freshservice/tickets.jsonl").len());
    assert_eq!(counts.approval_rows, reading.tickets.values().map(|ticket| ticket.rows.len()).sum::<usize>());
    assert_eq!(counts.approval_versions, named(company, "freshservice/approvals.jsonl").len());
    let failures = reading.events.iter().filter(|(_, event)| event["outcome"]["result"] == "FAILURE").count();
    assert_eq!(counts.okta_failures, failures);
    assert_eq!(counts.verdicts.values().sum::<usize>(), company.truth.changes.len());
    let kinds: BTreeSet<_> = reading.events.iter().map(|(_, event)| text(&event["eventType"])).collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
}

#[test]
fn the_ground_truth_survives_its_file() {
    let truth = generate(&Options { people: 12, months: 1, ..Options::default() }).truth;
    let read: Truth = serde_json::from_slice(&truth.to_json().unwrap()).unwrap();
    assert_eq!(read, truth);
}

/// What is easily confused stands beside the company, and is no part of it.
#[test]
fn near_misses_are_more_changes_and_no_other_ones() {
    for (people, months, start) in [(12, 1, "2026-02-01"), (25, 3, "2025-11-15")] {
        let options = Options { seed: 7, people, months, start: start.parse().unwrap(), ..Options::default() };
        let without = generate(&options).truth.changes;
        let with = generate(&Options { near_misses: 3, ..options }).truth.changes;
        let event = |change: &Change| change.event_uuid.clone();
        let before: BTreeSet<String> = without.iter().map(event).collect();
        let (same, more): (Vec<_>, Vec<_>) = with.into_iter().partition(|change| before.contains(&event(change)));
        let stands = |change: &Change| (event(change), change.verdict, change.rule, change.approved_at);
        assert_eq!(same.iter().map(stands).collect::<Vec<_>>(), without.iter().map(stands).collect::<Vec<_>>());

        let is_account = |change: &&Change| change.entitlement == "okta/account";
        let of = |verdict, rule| more.iter().filter(|one| (one.verdict, one.rule) == (verdict, rule)).count();
        assert_eq!(of(Verdict::Approved, Some(Rule::Explicit)), 3);
        assert_eq!(of(Verdict::Approved, Some(Rule::Transaction)), 3);
        assert_eq!(of(Verdict::Approved, Some(Rule::Window)), 3 * 8);
        assert_eq!(of(Verdict::OtherBeneficiary, Some(Rule::Explicit)), 3);
        assert_eq!(of(Verdict::Ambiguous, None), 3);
        let unasked = of(Verdict::None, None) - more.iter().filter(is_account).count();
        assert_eq!(unasked, 3 * 5);
        assert!(more.iter().filter(|one| one.verdict == Verdict::Ambiguous).all(|one| one.candidates.len() == 2));
    }
}
