//! Owns the tests of the policy text (C2SP tlog-policy, and the index key beside it).

mod common;

use common::*;
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::note::{SignatureType, SigningKey};
use counterfoil_verify::policy::{ENTRIES_MAX, POLICY_BYTES_MAX, Policy, PolicyError, Quorum, Threshold};
use proptest::prelude::*;

fn log_vkey(seed: u8) -> String {
    let name = key_name(&format!("log.example/{seed}"));
    SigningKey::from_seed(name, &[seed; 32]).verifier_key().to_string()
}

fn witness_vkey(seed: u8) -> String {
    witness_key(&format!("witness.example/{seed}"), seed).to_string()
}

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text.as_bytes())
}

/// Lines that define the witnesses `w1` to `wN`, with keys from the seeds 1 to N.
fn witnesses(count: u8) -> String {
    (1..=count).map(|seed| format!("witness w{seed} {}\n", witness_vkey(seed))).collect()
}

fn index_key_line(byte: u8) -> String {
    let policy = parse("quorum none\n").expect("the smallest policy");
    assert_eq!(policy.index_key(), None);
    let encoded = counterfoil_verify::hash::Hash::from_bytes([byte; 32]).to_base64();
    format!("#counterfoil index-key {encoded}\n")
}

#[test]
fn the_example_of_the_documents() {
    let page = include_str!("../../docs/configuration.md");
    let (_, rest) = page.split_once("```policy\n").expect("the example");
    let (text, _) = rest.split_once("```").expect("its end");
    let policy = parse(text).expect("a policy");
    assert!(policy.index_key().is_some());
    assert_eq!(
        (policy.logs().len(), policy.witnesses().members().len(), policy.replayers().members().len()),
        (1, 2, 1)
    );
    let all_have_urls =
        policy.witnesses().members().iter().chain(policy.replayers().members()).all(|one| one.url.is_some());
    assert!(all_have_urls);
}

#[test]
fn the_example_of_the_specification() {
    let text = format!(
        "log {log}\n\
         \n\
         {xs}group X-witnesses 2 w1 w2 w3\n\
         \n\
         witness Y1 {y1} https://y1.example/submit\n\
         witness Y2 {y2}\n\
         group Y-witnesses any Y1 Y2\n\
         \n\
         # a comment\n\
         \t  # and another \u{e9}\n\
         group X-and-Y \t all  X-witnesses\tY-witnesses \t\n\
         quorum X-and-Y\n",
        log = log_vkey(100),
        xs = witnesses(3),
        y1 = witness_vkey(4),
        y2 = witness_vkey(5),
    );
    let policy = parse(&text).expect("the example");
    assert_eq!(policy.logs()[0].key.to_string(), log_vkey(100));
    assert_eq!(policy.logs()[0].url, None);
    let names: Vec<&str> = policy.witnesses().members().iter().map(|witness| &witness.name[..]).collect();
    assert_eq!(names, ["w1", "w2", "w3", "Y1", "Y2"]);
    assert_eq!(policy.witnesses().members()[3].url.as_deref(), Some("https://y1.example/submit"));
    let thresholds: Vec<Threshold> = policy.witnesses().groups().iter().map(|group| group.threshold).collect();
    assert_eq!(thresholds, [Threshold::AtLeast(2), Threshold::Any, Threshold::All]);
    assert_eq!(policy.witnesses().groups()[2].members, ["X-witnesses", "Y-witnesses"]);
    assert_eq!(policy.witnesses().quorum(), &Quorum::Of("X-and-Y".to_owned()));
    assert_eq!(policy.index_key(), None);
    assert_eq!(parse(&policy.format()), Ok(policy));
}

#[test]
fn the_index_key_travels_and_is_not_shown() {
    let text = format!("{}log {}\nquorum none\n", index_key_line(3), log_vkey(1));
    let policy = parse(&text).expect("a policy");
    assert_eq!(policy.index_key(), Some(&IndexKey::new([3; 32])));
    assert_eq!(policy.index_key().map(IndexKey::as_bytes), Some(&[3; 32]));
    assert_eq!(policy.format(), text);
    let shown = format!("{policy:?}");
    assert!(shown.contains("IndexKey") && !shown.contains("3, 3, 3"), "{shown}");

    let refused = |lines: &str| {
        let error = parse(&format!("{lines}quorum none\n")).expect_err("a wrong line");
        assert!(matches!(error, PolicyError::Line { .. }), "{lines:?}: {error}");
    };
    refused(&index_key_line(3).repeat(2));
    refused(&index_key_line(3).replace("=\n", "\n"));
    refused("#counterfoil index-key AAAA\n");
    refused("#counterfoil index-key\n");
    refused("#counterfoil something-newer x\n");
    refused("  #counterfoil\n");
    for ignored in ["#counterfoils x\n", "# counterfoil index-key AAAA\n", "##counterfoil\n"] {
        let policy = parse(&format!("{ignored}quorum none\n")).expect("a comment");
        assert_eq!(policy.index_key(), None);
    }
}

proptest! {
    #[test]
    fn policies_survive_the_round_trip(
        logs in 0..4_u8,
        urls in any::<bool>(),
        with_index_key in any::<bool>(),
        sizes in proptest::collection::vec((1..4_usize, 0..5_usize), 1..5),
    ) {
        let mut text = if with_index_key { index_key_line(9) } else { String::new() };
        let url = if urls { " https://a.example/\u{e9}" } else { "" };
        (0..logs).for_each(|log| text += &format!("log {}{url}\n", log_vkey(200 + log)));
        let mut seed = 0;
        let mut last = None;
        for (group, (members, threshold)) in sizes.into_iter().enumerate() {
            let mut names: Vec<String> = last.into_iter().collect();
            for _ in 0..members {
                seed += 1;
                text += &format!("witness w{seed} {}{url}\n", witness_vkey(seed));
                names.push(format!("w{seed}"));
            }
            let threshold = match threshold {
                0 => "all".to_owned(),
                1 => "any".to_owned(),
                count => (count - 1).min(names.len()).to_string(),
            };
            text += &format!("group g{group} {threshold} {}\n", names.join(" "));
            last = Some(format!("g{group}"));
        }
        text += &format!("quorum {}\n", last.expect("a group"));
        let policy = parse(&text).expect("a policy");
        prop_assert_eq!(policy.witnesses().members().len(), usize::from(seed));
        prop_assert_eq!(policy.logs().len(), usize::from(logs));
        let mut ours: Vec<String> = policy.format().lines().map(str::to_owned).collect();
        prop_assert_eq!(parse(&policy.format()), Ok(policy));
        let mut given: Vec<String> = text.lines().map(str::to_owned).collect();
        ours.sort();
        given.sort();
        prop_assert_eq!(ours, given);
    }
}

#[test]
fn policies_that_contradict_themselves() {
    let check = |lines: &str| parse(&format!("{}{lines}", witnesses(3))).map(|_| ());
    let name = |name: &str| name.to_owned();
    let undefined = |line, of: &str| Err(PolicyError::NameUndefined { line, name: name(of) });
    let taken = |line, of: &str| Err(PolicyError::NameTaken { line, name: name(of) });

    assert_eq!(check("quorum w1\n"), Ok(()));
    assert_eq!(check(""), Err(PolicyError::Quorum { found: 0 }));
    assert_eq!(check("quorum w1\nquorum w1\n"), Err(PolicyError::Quorum { found: 2 }));
    assert_eq!(check("quorum none\nquorum none\n"), Err(PolicyError::Quorum { found: 2 }));
    assert_eq!(check("quorum w4\n"), undefined(4, "w4"));
    assert_eq!(check("quorum g\ngroup g any w1\n"), undefined(4, "g"));
    assert_eq!(check("group g any w1 g\nquorum g\n"), undefined(4, "g"));
    assert_eq!(check("group g any h\ngroup h any w1\nquorum g\n"), undefined(4, "h"));
    assert_eq!(check("group g any none\nquorum g\n"), undefined(4, "none"));
    assert_eq!(check("group w1 any w2\nquorum w1\n"), taken(4, "w1"));
    assert_eq!(check("group none any w2\nquorum none\n"), taken(4, "none"));
    assert_eq!(check("group g any w1\ngroup g any w2\nquorum g\n"), taken(5, "g"));
    let again = check(&format!("witness w1 {}\nquorum w1\n", witness_vkey(9)));
    assert_eq!(again, taken(4, "w1"));

    let repeated = |line| Err(PolicyError::MemberRepeated { line, name: name("w1") });
    assert_eq!(check("group g any w1 w1\nquorum g\n"), repeated(4));
    assert_eq!(check("group g any w1\ngroup h any w2 w1\nquorum h\n"), repeated(5));
    assert_eq!(check("group all all w1\nquorum all\n"), Ok(()), "only none is reserved");

    for threshold in ["0", "3", "01", "-1", "ALL", "most"] {
        let error = check(&format!("group g {threshold} w1 w2\nquorum g\n"));
        assert!(matches!(error, Err(PolicyError::Threshold { line: 4, members: 2, .. })), "{error:?}");
    }
}

#[test]
fn every_public_key_occurs_once() {
    let renamed = witness_key("other.example", 1);
    let as_log = SigningKey::from_seed(key_name("other.example"), &[1; 32]).verifier_key();
    let check = |lines: String| parse(&format!("{lines}quorum none\n")).map(|_| ());
    let duplicate = Err(PolicyError::DuplicateKey { line: 2 });
    assert_eq!(check(format!("{}witness other {renamed}\n", witnesses(1))), duplicate);
    assert_eq!(check(format!("log {}\nlog {as_log}\n", log_vkey(1))), duplicate);
    assert_eq!(check(format!("{}log {as_log}\n", witnesses(1))), duplicate);
    assert_eq!(check(format!("log {}\nlog {}\n", log_vkey(1), log_vkey(2))), Ok(()));
}

#[test]
fn keys_of_the_wrong_kind() {
    let (log, witness) = (SignatureType::Ed25519, SignatureType::Cosignature);
    let check = |line: String| parse(&format!("{line}\nquorum none\n"));
    let error = |expected, found| Err(PolicyError::KeyType { line: 1, expected, found });
    assert_eq!(check(format!("log {}", witness_vkey(1))), error(log, witness));
    assert_eq!(check(format!("witness w {}", log_vkey(1))), error(witness, log));
    assert!(matches!(check("log a+b+c".to_owned()), Err(PolicyError::Key { line: 1, .. })));
    // ML-DSA-44 cosigners exist, and are refused by name rather than left out of the quorum.
    let unknown = check("witness w a+00000000+Bg==".to_owned());
    let told = format!("{:?}", unknown.expect_err("an unknown type"));
    assert!(told.contains("found: 6"), "{told}");
}

#[test]
fn lines_of_no_known_form() {
    let (log, witness) = (log_vkey(1), witness_vkey(2));
    for line in [
        "logs x",
        "Log x",
        "log",
        &format!("log {log} url more"),
        "witness w",
        &format!("witness w {witness} url more"),
        "group",
        "group g",
        "group g any",
        "quorum",
        "quorum a b",
        "unknown",
    ] {
        let error = parse(&format!("\n{line}\nquorum none\n")).expect_err("a wrong line");
        assert!(matches!(error, PolicyError::Line { line: 2, .. }), "{line:?}: {error}");
    }
}

#[test]
fn policies_that_are_not_text() {
    assert_eq!(parse("quorum none"), Err(PolicyError::NoFinalNewline));
    assert_eq!(parse(""), Err(PolicyError::Quorum { found: 0 }));
    for refused in ["quorum none\r\n", "\u{b}quorum none\n", "quorum none\0\n", "quorum none\u{7f}\n"] {
        assert_eq!(parse(refused), Err(PolicyError::NotText { line: 1 }), "{refused:?}");
    }
    let not_utf8 = Policy::parse(b"\n# \xff\nquorum none\n");
    assert_eq!(not_utf8, Err(PolicyError::NotText { line: 2 }));
    // A no-break space is no separator here, but part of a name.
    assert!(matches!(parse("quorum\u{a0}none\n"), Err(PolicyError::Line { line: 1, .. })));
}

#[test]
fn the_limits_of_a_policy() {
    let count = u8::try_from(ENTRIES_MAX).expect("fits");
    let logs = |count: u8| -> String { (0..count).map(|seed| format!("log {}\n", log_vkey(100 + seed))).collect() };
    let groups = |count: u8| -> String { (1..=count).map(|seed| format!("group g{seed} all w{seed}\n")).collect() };
    let check = |text: String| parse(&format!("{text}quorum none\n")).map(|_| ());
    assert_eq!(check(logs(count) + &witnesses(count) + &groups(count)), Ok(()));
    let line = ENTRIES_MAX + 1;
    assert_eq!(check(logs(count + 1)), Err(PolicyError::TooMany { line }));
    assert_eq!(check(witnesses(count + 1)), Err(PolicyError::TooMany { line }));
    let line = 2 * ENTRIES_MAX + 1;
    let regrouped = "group h all g1\n";
    let grouped = witnesses(count) + &groups(count) + regrouped;
    assert_eq!(check(grouped), Err(PolicyError::TooMany { line }));

    let comment = "#".repeat(POLICY_BYTES_MAX);
    let found = POLICY_BYTES_MAX + "\nquorum none\n".len();
    assert_eq!(check(format!("{comment}\n")), Err(PolicyError::TooLong { found }));
}

#[test]
fn replayers_are_comments_to_everybody_else() {
    let replayer =
        |seed: u8| format!("#counterfoil replayer r{seed} {} https://r{seed}.example/\n", witness_vkey(seed));
    let text = format!(
        "log {}\n{}quorum w1\n{}{}#counterfoil replayer-group both all r4 r5\n#counterfoil replayer-quorum both\n",
        log_vkey(100),
        witnesses(1),
        replayer(4),
        replayer(5),
    );
    let policy = parse(&text).expect("a policy");
    assert_eq!(policy.format(), text);
    let names: Vec<&str> = policy.replayers().members().iter().map(|replayer| &replayer.name[..]).collect();
    assert_eq!(names, ["r4", "r5"]);
    assert_eq!(policy.replayers().members()[1].url.as_deref(), Some("https://r5.example/"));
    assert_eq!(policy.replayers().quorum(), &Quorum::Of("both".to_owned()));
    assert_eq!(policy.witnesses().members().len(), 1);
    // Whoever knows nothing of replayers reads the rest of the file.
    let standard: String = text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let plain = parse(&standard).expect("a standard policy");
    assert_eq!((plain.logs(), plain.witnesses()), (policy.logs(), policy.witnesses()));
    assert_eq!((plain.replayers().members().len(), plain.replayers().quorum()), (0, &Quorum::None));

    let check = |lines: &str| parse(&format!("{}quorum w1\n{}{lines}", witnesses(1), replayer(4))).map(|_| ());
    let name = |name: &str| name.to_owned();
    assert_eq!(check("#counterfoil replayer-quorum r4\n"), Ok(()));
    assert_eq!(check("#counterfoil replayer-quorum none\n"), Ok(()));
    // A witness is no replayer, and no member of theirs.
    let undefined = Err(PolicyError::NameUndefined { line: 4, name: name("w1") });
    assert_eq!(check("#counterfoil replayer-quorum w1\n"), undefined);
    assert_eq!(check("#counterfoil replayer-group g any w1\n"), undefined);
    assert_eq!(check("group g any r4\n"), Err(PolicyError::NameUndefined { line: 4, name: name("r4") }));
    // One key is one word: what a witness says is not what a replayer says.
    let twice = format!("#counterfoil replayer other {}\n", witness_vkey(1));
    assert_eq!(check(&twice), Err(PolicyError::DuplicateKey { line: 4 }));
    let twice = "#counterfoil replayer-quorum r4\n".repeat(2);
    assert_eq!(check(&twice), Err(PolicyError::Quorum { found: 2 }));
    let log = format!("#counterfoil replayer r {}\n", log_vkey(7));
    assert!(matches!(check(&log), Err(PolicyError::KeyType { line: 4, .. })));
    for wrong in
        ["replayer", "replayer r", "replayer-group g any", "replayer-quorum", "replayer-quorum a b", "replayers"]
    {
        let found = check(&format!("#counterfoil {wrong}\n"));
        assert!(matches!(found, Err(PolicyError::Line { line: 4, .. })), "{wrong}: {found:?}");
    }
}
