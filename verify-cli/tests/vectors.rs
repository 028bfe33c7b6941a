//! The vectors that every verifier must agree on (`vectors/`): this one says of each what stands there.
//!
//! The files are made by the tests of `verify`; what a good one shows is kept here. With `UPDATE_VECTORS=1` it is written
//! anew.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn vectors() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    let mut vectors: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    vectors.retain(|path| path.is_dir());
    vectors.sort();
    vectors
}

#[test]
fn each_vector_has_its_verdict() {
    let vectors = vectors();
    assert!(vectors.len() > 80, "{} vectors", vectors.len());
    for vector in vectors {
        let name = vector.file_name().unwrap().to_string_lossy().into_owned();
        let mut program = Command::new(env!("CARGO_BIN_EXE_counterfoil-verify"));
        program.arg(vector.join("evidence")).arg("--policy").arg(vector.join("policy")).args(["--output", "json"]);
        let output = program.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = fs::read_to_string(vector.join("verdict")).unwrap();
        let verdict = said["verdict"].as_str().unwrap();
        let found = match said["step"].as_str() {
            Some(step) => format!("{verdict}: {step}\n"),
            None => format!("{verdict}\n"),
        };
        assert_eq!(found, expected, "{name}: {said}");
        let code = match verdict {
            "proved" => 0,
            "malformed" => 2,
            _ => 1,
        };
        assert_eq!(output.status.code(), Some(code), "{name}");
        let report = vector.join("report.json");
        match verdict == "proved" {
            true if std::env::var_os("UPDATE_VECTORS").is_some() => fs::write(&report, &output.stdout).unwrap(),
            true => {
                let shown = String::from_utf8(output.stdout).unwrap();
                assert_eq!(fs::read_to_string(&report).unwrap(), shown, "{name}: another report");
            }
            false => assert!(!report.exists(), "{name}: what is rejected shows nothing"),
        }
    }
}
