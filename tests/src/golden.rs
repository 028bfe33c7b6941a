//! Golden files: what a test printed once and somebody has read.

use std::path::Path;
use std::{env, fs};

/// Compares with a golden file; `UPDATE_GOLDEN=1` accepts what was found.
///
/// # Panics
/// If they differ.
#[track_caller]
pub fn check_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder for golden files");
        fs::write(&path, found).expect("a golden file can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; UPDATE_GOLDEN=1 accepts it", path.display());
}
