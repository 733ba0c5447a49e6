//! Mirrors: what the second job of a repository finds, whatever happened to the repository and to the mirror.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::{Clock as _, ManualClock, SystemClock};
use orchestrator_core::id::JobId;
use orchestrator_worker::checkout::{Checkout, CheckoutError, CheckoutOptions, CheckoutRequest, Checkouts, Mirroring};
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use crate::checkout::{checkouts, file_url, git, is_empty, options, repository, request};
use crate::world::World;

/// A worker whose git writes down its calls, and the repository that its jobs run.
struct Machine {
    world: World,
    origin: PathBuf,
    checkouts: Checkouts,
}

impl Machine {
    async fn new() -> Self {
        Self::with(World::new().await, |_| {})
    }

    fn with(world: World, change: impl FnOnce(&mut CheckoutOptions)) -> Self {
        let origin = repository(&world);
        let mut options = CheckoutOptions { git: noting_git(&world, ""), ..options(&world) };
        change(&mut options);
        let checkouts = checkouts(&world, options);
        Self { world, origin, checkouts }
    }

    fn request(&self, git_ref: Option<&str>) -> CheckoutRequest {
        CheckoutRequest {
            cookie: self.world.cookie(JobId::generate()),
            ..request(&self.world, &file_url(&self.origin), git_ref)
        }
    }

    async fn try_run(&self, git_ref: Option<&str>) -> Result<Checkout, CheckoutError> {
        self.checkouts.check_out(&self.request(git_ref), &CancellationToken::new()).await
    }

    /// Checks out, and compares the checkout with the repository.
    async fn run(&self, git_ref: &str) -> Checkout {
        let checkout = self.try_run(Some(git_ref)).await.expect("a checkout");
        self.compare(&checkout, git_ref);
        checkout
    }

    fn compare(&self, checkout: &Checkout, git_ref: &str) {
        let commit = git(&self.origin, &["rev-parse", &format!("{git_ref}^{{commit}}")]);
        assert_eq!(checkout.commit(), commit);
        assert_eq!(git(checkout.path(), &["rev-parse", "HEAD"]), commit);
        assert_eq!(git(checkout.path(), &["status", "--porcelain"]), "");
        let expected = git(&self.origin, &["show", &format!("{git_ref}:main.py")]);
        assert_eq!(std::fs::read_to_string(checkout.path().join("main.py")).expect("the file").trim(), expected);
        git(checkout.path(), &["fsck", "--strict"]);
    }

    /// Puts a new commit on the branch that is checked out in the repository.
    fn commit(&self, text: &str) {
        self.world.write("origin/main.py", &format!("print('{text}')\n"));
        git(&self.origin, &["commit", "--quiet", "-a", "-m", text]);
    }

    fn mirror(&self) -> PathBuf {
        let mut folders = mirrors(&self.world.path("mirrors"));
        assert_eq!(folders.len(), 1, "one mirror: {folders:?}");
        folders.remove(0)
    }

    /// How often git fetched from the repository since this was last asked.
    fn fetches(&self) -> usize {
        let calls = self.world.path("calls");
        let text = std::fs::read_to_string(&calls).unwrap_or_default();
        std::fs::write(&calls, "").expect("a file");
        text.lines().filter(|call| call.contains(" fetch ") && call.contains("file://")).count()
    }
}

/// Git, after `script` and a note of its arguments.
fn noting_git(world: &World, script: &str) -> PathBuf {
    let calls = world.path("calls");
    let text = format!("#!/bin/bash\necho \"$*\" >> '{}'\n{script}\nexec git \"$@\"\n", calls.display());
    executable(world, "noting-git", &text)
}

fn executable(world: &World, name: &str, text: &str) -> PathBuf {
    let path = world.write(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("an executable");
    path
}

fn mirrors(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("a kind").is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test]
async fn a_second_job_of_an_unchanged_repository_fetches_nothing() {
    let machine = Machine::new().await;
    machine.run("main").await;
    assert_eq!(machine.fetches(), 1);
    machine.run("main").await;
    let default = machine.try_run(None).await.unwrap();
    assert_eq!(default.commit(), git(&machine.origin, &["rev-parse", "main"]));
    assert_eq!(machine.fetches(), 0);
}

#[tokio::test]
async fn moved_rewritten_and_deleted_branches_are_followed() {
    let machine = Machine::new().await;
    machine.run("main").await;
    machine.commit("moved");
    machine.run("main").await;
    git(&machine.origin, &["reset", "--quiet", "--hard", "v1"]);
    machine.commit("rewritten");
    machine.run("main").await;
    machine.run("next").await;
    git(&machine.origin, &["branch", "--quiet", "-D", "next"]);
    let error = machine.try_run(Some("next")).await.unwrap_err();
    assert!(matches!(error, CheckoutError::NoSuchRef { .. }), "{error}");
    // Where a file was in git's folder of branches is a folder now.
    git(&machine.origin, &["branch", "next/two"]);
    machine.run("next/two").await;
    // Back to what was there before.
    git(&machine.origin, &["reset", "--quiet", "--hard", "v1"]);
    machine.run("main").await;
    assert_eq!(machine.fetches(), 5, "each state once, and what the mirror has known not again");
}

#[rstest]
#[case::light(&[])]
#[case::annotated(&["-a", "-m", "release"])]
#[tokio::test]
async fn moved_tags_are_followed(#[case] options: &[&str]) {
    let machine = Machine::new().await;
    let tag = |at: &str| git(&machine.origin, &[&["tag", "-f"], options, &["release", at]].concat());
    tag("v1");
    let checkout = machine.run("release").await;
    assert_eq!(git(checkout.path(), &["describe", "--tags"]), "release");
    tag("main");
    machine.run("release").await;
    machine.run("release").await;
    assert_eq!(machine.fetches(), 2);
    git(&machine.origin, &["tag", "-d", "release"]);
    assert!(machine.try_run(Some("release")).await.is_err());
}

#[tokio::test]
async fn a_branch_is_preferred_to_a_tag_of_its_name() {
    let machine = Machine::new().await;
    git(&machine.origin, &["tag", "next", "v1"]);
    let checkout = machine.try_run(Some("next")).await.unwrap();
    assert_eq!(checkout.commit(), git(&machine.origin, &["rev-parse", "refs/heads/next"]));
}

#[tokio::test]
async fn the_checkout_knows_its_branch_and_where_it_came_from() {
    let machine = Machine::new().await;
    let checkout = machine.run("main").await;
    assert_eq!(git(checkout.path(), &["branch", "--show-current"]), "main");
    assert_eq!(git(checkout.path(), &["remote", "get-url", "origin"]), file_url(&machine.origin));
    machine.commit("later");
    git(checkout.path(), &["pull", "--quiet"]);
    assert_eq!(git(checkout.path(), &["rev-parse", "HEAD"]), git(&machine.origin, &["rev-parse", "main"]));
}

#[tokio::test]
async fn a_checkout_and_the_mirror_share_nothing() {
    let machine = Machine::new().await;
    let checkout = machine.run("main").await;
    let mirror = machine.mirror();
    for file in files(&checkout.path().join(".git")).into_iter().chain(files(&mirror)) {
        assert_eq!(std::fs::metadata(&file).unwrap().nlink(), 1, "{}", file.display());
        assert_ne!(file.file_name().unwrap(), "alternates");
    }
    assert!(!std::fs::read_to_string(checkout.path().join(".git/config")).unwrap().contains("mirrors"));
    // What a robot does to its repository does not reach the next job.
    std::fs::remove_dir_all(checkout.path().join(".git/objects")).unwrap();
    machine.run("main").await;
    let other = machine.run("main").await;
    std::fs::remove_dir_all(&mirror).unwrap();
    machine.compare(&other, "main");
}

fn cut(mirror: &Path) {
    for file in files(&mirror.join("objects")) {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a file of the mirror");
        std::fs::write(&file, "").expect("a file of the mirror");
    }
}

fn flip_bits(mirror: &Path) {
    for file in files(&mirror.join("objects")) {
        let mut bytes = std::fs::read(&file).expect("a file of the mirror");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a file of the mirror");
        std::fs::write(&file, bytes).expect("a file of the mirror");
    }
}

fn a_file_in_place_of(mirror: &Path) {
    std::fs::remove_dir_all(mirror).expect("the mirror");
    std::fs::write(mirror, "").expect("a file");
}

fn overwrite(mirror: &Path, name: &str) {
    let names = if name == "refs/kept" { files(&mirror.join(name)) } else { vec![mirror.join(name)] };
    for file in names {
        std::fs::write(file, "nonsense\n").expect("a file of the mirror");
    }
}

#[rstest]
#[case::objects_cut(cut)]
#[case::bits_flipped(flip_bits)]
#[case::objects_gone(|mirror: &Path| std::fs::remove_dir_all(mirror.join("objects")).unwrap())]
#[case::head_gone(|mirror: &Path| std::fs::remove_file(mirror.join("HEAD")).unwrap())]
#[case::head_spoilt(|mirror: &Path| overwrite(mirror, "HEAD"))]
#[case::configuration_spoilt(|mirror: &Path| overwrite(mirror, "config"))]
#[case::boundary_spoilt(|mirror: &Path| overwrite(mirror, "shallow"))]
#[case::references_spoilt(|mirror: &Path| overwrite(mirror, "refs/kept"))]
#[case::all_gone(|mirror: &Path| std::fs::remove_dir_all(mirror).unwrap())]
#[case::no_folder(a_file_in_place_of)]
#[tokio::test]
async fn a_corrupted_mirror_is_made_anew(#[case] damage: fn(&Path), #[values(false, true)] has_moved: bool) {
    let machine = Machine::new().await;
    machine.run("main").await;
    damage(&machine.mirror());
    if has_moved {
        machine.commit("moved");
    }
    machine.run("main").await;
    machine.fetches();
    machine.run("main").await;
    assert_eq!(machine.fetches(), 0, "the mirror is whole again");
}

#[tokio::test]
async fn what_a_killed_git_left_does_not_block_the_next_fetch() {
    let machine = Machine::new().await;
    machine.run("main").await;
    let mirror = machine.mirror();
    let left = [
        "shallow.lock",
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "refs/fetched.lock",
        "objects/pack/tmp_pack_x",
    ];
    for name in left {
        std::fs::create_dir_all(mirror.join(name).parent().unwrap()).unwrap();
        std::fs::write(mirror.join(name), "half").unwrap();
    }
    std::fs::write(mirror.join("proof"), "").unwrap();
    machine.commit("moved");
    machine.run("main").await;
    assert!(mirror.join("proof").exists(), "the mirror was kept");
    assert!(left.iter().all(|name| !mirror.join(name).exists()));
}

#[tokio::test]
async fn a_job_that_is_killed_while_it_fetches_leaves_the_mirror_usable() {
    let world = World::new().await;
    let hang = format!(
        "if [[ \"$*\" == *' fetch '*file://* && ! -e '{0}' ]]; then echo $$ > '{0}'; exec sleep 600; fi",
        world.path("hung").display()
    );
    let machine = Machine::with(world, |_| {});
    machine.run("main").await;
    machine.commit("moved");
    noting_git(&machine.world, &hang);
    let (cancel, request) = (CancellationToken::new(), machine.request(Some("main")));
    let killed = async {
        machine.world.pid_in("hung").await;
        cancel.cancel();
    };
    // The other job waits for the one that fetches, and is neither failed nor blocked by its end.
    let other = async {
        machine.world.pid_in("hung").await;
        machine.run("main").await
    };
    let (outcome, (), other) = tokio::join!(machine.checkouts.check_out(&request, &cancel), killed, other);
    assert!(matches!(outcome, Err(CheckoutError::Cancelled { .. })));
    machine.compare(&other, "main");
}

#[tokio::test]
async fn a_job_waits_for_another_ones_fetch_only_as_long_as_it_has_time() {
    let world = World::new().await;
    let hang = format!(
        "if [[ \"$*\" == *' fetch '* ]]; then echo $$ > '{}'; exec sleep 600; fi",
        world.path("hung").display()
    );
    let machine = Machine::with(world, |_| {});
    noting_git(&machine.world, &hang);
    let (cancel, first) = (CancellationToken::new(), machine.request(Some("main")));
    let second = CheckoutRequest { time_limit: Duration::from_millis(300), ..machine.request(Some("main")) };
    let waiting = async {
        machine.world.pid_in("hung").await;
        let error = machine.checkouts.check_out(&second, &CancellationToken::new()).await.unwrap_err();
        cancel.cancel();
        error
    };
    let (outcome, error) = tokio::join!(machine.checkouts.check_out(&first, &cancel), waiting);
    assert!(matches!(outcome, Err(CheckoutError::Cancelled { .. })));
    assert!(matches!(error, CheckoutError::TimedOut { .. }) && error.to_string().contains("another job"), "{error}");
}

#[tokio::test]
async fn jobs_that_start_together_share_one_fetch() {
    let machine = Machine::new().await;
    let runs = (0..6).map(|number| machine.run(if number % 2 == 0 { "main" } else { "next" }));
    futures_util::future::join_all(runs).await;
    assert_eq!(machine.fetches(), 2, "one for each branch");
}

#[tokio::test]
async fn when_the_repository_cannot_be_fetched_the_mirror_stays() {
    let machine = Machine::new().await;
    machine.run("main").await;
    std::fs::write(machine.mirror().join("proof"), "").unwrap();
    git(&machine.origin, &["switch", "--quiet", "next"]);
    machine.commit("moved");
    noting_git(
        &machine.world,
        "if [[ \"$*\" == *' fetch '*file://* ]]; then echo 'fatal: the line is cut' >&2; exit 128; fi",
    );
    let error = machine.try_run(Some("next")).await.unwrap_err().to_string();
    assert!(error.contains("the line is cut"), "{error}");
    machine.run("main").await;
    assert!(machine.mirror().join("proof").exists() && mirrors(&machine.world.path("mirrors")).len() == 1);
}

#[tokio::test]
async fn a_mirror_that_has_kept_many_tips_is_made_anew() {
    let machine = Machine::new().await;
    machine.run("main").await;
    let mirror = machine.mirror();
    for number in 0..64 {
        std::fs::write(mirror.join(format!("refs/kept/{number:040x}")), "").unwrap();
    }
    machine.commit("moved");
    machine.run("main").await;
    assert_eq!(std::fs::read_dir(mirror.join("refs/kept")).unwrap().count(), 1);
}

#[tokio::test]
async fn without_mirrors_every_checkout_fetches() {
    let machine = Machine::with(World::new().await, |options| options.mirrors = None);
    for git_ref in ["main", "v1", "next", "main"] {
        machine.run(git_ref).await;
    }
    assert_eq!(machine.fetches(), 4);
    assert!(is_empty(&machine.world.path("mirrors")));
}

/// A worker with two mirrors, the second used a day after the first.
struct TwoMirrors {
    world: World,
    clock: ManualClock,
    mirrors: [PathBuf; 2],
}

impl TwoMirrors {
    async fn new() -> Self {
        let world = World::new().await;
        let clock = ManualClock::at(SystemClock.now());
        let origin = repository(&world);
        let mut made: Vec<PathBuf> = Vec::new();
        for name in ["one", "two"] {
            let copy = world.path(name);
            git(&world.path(""), &["clone", "--quiet", &file_url(&origin), copy.to_str().expect("a checkout")]);
            let request =
                CheckoutRequest { cookie: world.cookie(JobId::generate()), ..request(&world, &file_url(&copy), None) };
            let checkouts = limited(&world, &clock, u64::MAX);
            checkouts.check_out(&request, &CancellationToken::new()).await.expect("a checkout");
            made.extend(mirrors(&world.path("mirrors")).into_iter().find(|mirror| !made.contains(mirror)));
            clock.advance(chrono::Duration::days(1));
        }
        let mirrors = made.try_into().unwrap_or_else(|made| panic!("two mirrors: {made:?}"));
        Self { world, clock, mirrors }
    }

    /// Prunes, and says which of the two are still there.
    async fn prune(&self, max_bytes: u64) -> [bool; 2] {
        limited(&self.world, &self.clock, max_bytes).prune_mirrors().await;
        [self.mirrors[0].exists(), self.mirrors[1].exists()]
    }
}

fn limited(world: &World, clock: &ManualClock, max_bytes: u64) -> Checkouts {
    let mirroring = Mirroring { root: world.path("mirrors"), max_bytes, max_age: Duration::from_hours(24 * 30) };
    let options = CheckoutOptions { mirrors: Some(mirroring), ..options(world) };
    Checkouts::new(options, world.launcher.clone(), Arc::new(clock.clone()), world.tasks.clone())
}

#[tokio::test]
async fn mirrors_that_nobody_uses_are_removed() {
    let worker = TwoMirrors::new().await;
    worker.world.write("mirrors/0123.fresh/HEAD", "");
    worker.world.write("mirrors/notes", "of somebody who looked at the folder");
    assert_eq!(worker.prune(u64::MAX).await, [true, true]);
    assert!(!worker.world.path("mirrors/0123.fresh").exists() && !worker.world.path("mirrors/notes").exists());
    worker.clock.advance(chrono::Duration::days(28) + chrono::Duration::minutes(1));
    assert_eq!(worker.prune(u64::MAX).await, [false, true]);
}

#[tokio::test]
async fn the_longest_unused_mirrors_are_removed_when_all_are_too_large() {
    let worker = TwoMirrors::new().await;
    let bytes = |mirror: &Path| files(mirror).iter().map(|file| std::fs::metadata(file).unwrap().len()).sum::<u64>();
    let all = worker.mirrors.iter().map(|mirror| bytes(mirror)).sum::<u64>();
    assert_eq!(worker.prune(all).await, [true, true]);
    assert_eq!(worker.prune(all - 1).await, [false, true]);
    assert_eq!(worker.prune(1).await, [false, false]);
}
