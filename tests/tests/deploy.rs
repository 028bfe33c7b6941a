//! What is shipped to run the services with: its settings are ones that there are.

use std::path::Path;

use counterfoil_tests::files::all_files;
use counterfoil_tests::program::run;

#[test]
fn every_configuration_that_is_shipped_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is in the repository").join("deploy");
    let mut files = all_files(&folder);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    assert_eq!(files.len(), 5, "{files:?}");
    for file in files {
        run(&["config".as_ref(), "check".as_ref(), "--config".as_ref(), file.as_os_str()]).ended(0);
    }
}
