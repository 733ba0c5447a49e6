//! Where the programs under test are, and how long the tests may take.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of `orchestrator`, `orchestrator-worker` or `orchestrator-example-robot` of the profile that the test was built with.
///
/// Nextest's set-up script has built them. A plain `cargo test` may not have; then the first test does.
///
/// # Panics
///
/// When they cannot be built.
pub fn program(name: &str) -> PathBuf {
    let folder = profile_folder();
    let path = folder.join(name);
    if !path.is_file() {
        let lock = File::create(folder.join(".scenario-programs.lock")).expect("the target folder is writable");
        lock.lock().expect("a lock in the target folder");
        if !path.is_file() {
            build(&folder);
        }
    }
    path
}

/// The target folder.
pub(crate) fn target_folder() -> PathBuf {
    let profile = profile_folder();
    profile.parent().expect("a profile is in the target folder").to_owned()
}

/// `target/<profile>`, above the `deps` that this very program is in.
fn profile_folder() -> PathBuf {
    let me = std::env::current_exe().expect("the test knows its own path");
    let folder = me.ancestors().find(|folder| folder.ends_with("deps")).and_then(Path::parent);
    folder.or_else(|| me.parent()).expect("a test is in a folder").to_owned()
}

fn build(folder: &Path) {
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(profile) => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile, "-p", "orchestrator", "-p", "orchestrator-worker"])
        .args(["-p", "orchestrator-example-robot"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the programs under test could not be built");
}

/// How often a scenario with chance in it is played: `ORCHESTRATOR_TEST_ROUNDS`, 3 unless set, 20 in a full run.
pub fn rounds() -> u32 {
    std::env::var("ORCHESTRATOR_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}
