//! Digests of CloudTrail: what they vouch for, and every fault that one can plant.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/trail.rs"]
mod trail;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use counterfoil_ingest::digests::{DigestError, Digests, PublicKeys, Vouched};
use counterfoil_ingest::sources::file::Input;
use serde_json::{Value, json};
use tempfile::TempDir;
use trail::{Hour, Key, beside, flip, gunzip, gzip};

static KEY: LazyLock<Key> = LazyLock::new(|| Key::new("0123456789abcdef0123456789abcdef"));
const HOURS: usize = 4;

fn made() -> (TempDir, Vec<Hour>) {
    let folder = tempfile::tempdir().unwrap();
    let hours = trail::write(folder.path(), &KEY, HOURS, |hour| json!([{"eventName": "CreateUser", "hour": hour}]));
    (folder, hours)
}

fn digest_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.join("digests")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn verify(folder: &Path) -> Digests {
    let keys = PublicKeys::read(&folder.join("keys.json")).unwrap();
    Digests::verify(&digest_files(folder), &keys).unwrap()
}

/// Which of the log files are signed by the source; an error where one is not what was delivered.
fn grades(digests: &mut Digests, hours: &[Hour]) -> Vec<Result<Vouched, DigestError>> {
    hours.iter().map(|hour| digests.check(&Input::Path(hour.log.clone()))).collect()
}

fn signed(digests: &mut Digests, hours: &[Hour]) -> Vec<bool> {
    grades(digests, hours).into_iter().map(|grade| grade.unwrap() == Vouched::Signed).collect()
}

fn assert_told(told: &[String], words: &[&str]) {
    let text = told.join("\n");
    for words in words {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_whole_chain_vouches_for_every_log_file() {
    let (folder, hours) = made();
    let mut digests = verify(folder.path());
    assert_eq!(digests.verified(), HOURS);
    assert!(digests.notices().is_empty() && digests.failures().is_empty(), "{:?}", digests.notices());
    assert_eq!(digests.missing().count(), HOURS);
    assert_eq!(signed(&mut digests, &hours), [true; HOURS]);
    assert_eq!((digests.missing().count(), digests.signed()), (0, HOURS));
    // A copy that is not compressed, and one of another name, are the same content.
    for copy in [hours[0].log.with_extension(""), folder.path().join("logs/copy.json")] {
        fs::write(&copy, gunzip(&fs::read(&hours[0].log).unwrap())).unwrap();
        assert_eq!(digests.check(&Input::Path(copy)).unwrap(), Vouched::Signed);
    }
    // What no digest lists is on the word of whoever brings it.
    let other = folder.path().join("logs/111122223333_CloudTrail_us-east-1_20260301T2310Z_Other.json");
    fs::write(&other, "{\"Records\":[]}").unwrap();
    for input in [Input::Path(other), Input::Stdin] {
        assert_eq!(digests.check(&input).unwrap(), Vouched::Unlisted);
    }
}

#[test]
fn a_signature_may_lie_beside_each_digest() {
    let (folder, hours) = made();
    for hour in &hours {
        fs::write(beside(&hour.digest), format!("{}\n", hour.signature.to_uppercase())).unwrap();
    }
    // One digest in the middle is enough for its own hour.
    let keys = PublicKeys::read(&folder.path().join("keys.json")).unwrap();
    let mut digests = Digests::verify(std::slice::from_ref(&hours[1].digest), &keys).unwrap();
    assert_eq!((digests.verified(), digests.notices(), digests.failures()), (1, &[][..], &[][..]));
    assert_eq!(signed(&mut digests, &hours), [false, true, false, false]);
}

#[test]
fn one_bit_of_a_log_file_and_it_is_refused() {
    let (folder, hours) = made();
    flip(&hours[1].log, "CreateUser");
    let mut digests = verify(folder.path());
    let grades = grades(&mut digests, &hours);
    assert!(matches!(&grades[1], Err(DigestError::Changed { .. })), "{grades:?}");
    assert_told(&[grades[1].as_ref().unwrap_err().to_string()], &["is not what CloudTrail delivered", "nothing of it"]);
    assert!([0, 2, 3].iter().all(|hour| matches!(grades[*hour], Ok(Vouched::Signed))), "{grades:?}");
    let missing: Vec<&str> = digests.missing().collect();
    assert_eq!(missing.len(), 1, "the one that was delivered is not there: {missing:?}");
}

#[test]
fn swapped_log_files_are_refused() {
    let (folder, hours) = made();
    let (one, other) = (fs::read(&hours[0].log).unwrap(), fs::read(&hours[1].log).unwrap());
    fs::write(&hours[0].log, other).unwrap();
    fs::write(&hours[1].log, one).unwrap();
    let grades = grades(&mut verify(folder.path()), &hours);
    for grade in &grades[..2] {
        assert!(matches!(grade, Err(DigestError::Misnamed { .. })), "{grades:?}");
    }
    // So is a content under a name that CloudTrail never gave it.
    let strange = folder.path().join("logs/111122223333_CloudTrail_us-east-1_20260301T2310Z_Other.json.gz");
    fs::copy(&hours[2].log, &strange).unwrap();
    let grade = verify(folder.path()).check(&Input::Path(strange));
    assert!(matches!(&grade, Err(DigestError::Misnamed { other, .. }) if other.contains("0210Z")), "{grade:?}");
}

/// Changes the first digit of a text within a digest into another one, and leaves all else as it is.
fn change(digest: &Path, pointer: &str) {
    let text = String::from_utf8(gunzip(&fs::read(digest).unwrap())).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let value = json.pointer(pointer).unwrap().as_str().unwrap();
    let at = value.rfind(|character: char| character.is_ascii_digit()).unwrap();
    let digit = if value.as_bytes()[at] == b'7' { "6" } else { "7" };
    let changed = format!("{}{digit}{}", &value[..at], &value[at + 1..]);
    assert_eq!(text.matches(value).count(), 1);
    fs::write(digest, gzip(text.replace(value, &changed).as_bytes())).unwrap();
}

/// One change to a digest, wherever it stands: in what it says of logs, of itself, and of the digest before it.
#[test]
fn a_digest_that_was_changed_vouches_for_nothing() {
    for (pointer, verified, failures) in [
        ("/digestEndTime", 3, 1),
        ("/digestStartTime", 3, 1),
        ("/logFiles/0/hashValue", 3, 1),
        ("/logFiles/0/s3Object", 3, 1),
        ("/previousDigestHashValue", 3, 1),
        // Nobody names it under its new name, so that there is no signature to try.
        ("/digestS3Object", 3, 0),
        // The signature of the digest before it stood here only.
        ("/previousDigestSignature", 2, 1),
    ] {
        let (folder, hours) = made();
        change(&hours[2].digest, pointer);
        let mut digests = verify(folder.path());
        assert_eq!((digests.verified(), digests.failures().len()), (verified, failures), "{pointer}");
        assert_told(digests.notices(), &["the chain of digests is broken before 2026-03-01T03:00:00Z"]);
        if failures > 0 {
            assert_told(digests.failures(), &["its signature does not fit", "T030000Z.json.gz"]);
        } else {
            assert_told(digests.notices(), &["no signature for it"]);
        }
        let expected = [true, pointer != "/previousDigestSignature", false, true];
        assert_eq!(signed(&mut digests, &hours), expected, "{pointer}");
    }
}

#[test]
fn a_signature_that_was_changed_does_not_fit() {
    let (folder, hours) = made();
    let last = &hours[HOURS - 1];
    let digit = if last.signature.starts_with('0') { "1" } else { "0" };
    fs::write(beside(&last.digest), format!("{digit}{}", &last.signature[1..])).unwrap();
    let mut digests = verify(folder.path());
    assert_told(digests.failures(), &["its signature does not fit", "T040000Z.json.gz"]);
    assert_eq!(signed(&mut digests, &hours), [true, true, true, false]);
    // Another digest's signature fits as little; none at all is no proof of anything.
    fs::write(beside(&last.digest), &hours[0].signature).unwrap();
    assert_eq!(verify(folder.path()).failures().len(), 1);
    fs::remove_file(beside(&last.digest)).unwrap();
    let mut digests = verify(folder.path());
    assert!(digests.failures().is_empty(), "{:?}", digests.failures());
    assert_told(digests.notices(), &["no signature for it", "T040000Z.json.gz.sig"]);
    assert_eq!(signed(&mut digests, &hours), [true, true, true, false]);
}

#[test]
fn a_key_that_is_not_theirs_verifies_nothing() {
    let (folder, hours) = made();
    let same_name = Key::new(&KEY.fingerprint);
    let other_name = Key::new("fedcba98765432100123456789abcdef");
    let file = folder.path().join("keys.json");
    for (listed, told) in
        [(same_name.listed(), "its signature does not fit"), (other_name.listed(), "no key has the fingerprint")]
    {
        fs::write(&file, json!({"PublicKeyList": [listed]}).to_string()).unwrap();
        let mut digests = verify(folder.path());
        assert_eq!(digests.verified(), 0);
        assert_told(digests.failures(), &[told]);
        assert_eq!(signed(&mut digests, &hours), [false; HOURS]);
    }
    // Both: the right one is taken by its fingerprint.
    fs::write(&file, json!({"PublicKeyList": [other_name.listed(), KEY.listed()]}).to_string()).unwrap();
    assert_eq!(verify(folder.path()).verified(), HOURS);
}

#[test]
fn a_missing_link_is_told() {
    let (folder, hours) = made();
    fs::remove_file(&hours[2].digest).unwrap();
    let mut digests = verify(folder.path());
    assert_eq!(digests.verified(), 2, "the signature of the one before it is gone with it");
    assert_told(digests.notices(), &["T020000Z.json.gz: no signature for it"]);
    assert_told(
        digests.notices(),
        &["the chain of digests is broken before 2026-03-01T03:00:00Z", "T030000Z.json.gz is not"],
    );
    assert_eq!(signed(&mut digests, &hours), [true, false, false, true]);
    // The oldest digests that are given follow older ones: that is no break.
    let (folder, hours) = made();
    fs::remove_file(&hours[0].digest).unwrap();
    let digests = verify(folder.path());
    assert!(digests.notices().is_empty() && digests.failures().is_empty(), "{:?}", digests.notices());
    assert_eq!(digests.verified(), HOURS - 1);
}

#[test]
fn a_trail_that_starts_anew_is_told() {
    let (folder, hours) = made();
    let later = tempfile::tempdir().unwrap();
    let anew = trail::write(later.path(), &KEY, 1, |_| json!([]));
    // Of the same trail, hours later, and without a digest before it.
    let text = String::from_utf8(gunzip(&fs::read(&anew[0].digest).unwrap())).unwrap();
    let text =
        text.replace("T010000Z", "T090000Z").replace("T01:00:00Z", "T09:00:00Z").replace("T00:00:00Z", "T08:00:00Z");
    let json: Value = serde_json::from_str(&text).unwrap();
    let object = json["digestS3Object"].as_str().unwrap();
    let place = format!("{}/{object}", trail::BUCKET);
    let signed = ["2026-03-01T09:00:00Z", &place, &trail::sha256(text.as_bytes()), "null"].join("\n");
    let path = folder.path().join("digests").join(object.rsplit('/').next().unwrap());
    fs::write(&path, gzip(text.as_bytes())).unwrap();
    fs::write(beside(&path), KEY.sign(&signed)).unwrap();
    let digests = verify(folder.path());
    assert_eq!((digests.verified(), hours.len()), (HOURS + 1, HOURS));
    assert_told(digests.notices(), &["the chain of digests starts anew at 2026-03-01T08:00:00Z"]);
}

#[test]
fn what_is_no_digest_and_no_key_is_refused() {
    let (folder, hours) = made();
    let keys = PublicKeys::read(&folder.path().join("keys.json")).unwrap();
    let refused = |path: &PathBuf| Digests::verify(std::slice::from_ref(path), &keys).unwrap_err().to_string();
    assert!(refused(&hours[0].log).contains("expected a digest file of CloudTrail, got none of its"));
    let broken = folder.path().join("broken.json");
    for (content, told) in [("{", "expected one JSON value"), ("[]", "expected a digest file of CloudTrail")] {
        fs::write(&broken, content).unwrap();
        assert!(refused(&broken).contains(told), "{content}: {}", refused(&broken));
    }
    fs::write(beside(&hours[0].digest), "no digits").unwrap();
    assert!(refused(&hours[0].digest).contains(".sig: expected hexadecimal digits, got \"no digits\""));
    assert!(refused(&folder.path().join("nowhere")).contains("read "));

    let weak = |text: &str, pointer: &str, value: &str| {
        let mut json: Value = serde_json::from_str(text).unwrap();
        *json.pointer_mut(pointer).unwrap() = json!(value);
        fs::write(&broken, json.to_string()).unwrap();
        refused(&broken)
    };
    let text = String::from_utf8(gunzip(&fs::read(&hours[1].digest).unwrap())).unwrap();
    assert!(weak(&text, "/digestSignatureAlgorithm", "MD5withRSA").contains("SHA256withRSA, got \"MD5withRSA\""));
    assert!(weak(&text, "/logFiles/0/hashAlgorithm", "MD5").contains("hashAlgorithm SHA-256, got \"MD5\""));
    assert!(weak(&text, "/logFiles/0/hashValue", "00ff").contains("expected 32 bytes, got 2"));

    let file = folder.path().join("keys.json");
    for content in [
        "{",
        "{}",
        r#"{"PublicKeyList":[]}"#,
        r#"{"PublicKeyList":[{"Fingerprint":"a"}]}"#,
        r#"{"PublicKeyList":[{"Fingerprint":"a","Value":"*"}]}"#,
    ] {
        fs::write(&file, content).unwrap();
        let error = PublicKeys::read(&file).unwrap_err().to_string();
        assert!(error.contains("aws cloudtrail list-public-keys"), "{content}: {error}");
    }
    // A key that is none verifies nothing.
    let mut none = KEY.listed();
    none["Value"] = json!("AAAA");
    fs::write(&file, json!({"PublicKeyList": [none]}).to_string()).unwrap();
    fs::remove_file(beside(&hours[0].digest)).unwrap();
    assert_eq!(verify(folder.path()).verified(), 0);
}
