//! A library that lets one call of the operating system fail, and is preloaded into the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use counterfoil_tests::program::command;
use tempfile::TempDir;

/// As C has them.
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// The library, compiled.
pub struct Library {
    folder: TempDir,
}

impl Library {
    pub fn compile() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/fails.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(made.path()).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success());
        made
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("fails.so")
    }

    /// The program, of whose calls on files whose paths hold this one fails, after so many.
    pub fn command(&self, at: &str, after: u64, error: i32) -> Command {
        let mut command = command();
        command.env("LD_PRELOAD", self.path()).env("FAILS_AT", at);
        command.env("FAILS_AFTER", after.to_string()).env("FAILS_WITH", error.to_string());
        command
    }
}
