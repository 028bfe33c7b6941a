//! What people are told where a bare answer would leave them alone: nothing there, something else there, too much there.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::process::Command;

use common::{check_answer, company_ledger, events, import};
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    Authentication, Explanation, ListChangesResponse, ListDeadLettersResponse, ListHoldersResponse,
    ListIdentitiesResponse, Party, Verdict,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::{event, joined, left, login, user_id};
use counterfoil_tests::program::{LedgerFolder, ORIGIN, command, program, run};

const GROUP: &str = "entitlement:okta:default:group_member/00g00000000000000001";

#[test]
fn an_entitlement_shows_who_holds_it() {
    let ledger = LedgerFolder::init();
    let history = [
        joined(1, "2026-03-01T09:00:00Z", 1, 1),
        joined(2, "2026-03-01T10:00:00Z", 2, 1),
        left(3, "2026-03-02T09:00:00Z", 1, 1),
        left(4, "2026-03-03T09:00:00Z", 2, 1),
    ];
    import(&ledger, &ledger.file("a.jsonl", lines(&history)));
    let state = |at: &str| ledger.run(&["state", GROUP, "--at", at]).ended(0).text().to_owned();
    let held_by = |text: &str, number: u32| {
        text.lines().any(|line| line.contains("held by") && line.contains(&format!("Person {number}")))
    };
    for (at, holders) in [("2026-03-01T09:30:00Z", vec![1]), ("2026-03-02Z", vec![1, 2]), ("2026-03-03Z", vec![2])] {
        let text = state(at);
        assert_eq!([1, 2].into_iter().filter(|number| held_by(&text, *number)).collect::<Vec<_>>(), holders, "{text}");
        assert!(!text.contains("Nobody held it"), "{text}");
    }
    for at in ["2026-02-01Z", "2026-03-04Z"] {
        assert_eq!(state(at).contains("Nobody held it"), at > "2026-03", "{}", state(at));
    }
    assert!(state("2026-03-04Z").contains("counterfoil holders"), "what to ask instead");
    let holds = ledger.run(&["state", &login(1), "--at", "2026-03-02Z"]).ended(0);
    assert!(holds.text().contains("holds") && !holds.text().contains("held by"), "{}", holds.text());

    let diff =
        |from: &str, at: &str| ledger.run(&["diff", GROUP, "--from", from, "--at", at]).ended(0).text().to_owned();
    let changed = diff("2026-03-01T09:30:00Z", "2026-03-03Z");
    for (sign, number) in [("added", 2), ("removed", 1)] {
        let line = changed.lines().find(|line| line.contains(&format!("Person {number}"))).unwrap();
        assert!(line.contains(sign) && line.contains("holder"), "{changed}");
    }
    let same = diff("2026-03-04Z", "2026-03-05Z");
    assert!(same.contains("Nothing differs") && same.contains("counterfoil holders"), "{same}");
}

#[test]
fn answers_say_on_whose_word_they_rest() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])));
    let (who, change) = (login(1), "1");
    let from = "2026-02-01Z";
    for question in [
        vec!["state", &who],
        vec!["history", &who],
        vec!["holders", GROUP],
        vec!["diff", &who, "--from", from],
        vec!["explain", change],
        vec!["explain", "--all"],
        vec!["record", change],
    ] {
        let told = ledger.run(&question).ended(0);
        assert_eq!(told.text().matches("an operator's file").count(), 1, "{question:?}: {}", told.text());
    }
    let nothing = ledger.run(&["state", &who, "--at", from]).ended(0);
    assert!(!nothing.text().contains("operator"), "nothing rests on nothing: {}", nothing.text());
    let holders: ListHoldersResponse = ledger.run(&["holders", GROUP, "--output", "json"]).json();
    let evidence = holders.holders[0].evidence.unwrap();
    assert_eq!(evidence.authentication(), Authentication::OperatorFile);
}

#[test]
fn a_list_of_changes_says_what_may_hide_more() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])));
    let list = |output: &str| ledger.run(&["explain", "--all", "--output", output]).ended(0);
    assert!(!list("table").text().contains("may hide"), "{}", list("table").text());
    // Nobody was given nothing; an unknown type; an event that came again with other content; none at all.
    let mut nothing = joined(2, "2026-03-01T10:00:00Z", 2, 1);
    nothing["target"] = serde_json::Value::Null;
    let mut unknown = joined(3, "2026-03-01T10:00:00Z", 2, 1);
    unknown["eventType"] = "zebra.sighted".into();
    let again = joined(1, "2026-03-01T11:00:00Z", 1, 1);
    let events = [&lines(&[nothing, unknown, again])[..], b"{\n"].concat();
    ledger.import("okta", &ledger.file("b.jsonl", events), &[]).ended(0);
    let expected = "may hide changes: 1 incomplete, 1 of unknown type, 1 conflicting, 1 unreadable";
    assert!(list("table").text().contains(expected), "{}", list("table").text());
    for output in ["json", "csv"] {
        assert!(list(output).stderr.contains(expected), "{}", list(output).stderr);
    }
    let response: ListChangesResponse = ledger.run(&["explain", "--all", "--output", "json"]).json();
    let unread = response.unread.unwrap();
    assert_eq!((unread.incomplete, unread.unmapped, unread.conflicts, unread.rejected), (1, 1, 1, 1));
}

#[test]
fn a_question_from_before_the_beginning_is_told_so() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(2))));
    let who = format!("account:okta:default:{}", user_id(1));
    let began = ledger.run(&["record", "0"]).ended(0);
    let began = began.text().lines().find_map(|line| line.trim().strip_prefix("recorded")).unwrap().trim().to_owned();
    for (arguments, code) in [
        (&["state", &who][..], 0),
        (&["history", &who], 0),
        (&["holders", GROUP], 0),
        (&["diff", &who, "--from", "2026-01-01Z"], 0),
        (&["explain", "--all"], 0),
        (&["explain", "1"], 3),
        (&["state", &login(1)], 3),
    ] {
        let told = ledger.run(&[arguments, &["--known-at", "2020-01-01Z"]].concat()).ended(code);
        let words = format!("the ledger began {began}, and held 0 records at 2020-01-01T00:00:00Z");
        assert!(told.stderr.contains(&words), "{arguments:?}: {}", told.stderr);
        if code == 0 {
            assert!(told.text().contains("before the ledger began (0 records)"), "{arguments:?}: {}", told.text());
        }
        let later = ledger.run(&[arguments, &["--known-at", &began]].concat());
        assert!(!later.stderr.contains("began"), "{arguments:?}: {}", later.stderr);
    }
}

#[test]
fn an_import_of_nothing_says_so() {
    let ledger = LedgerFolder::init();
    let empty = ledger.beside("empty");
    fs::create_dir_all(empty.join("and empty again")).unwrap();
    let told = ledger.import("okta", &empty, &[]).ended(0);
    assert!(told.stderr.contains("empty holds no files"), "{}", told.stderr);
    for file in [empty, ledger.file("a.json", "[]"), ledger.file("b.jsonl", "\n\n")] {
        let told = ledger.import("okta", &file, &[]).ended(0);
        assert!(told.stderr.contains("nothing was imported"), "{}: {}", file.display(), told.stderr);
    }
    let told = ledger.import("okta", &ledger.file("c.jsonl", lines(&events(1))), &[]).ended(0);
    assert_eq!(told.stderr, "");
    let told = ledger.import("okta", &ledger.file("d.jsonl", lines(&events(1))), &[]).ended(0);
    assert_eq!(told.stderr, "", "a duplicate is something");
}

#[test]
fn explanations_are_listed_for_whom_and_what_is_asked() {
    let (ledger, _) = company_ledger();
    let explain = |further: &[&str]| -> Vec<Explanation> {
        let arguments = [&["explain", "--all", "--output", "json"], further].concat();
        ledger.run(&arguments).json::<ListChangesResponse>().explanations
    };
    let all = explain(&[]);
    let id = |party: &Option<Shared<Party>>| party.as_ref().map(|party| party.id.clone()).unwrap_or_default();
    let check = |further: &[&str], wanted: &dyn Fn(&Explanation) -> bool| {
        let expected: Vec<Explanation> = all.iter().filter(|one| wanted(one)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{further:?} tells something: {}", expected.len());
        assert_eq!(explain(further), expected, "{further:?}");
    };
    let none = all.iter().find(|one| one.verdict() == Verdict::NoneRecorded && one.subject.is_some()).unwrap();
    let (executor, subject) = (id(&none.executor), id(&none.subject));
    check(&["--by", &executor], &|one| id(&one.executor) == executor);
    check(&["--for", &subject], &|one| id(&one.subject) == subject);
    check(&["--verdict", "none-recorded"], &|one| one.verdict() == Verdict::NoneRecorded);
    let both = [Verdict::NoneRecorded, Verdict::ApprovedLate];
    check(&["--verdict", "none-recorded", "--verdict", "approved-late"], &|one| both.contains(&one.verdict()));
    check(&["--kind", "account.created"], &|one| one.kind().as_str_name() == "FACT_KIND_ACCOUNT_CREATED");
    check(&["--by", &executor, "--for", &subject], &|one| id(&one.executor) == executor && id(&one.subject) == subject);

    // A name stands for everybody who is called so, in whatever system; the answer says whom it took.
    let name = none.executor.as_ref().unwrap().name.clone();
    let matches = ledger.run(&["state", &name, "--output", "json"]).ended(4);
    let matches: ListIdentitiesResponse = serde_json::from_slice(&matches.stdout).unwrap();
    let called: Vec<String> = matches.identities.iter().map(|party| party.id.clone()).collect();
    assert!(called.len() > 1 && called.contains(&executor), "{called:?}");
    check(&["--by", &name], &|one| called.contains(&id(&one.executor)));
    let table = ledger.run(&["explain", "--all", "--by", &name, "--verdict", "none-recorded"]).ended(0);
    for words in called.iter().map(String::as_str).chain(["only by ", "only with the verdict none recorded"]) {
        assert!(table.text().contains(words), "{words:?} is missing in {}", table.text());
    }

    check_answer::<ListChangesResponse>(&ledger, &["explain", "--unapproved", "--by", &executor]);
    for option in ["--by", "--for"] {
        let refused = ledger.run(&["explain", "--all", option, "Nobody Known"]).ended(3);
        assert!(refused.stderr.contains("\"Nobody Known\"") && refused.stdout.is_empty(), "{}", refused.stderr);
    }
    for wrong in [["--verdict", "fine"], ["--kind", "account.updated"], ["--verdict", "not-a-change"]] {
        let refused = ledger.run(&["explain", "--all", wrong[0], wrong[1]]).ended(2);
        assert!(refused.stderr.contains("possible values"), "{}", refused.stderr);
    }
    let refused = ledger.run(&["explain", "--all", "--kind", "grant.removed"]).ended(2);
    assert!(
        refused.stderr.contains("FACT_KIND_GRANT_REMOVED gives access: ask for another effect"),
        "{}",
        refused.stderr
    );
    ledger.run(&["explain", "--all", "--kind", "grant.removed", "--effect", "takes"]).ended(0);
    ledger.run(&["explain", "17", "--by", &executor]).ended(2);
}

#[test]
fn what_is_no_change_is_said_to_be_what_it_is() {
    let ledger = LedgerFolder::init();
    let file = [
        lines(&[
            joined(1, "2026-03-01T09:00:00Z", 1, 1),
            joined(1, "2026-03-01T09:00:00Z", 2, 1),
            event(3, "brand.new.type", "2026-03-01T09:00:00Z", &[]),
            event(4, "user.session.start", "2026-03-01T09:00:00Z", &[]),
        ]),
        b"not json\n".to_vec(),
    ];
    import(&ledger, &ledger.file("a.jsonl", file.concat()));
    for (index, what, instead, question) in [
        ("0", "says which ledger this is", "see record 0", &["record", "0"][..]),
        ("2", "the event of record 1 came again with other content", "ask about record 1", &["explain", "1"]),
        ("3", "brand.new.type, whose type no connector knows", "see record 3", &["record", "3"]),
        ("5", "could not be read", "see dead letter 5", &["deadletter", "show", "5"]),
    ] {
        for change in [index.to_owned(), format!("{index}.0")] {
            let told = ledger.run(&["explain", &change]).ended(3);
            assert!(told.stderr.contains(what) && told.stderr.contains(instead), "{change}: {}", told.stderr);
            assert!(told.stdout.is_empty());
        }
        ledger.run(question).ended(0);
    }
    ledger.run(&["explain", "1"]).ended(0);
    let rejected = ledger.run(&["record", "5"]).ended(0);
    assert!(rejected.text().contains("counterfoil deadletter show 5"), "{}", rejected.text());
}

#[test]
fn dead_letters_are_listed_to_the_last() {
    const LETTERS: usize = 10_010;
    let ledger = LedgerFolder::init();
    let bad: String = (0..LETTERS).map(|number| format!("not json {number}\n")).collect();
    ledger.import("okta", &ledger.file("bad.jsonl", bad), &[]).ended(0);
    let list = |further: &[&str]| -> Vec<u64> {
        let arguments = [&["deadletter", "list", "--output", "json"], further].concat();
        let listed: ListDeadLettersResponse = ledger.run(&arguments).json();
        listed.dead_letters.iter().map(|letter| letter.record).collect()
    };
    let all: Vec<u64> = (1..=LETTERS as u64).collect();
    assert_eq!(list(&[]), all);
    assert_eq!(list(&["--after", "10000"]), all[10_000..]);
    assert_eq!(list(&["--after", "3", "--limit", "5"]), [4, 5, 6, 7, 8]);
    assert_eq!(list(&["--limit", "2000"]), all[..2000]);
    assert_eq!(list(&["--after", &u64::MAX.to_string()]), [0; 0]);
    let cut = ledger.run(&["deadletter", "list", "--limit", "5"]).ended(0);
    assert!(cut.stderr.contains("there are more: ask again with --after 5"), "{}", cut.stderr);
    for limit in ["0", "10010", "20000"] {
        let whole = ledger.run(&["deadletter", "list", "--limit", limit]).ended(0);
        assert_eq!(whole.stderr, "", "{limit}");
    }
    let none = ledger.run(&["deadletter", "list", "--after", "10010"]).ended(0);
    assert!(none.text().contains("After that record, everything could be read."), "{}", none.text());
    let said = format!("Basis: {ORIGIN} at 10011 records");
    assert!(cut.text().contains(&said), "{}", cut.text());
    let shown = ledger.run(&["deadletter", "show", "7"]).ended(0);
    assert!(shown.text().starts_with("not json 6") && shown.stderr.contains(&said), "{}", shown.stderr);
}

/// Runs the program on a terminal of that width.
fn on_terminal(ledger: &LedgerFolder, columns: u32, arguments: &str) -> String {
    let data = ledger.data();
    let line = format!("stty cols {columns}; {} {arguments} --data {}", program().display(), data.display());
    let run = Command::new("script").args(["--quiet", "--return", "--command", &line, "/dev/null"]).output().unwrap();
    let text = String::from_utf8(run.stdout).unwrap().replace('\r', "");
    assert!(run.status.success(), "{text}");
    // What the progress bar drew and wiped away stands before the last escape.
    text.rsplit('\u{1b}').next().unwrap().trim_start_matches("[2K").to_owned()
}

#[test]
fn tables_fit_the_terminal() {
    let (ledger, _) = company_ledger();
    ledger.run(&["sources"]).ended(0);
    let widest = |text: &str| text.lines().skip(2).map(|line| line.chars().count()).max().unwrap();
    let free = ledger.run(&["explain", "--all"]).ended(0);
    assert!(widest(free.text()) > 130, "where there is no terminal, no line is broken: {}", free.text());
    let time = |text: &str| text.split_whitespace().filter(|word| word.len() == 20 && word.ends_with('Z')).count();
    let whole = time(free.text());
    for columns in [130, 150] {
        let text = on_terminal(&ledger, columns, "explain --all");
        let table: Vec<&str> = text.lines().filter(|line| !line.starts_with("Basis")).collect();
        assert!(widest(&table.join("\n")) <= columns as usize, "{columns}: {text}");
        assert!(text.contains("─────"), "it is a table: {text}");
        assert_eq!(time(&text), whole, "no time is broken: {text}");
    }
    // Where the columns would have no room, each row is a list.
    let text = on_terminal(&ledger, 60, "explain --all");
    assert!(!text.contains("─────") && text.contains("\n verdict    none recorded\n"), "{text}");
    assert_eq!(time(&text), whole, "{text}");
}

#[test]
fn paths_are_harmless_and_help_speaks_of_what_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = folder.path().join("\u{1b}[2Jledger\u{202e}");
    let init = command().args(["init", "--origin", ORIGIN, "--data"]).arg(&hostile).output().unwrap();
    assert!(init.status.success());
    let demo = command().args(["demo", "--data"]).arg(&hostile).output().unwrap();
    assert!(!demo.status.success(), "it exists");
    for text in [init.stderr, init.stdout, demo.stderr, demo.stdout] {
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
    let help = run(&["holders", "--help"]).ended(0);
    assert!(help.text().contains("<WHAT>") && help.text().contains("The entitlement"), "{}", help.text());
    assert!(!help.text().contains("ticket number"), "{}", help.text());
}
