//! The file that is run is found without leaving its folder.

use std::os::unix::fs::symlink;

use orchestrator_core::source::EntryPoint;
use orchestrator_worker::entry_point::{EntryPointError, at_path, in_checkout};

use crate::world::World;

#[tokio::test]
async fn the_nearest_main_file_is_run_and_never_one_of_git() {
    let world = World::new().await;
    let root = world.path("");
    world.write(".git/main.py", "");
    world.write("a/deep/main.py", "");
    let expected = world.write("b/main.py", "");
    world.write("c/main.py", "");
    assert_eq!(in_checkout(&root, None).unwrap(), expected);
    let top = world.write("main.py", "");
    assert_eq!(in_checkout(&root, None).unwrap(), top);
}

#[tokio::test]
async fn a_repository_without_main_file_is_refused() {
    let world = World::new().await;
    world.write("README.md", "");
    world.write(".git/main.py", "");
    let error = in_checkout(&world.path(""), None).unwrap_err();
    assert_eq!(error.to_string(), "the repository contains no 'main.py'");
}

#[tokio::test]
async fn a_main_file_that_is_a_link_is_refused() {
    let world = World::new().await;
    world.write("repo/vendored/main.py", "");
    let outside = world.write("outside.py", "");
    symlink(outside, world.path("repo/main.py")).unwrap();
    let error = in_checkout(&world.path("repo"), None).unwrap_err();
    assert_eq!(error.to_string(), "'main.py' is not run because 'main.py' is a link");
}

#[tokio::test]
async fn a_folder_that_is_a_link_is_neither_searched_nor_entered() {
    let world = World::new().await;
    world.write("outside/main.py", "");
    world.write("repo/README.md", "");
    symlink(world.path("outside"), world.path("repo/robots")).unwrap();
    let root = world.path("repo");
    assert!(matches!(in_checkout(&root, None), Err(EntryPointError::NotFound { .. })));
    let named = EntryPoint::parse("robots/main.py").unwrap();
    assert!(matches!(in_checkout(&root, Some(&named)), Err(EntryPointError::IsLink { .. })));
}

#[tokio::test]
async fn a_named_file_is_run_or_named_in_the_error() {
    let world = World::new().await;
    let expected = world.write("robots/invoice.py", "");
    let root = world.path("");
    let named = |text| in_checkout(&root, Some(&EntryPoint::parse(text).unwrap()));
    assert_eq!(named("robots/invoice.py").unwrap(), expected);
    assert!(named("robots").unwrap_err().to_string().contains("'robots' is not a file"));
    assert!(named("robots/other.py").unwrap_err().to_string().contains("robots/other.py"));
    assert!(matches!(named("robots/invoice.py/x"), Err(EntryPointError::NotFound { .. })));
}

#[tokio::test]
async fn a_path_must_be_a_file_under_an_allowed_path() {
    let world = World::new().await;
    let robot = world.write("allowed/robot.py", "").canonicalize().unwrap();
    let secret = world.write("other/secret.py", "");
    symlink(&secret, world.path("allowed/link.py")).unwrap();
    let allowed = [world.path("allowed")];
    assert_eq!(at_path(&robot, &allowed).unwrap(), robot);
    assert_eq!(at_path(&world.path("allowed/../allowed/robot.py"), &allowed).unwrap(), robot);
    for path in ["allowed/link.py", "other/secret.py", "allowed/../other/secret.py", "other/missing.py", "allowed/../x"]
    {
        let error = at_path(&world.path(path), &allowed).unwrap_err();
        assert!(matches!(error, EntryPointError::NotAllowed { .. }), "{path}: {error}");
        assert!(error.to_string().contains("allowed)"), "the list is named: {error}");
    }
    assert!(matches!(at_path(&world.path("allowed/x.py"), &allowed), Err(EntryPointError::NoSuchPath { .. })));
    assert!(matches!(at_path(&allowed[0], &allowed), Err(EntryPointError::NotAFile { .. })));
    assert!(matches!(at_path("robot.py".as_ref(), &allowed), Err(EntryPointError::NotAbsolute { .. })));
    assert!(at_path(&secret, &[]).is_ok(), "without a list everything is allowed");
}
