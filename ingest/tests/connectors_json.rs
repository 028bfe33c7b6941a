//! Reading JSON and times: what is refused and why, and which contents are the same.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::json::{DEPTH_MAX, Json, VALUES_MAX, content_digest, hex, parse};
use counterfoil_ingest::times;
use counterfoil_proto::v1::RejectReason;
use support::{digest_key, moment};

fn digest(text: &str) -> String {
    let json = parse(text.as_bytes()).unwrap();
    hex(&content_digest(&json, text.as_bytes(), &digest_key()))
}

#[test]
fn each_refusal_says_why_and_where() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let check = |bytes: &[u8], reason: RejectReason, message: &str| {
        let reject = parse(bytes).expect_err(message);
        assert_eq!(reject.reason, reason, "{reject}");
        assert!(reject.message.contains(message), "{reject}");
    };
    check(b"{\"a\":\"\xff\"}", RejectReason::NotUtf8, "offset 6");
    check(b"", RejectReason::NotJson, "line 1 column 0");
    check(b"{\"a\":1", RejectReason::NotJson, "EOF");
    check(b"{\"a\":1} x", RejectReason::NotJson, "trailing characters at line 1 column 9");
    check(b"{\"a\":01}", RejectReason::NotJson, "line 1");
    check(b"\xef\xbb\xbf{}", RejectReason::NotJson, "line 1 column 1");
    check(b"{\"a\":1,\n\"a\":2}", RejectReason::DuplicateKey, "\"a\" stands twice");
    check(b"[{\"b\":{\"\\u0061\":1,\"a\":2}}]", RejectReason::DuplicateKey, "line 1 column");
    check(deep(DEPTH_MAX + 1).as_bytes(), RejectReason::TooDeep, "at most 32");
    check(deep(1_000_000).as_bytes(), RejectReason::TooDeep, "column 33");
    assert!(parse(deep(DEPTH_MAX).as_bytes()).is_ok());
    // Values of two bytes each, which would take sixteen times that and more.
    let wide = |values: usize| format!("{{\"of\":[{}1]}}", "1,".repeat(values - 4));
    check(wide(VALUES_MAX + 1).as_bytes(), RejectReason::TooLarge, "at most 1000000 values and keys");
    assert!(parse(wide(VALUES_MAX).as_bytes()).is_ok());
}

#[test]
fn trap_2_ids_are_integers_floats_or_text() {
    let id = |text: &str| parse(text.as_bytes()).unwrap().id().map(|id| id.into_owned());
    for (text, expected) in [
        ("21000143868", Some("21000143868")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("-5", Some("-5")),
        ("-5.0", Some("-5")),
        ("21000143868.0", Some("21000143868")),
        ("\" 00u1 \"", Some("00u1")),
        ("5.5", None),
        ("1e300", None),
        ("true", None),
        ("null", None),
        ("\"N/A\"", None),
    ] {
        assert_eq!(id(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn trap_3_nothing_has_many_spellings() {
    for text in ["null", "\"\"", "\" \"", "\"null\"", "\"N/A\"", "\"<null>\""] {
        assert!(parse(text.as_bytes()).unwrap().is_absent(), "{text}");
    }
    for text in ["0", "false", "\"0\"", "\"none\"", "[]", "{}"] {
        assert!(!parse(text.as_bytes()).unwrap().is_absent(), "{text}");
    }
    let json = parse(br#"{"a":{"b":"N/A"}}"#).unwrap();
    assert_eq!(json.text("a.b"), None);
    assert_eq!(json.text("a.c"), None);
    assert!(json.path("a.b").is_some());
}

#[test]
fn the_digest_ignores_white_space_and_the_order_of_keys_only() {
    let base = digest(r#"{"a":1,"b":[1,2],"c":"x"}"#);
    assert_eq!(base, digest("{ \"c\" : \"x\",\n\"b\":[1 , 2], \"\\u0061\":1}"));
    let mut all = vec![base];
    for other in [
        r#"{"a":1,"b":[2,1],"c":"x"}"#,
        r#"{"a":1.0,"b":[1,2],"c":"x"}"#,
        r#"{"a":"1","b":[1,2],"c":"x"}"#,
        r#"{"a":1,"b":[1,2],"c":"x","d":null}"#,
        r#"{"a":1,"b":[[1],2],"c":"x"}"#,
        r#"{"a":1,"b":[1,2,"c","x"]}"#,
        r#"["ab","c"]"#,
        r#"["a","bc"]"#,
        r#"[["a"],["bc"]]"#,
        r#"{"a":{"b":"c"}}"#,
        r#"{"a":{},"b":"c"}"#,
        "-1",
        "18446744073709551615",
        "\"\"",
        "null",
        "false",
        "{}",
        "[]",
    ] {
        all.push(digest(other));
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "two contents have one digest");
}

#[test]
fn integers_stay_exact_and_floats_that_may_not_be_are_told_apart_by_their_text() {
    assert_ne!(digest("9007199254740993"), digest("9007199254740992"));
    // Both of these parse to the same float.
    assert_ne!(digest("36893488147419103233"), digest("36893488147419103232"));
    assert_ne!(digest("[9007199254740993.0]"), digest("[9007199254740992.0]"));
    assert_ne!(digest(r#"{"a":9007199254740993.0}"#), digest(r#"{"a":9007199254740992.0}"#));
    assert_eq!(digest("[0.5 ]"), digest("[0.5]"));
}

#[test]
fn text_comes_back_compact_and_equal() {
    for text in [r#"{"b":1,"a":[null,true,-3,1.5,"x\"\n\u0001é"],"c":{}}"#, "18446744073709551615"] {
        let json = parse(text.as_bytes()).unwrap();
        assert_eq!(json.to_text(), text);
    }
}

#[test]
fn trap_1_times_in_every_form() {
    let check = |text: &str, expected: &str| {
        let time = times::rfc3339(text, "published", false);
        assert_eq!(time.map(|time| moment(Some(&time))).as_deref(), Ok(expected), "{text}");
    };
    check("2026-03-01T09:30:00Z", "2026-03-01T09:30:00Z");
    check("2026-03-01t09:30:00.5z", "2026-03-01T09:30:00Z+500ms");
    check("2026-03-01T09:30:00.123456Z", "2026-03-01T09:30:00Z+123456000ns~microsecond");
    check("2026-03-01T09:30:00.1234567Z", "2026-03-01T09:30:00Z+123456700ns~nanosecond");
    check("2026-03-01T09:30:00.123456789Z", "2026-03-01T09:30:00Z+123456789ns~nanosecond");
    check("2022-02-18T15:20:11.662+0530", "2022-02-18T09:50:11Z+662ms");
    check("2022-02-18T15:20:11.662+05:30", "2022-02-18T09:50:11Z+662ms");
    check("2022-02-18 15:20:11-08", "2022-02-18T23:20:11Z");
    check("2026-03-01T09:30Z", "2026-03-01T09:30:00Z+0ns~minute");
    check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z");
    check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
    check("9999-12-31T23:59:59.999Z", "253402300799+999ms");
    check("1969-12-31T23:59:59.250Z", "1969-12-31T23:59:59Z+250ms");
    for text in [
        "7/30/2024 7:07:31 PM",
        "2026-02-30T00:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T09:30:00.Z",
        "2026-03-01T09:30:00.1234567890Z",
        "2026-03-01T09:30:00 UTC",
        "2026-03-01T09:30:00+24:00",
        "2026-03-01",
        "1772357400",
        "redacted",
        "+026-03-01T09:30:00Z",
        "0001-01-01T00:00:00+05:00",
        "０026-03-01T09:30:00Z",
    ] {
        let reject = times::rfc3339(text, "published", true).expect_err(text);
        assert_eq!(reject.reason, RejectReason::TimeInvalid, "{text}");
    }
    let zoneless = times::rfc3339("2022-03-22 14:21:53.225", "published", false).unwrap_err();
    assert_eq!(zoneless.reason, RejectReason::TimeWithoutZone);
    assert!(zoneless.message.contains("--assume-zone UTC"), "{zoneless}");
    let assumed = times::rfc3339("2022-03-22 14:21:53.225", "published", true).unwrap();
    assert_eq!(moment(Some(&assumed)), "2022-03-22T14:21:53Z+225ms");
}

#[test]
fn trap_1_epochs_and_days() {
    use times::EpochUnit as Unit;
    let epoch = |count, unit| times::epoch(count, unit).map(|time| moment(Some(&time)));
    assert_eq!(epoch(1_772_357_400, Unit::Second).as_deref(), Some("2026-03-01T09:30:00Z"));
    assert_eq!(epoch(1_772_357_400_123, Unit::Millisecond).as_deref(), Some("2026-03-01T09:30:00Z+123ms"));
    assert_eq!(epoch(-1, Unit::Nanosecond).as_deref(), Some("1969-12-31T23:59:59Z+999999999ns~nanosecond"));
    assert_eq!(epoch(i64::MAX, Unit::Second), None);
    let day = |text| times::day_month_year(text).map(|time| moment(Some(&time)));
    assert_eq!(day("25-03-2023").as_deref(), Some("2023-03-25T00:00:00Z+0ns~day"));
    assert_eq!(day("2023-03-25"), None);
    assert_eq!(day("32-03-2023"), None);
    let through = times::through(times::day("2026-06-30").unwrap());
    assert_eq!(moment(Some(&through)), "2026-06-30T23:59:59Z+0ns~day");
}

#[test]
fn trap_18_never_is_no_expiry_and_still_a_moment() {
    let expiry = |text: &str| {
        let value = Json::Str(text.into());
        times::expiry(Some(&value), "expires", false).unwrap().is_some()
    };
    assert!(!expiry("0001-01-01T00:00:00Z"));
    assert!(!expiry("9999-12-31T23:59:59Z"));
    assert!(!expiry("9999-01-01T00:00:00Z"));
    assert!(!expiry("N/A"));
    assert!(expiry("9998-12-31T23:59:59Z"));
    assert!(expiry("0002-01-01T00:00:00Z"));
    let missing = times::required(None, "published", false).unwrap_err();
    assert_eq!(missing.reason, RejectReason::TimeMissing);
    let number = times::required(Some(&Json::U64(5)), "published", false).unwrap_err();
    assert_eq!(number.reason, RejectReason::TimeInvalid);
}
