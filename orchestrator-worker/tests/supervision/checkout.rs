//! Checkouts of repositories that the scenarios make.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::SystemClock;
use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::source::{GitRef, GitUrl};
use orchestrator_worker::checkout::{Checkout, CheckoutError, CheckoutOptions, CheckoutRequest, Checkouts, Mirroring};
use tokio_util::sync::CancellationToken;

use crate::world::{World, is_alive};

/// Runs git as a developer would, without the settings of the machine.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Robot", "-c", "user.email=robot@example.org", "-c", "init.defaultBranch=main"]);
    let output = command.arg("-C").arg(folder).args(args).output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A repository whose branches main and next differ, with the tag v1 on the first commit.
pub(crate) fn repository(world: &World) -> PathBuf {
    world.write("origin/main.py", "print('v1')\n");
    let folder = world.path("origin");
    git(&folder, &["init", "--quiet"]);
    for (text, commands) in [
        ("v1", vec![vec!["tag", "v1"]]),
        ("main", vec![vec!["switch", "--quiet", "-c", "next"]]),
        ("next", vec![vec!["switch", "--quiet", "main"]]),
    ] {
        world.write("origin/main.py", &format!("print('{text}')\n"));
        git(&folder, &["add", "."]);
        git(&folder, &["commit", "--quiet", "-m", text]);
        for command in commands {
            git(&folder, &command);
        }
    }
    folder
}

pub(crate) fn options(world: &World) -> CheckoutOptions {
    let root = world.path("checkouts");
    let mirrors =
        Mirroring { root: world.path("mirrors"), max_bytes: 1024 * 1024 * 1024, max_age: Duration::from_hours(24) };
    CheckoutOptions { root, allowed_paths: Vec::new(), open_file_urls: true, git: "git".into(), mirrors: Some(mirrors) }
}

pub(crate) fn checkouts(world: &World, options: CheckoutOptions) -> Checkouts {
    Checkouts::new(options, world.launcher.clone(), Arc::new(SystemClock), world.tasks.clone())
}

pub(crate) fn request(world: &World, url: &str, git_ref: Option<&str>) -> CheckoutRequest {
    CheckoutRequest {
        cookie: world.cookie(world.job),
        url: GitUrl::parse(url).expect("a URL"),
        git_ref: git_ref.map(|name| GitRef::parse(name).expect("a branch")),
        time_limit: Duration::from_mins(1),
    }
}

pub(crate) fn file_url(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

async fn check_out(world: &World, git_ref: Option<&str>) -> (Checkout, PathBuf) {
    let origin = repository(world);
    let request = request(world, &file_url(&origin), git_ref);
    let checkout = checkouts(world, options(world)).check_out(&request, &CancellationToken::new()).await;
    (checkout.expect("a checkout"), origin)
}

#[tokio::test]
async fn the_default_branch_is_checked_out_and_the_folder_is_removed_afterwards() {
    let world = World::new().await;
    let (checkout, origin) = check_out(&world, None).await;
    assert_eq!(checkout.commit(), git(&origin, &["rev-parse", "main"]));
    assert_eq!(std::fs::read_to_string(checkout.path().join("main.py")).unwrap(), "print('main')\n");
    assert_eq!(git(checkout.path(), &["rev-list", "--count", "HEAD"]), "1", "only the newest commit is fetched");
    let folder = checkout.path().parent().unwrap();
    assert_eq!(folder.file_name().unwrap().to_str().unwrap(), format!("{}-1", world.job));
    assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    checkout.remove().await.unwrap();
    assert!(is_empty(&world.path("checkouts")));
}

#[tokio::test]
async fn a_branch_is_checked_out() {
    let world = World::new().await;
    let (checkout, origin) = check_out(&world, Some("next")).await;
    assert_eq!(checkout.commit(), git(&origin, &["rev-parse", "next"]));
}

#[tokio::test]
async fn a_tag_is_checked_out() {
    let world = World::new().await;
    let (checkout, origin) = check_out(&world, Some("v1")).await;
    assert_eq!(checkout.commit(), git(&origin, &["rev-parse", "v1"]));
}

#[tokio::test]
async fn folders_that_a_robot_made_read_only_are_removed_too() {
    let world = World::new().await;
    let (checkout, _) = check_out(&world, None).await;
    let folder = checkout.path().join("out/inner");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("report.txt"), "").unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    checkout.remove().await.unwrap();
    assert!(is_empty(&world.path("checkouts")));
}

#[tokio::test]
async fn a_checkout_that_a_dead_agent_left_is_replaced_or_removed() {
    let world = World::new().await;
    let origin = repository(&world);
    world.write(&format!("checkouts/{}-1/repo/half", world.job), "");
    let dead = JobId::generate();
    world.write(&format!("checkouts/{dead}-9/repo/main.py"), "");
    world.write("checkouts/notes.txt", "");
    let checkouts = checkouts(&world, options(&world));
    let request = request(&world, &file_url(&origin), None);
    let checkout = checkouts.check_out(&request, &CancellationToken::new()).await.unwrap();
    assert!(!checkout.path().join("half").exists());
    let living = HashSet::from([(world.job, LeaseToken::new(1))]);
    assert_eq!(checkouts.remove_leftovers(&living).await.unwrap(), 1);
    assert!(checkout.path().join("main.py").exists() && world.path("checkouts/notes.txt").exists());
    assert!(!world.path(&format!("checkouts/{dead}-9")).exists());
}

/// A git that never ends and has a helper in another session.
fn hanging_git(world: &World) -> CheckoutOptions {
    let script = "#!/bin/bash\necho 'fatal: about to hang' >&2\ncd \"$(dirname \"$0\")\"\n\
                  setsid sleep 600 &\necho $! > helper\nsleep 600\n";
    let git = world.write("hanging-git", script);
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).expect("an executable");
    CheckoutOptions { git, ..options(world) }
}

#[tokio::test]
async fn at_the_deadline_git_is_killed_with_its_helpers() {
    let world = World::new().await;
    let checkouts = checkouts(&world, hanging_git(&world));
    let request =
        CheckoutRequest { time_limit: Duration::from_secs(1), ..request(&world, "https://git.example.org/a", None) };
    let error = checkouts.check_out(&request, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, CheckoutError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("about to hang"), "{error}");
    assert!(!is_alive(world.pid_in("helper").await));
    assert!(is_empty(&world.path("checkouts")));
}

#[tokio::test]
async fn a_kill_during_the_checkout_ends_git_with_its_helpers() {
    let world = World::new().await;
    let checkouts = checkouts(&world, hanging_git(&world));
    let request = request(&world, "https://git.example.org/a", None);
    let cancel = CancellationToken::new();
    let kill = async {
        let helper = world.pid_in("helper").await;
        cancel.cancel();
        helper
    };
    let (outcome, helper) = tokio::join!(checkouts.check_out(&request, &cancel), kill);
    assert!(matches!(outcome, Err(CheckoutError::Cancelled { .. })));
    assert!(!is_alive(helper));
    assert!(is_empty(&world.path("checkouts")));
}
