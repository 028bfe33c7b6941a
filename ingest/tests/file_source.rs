//! How a file falls into documents.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write;
use std::path::Path;

use counterfoil_ingest::sources::file::Input;

fn documents(name: &str, bytes: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let input = Input::new(Path::new(&path));
    input.documents().unwrap().map(|document| String::from_utf8(document.unwrap().bytes).unwrap()).collect()
}

#[test]
fn every_layout_falls_into_its_documents() {
    let one = r#"{"a":1}"#;
    let (open, text) = (r#"{"a": "]}"#, r#"{"a": "]}"}"#);
    let cases: &[(&str, &str, &[&str])] = &[
        ("x.jsonl", "", &[]),
        ("x.json", " \r\n\t", &[]),
        ("x.jsonl", "{\"a\":1}\r\n\r\n{\"a\":1}", &[one, one]),
        ("x.json", "{\"a\":1}\n{\"a\":1}\n", &[one, one]),
        ("x.json", "[{\"a\":1},{\"a\":1}]", &[one, one]),
        ("x.json", "[]", &[]),
        ("x.json", "[1,\"two\",null]", &["1", "\"two\"", "null"]),
        ("x.json", "{\n \"a\": \"]}\"}\n", &["{\n \"a\": \"]}\"}"]),
        ("x.json", "[[1,2],{\"a\": \"]}\"}]", &["[1,2]", text]),
        // A byte order mark is no part of what follows.
        ("x.jsonl", "\u{feff}{\"a\":1}\n{\"a\":1}\n", &[one, one]),
        ("x.json", "\u{feff}[{\"a\":1},{\"a\":1}]", &[one, one]),
        // A broken line does not take the next one with it.
        ("x.json", "{\"a\": \"]}\n{\"a\":1}\n", &[open, one]),
        // A broken element of an array is one document, and those behind it are too.
        ("x.json", "[{\"a\": \"]},{\"a\":1},{\"a\": tru},{\"a\":1}]", &["{\"a\": \"]}", one, "{\"a\": tru}", one]),
        // An array that was cut off between two elements: what is missing is said.
        ("x.json", "[{\"a\":1},\n", &[one, "["]),
        ("x.json", "[{\"a\":1}", &[one, "["]),
        ("x.json", "[{\"a\":1},{\"a\": \"]}", &[one, open, "["]),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(documents(name, bytes.as_bytes()), *expected, "{bytes:?}");
    }
}

#[test]
fn compressed_files_are_read_whole() {
    let mut gzip = Vec::new();
    for _ in 0..2 {
        // Two members, as concatenating two files gives.
        let mut encoder = flate2::write::GzEncoder::new(&mut gzip, flate2::Compression::default());
        encoder.write_all(b"{\"a\":1}\n").unwrap();
        encoder.finish().unwrap();
    }
    assert_eq!(documents("x.jsonl.gz", &gzip).len(), 2);
    let zstd = zstd::encode_all(&b"{\"a\":1}\n{\"a\":1}\n"[..], 1).unwrap();
    assert_eq!(documents("x.jsonl.zst", &zstd).len(), 2);
}
