//! Beginnings: whom the agent waits for, and whom it gives way to.

use std::os::unix::fs::PermissionsExt as _;

use orchestrator_worker::agent::AgentError;
use orchestrator_worker::state_file::StateFile;
use tonic::Code;

use crate::fake::Trouble;
use crate::world::World;

#[tokio::test]
async fn a_server_that_is_away_at_first_is_waited_for() {
    let world = World::new().await;
    for _ in 0..3 {
        world.fake.once("register", Trouble::Refused(Code::Unavailable, "GONE"));
    }
    let agent = world.agent().await;
    assert_eq!(world.fake.count("register"), 4);
    world.stop(agent).await;
    assert_eq!(world.fake.count("leave"), 1);
}

#[tokio::test]
async fn an_agent_that_is_stopped_while_it_waits_is_not_refused() {
    let world = World::new().await;
    world.fake.go_away();
    let stop = async {
        world.fake.eventually("a try", |fake| fake.count("register") > 0).await;
        world.stopping.soft.cancel();
    };
    let (agent, ()) = tokio::join!(world.try_agent(), stop);
    assert!(matches!(agent, Err(AgentError::Stopped)));
}

#[tokio::test]
async fn a_refusal_names_its_code() {
    let world = World::new().await;
    for (code, reason) in [(Code::Unauthenticated, "TOKEN_UNKNOWN"), (Code::FailedPrecondition, "WORKER_NAME_TAKEN")] {
        world.fake.once("register", Trouble::Refused(code, reason));
        let error = world.try_agent().await.unwrap_err();
        assert!(matches!(&error, AgentError::Refused { code: Some(code), .. } if code == reason), "{error}");
    }
    assert_eq!(world.fake.count("register"), 2, "not tried again");
}

#[tokio::test]
async fn a_second_agent_in_the_same_folder_is_refused() {
    let world = World::new().await;
    let agent = world.agent().await;
    assert!(matches!(world.try_agent().await, Err(AgentError::Installation(_))));
    world.stop(agent).await;
}

#[tokio::test]
async fn the_folder_and_the_list_of_jobs_are_the_owners_alone() {
    let world = World::new().await;
    world.fake.offer(world.job("echo x > $DIR/running; until [ -e $DIR/go ]; do sleep 0.02; done"));
    let agent = world.agent().await;
    world.written("running").await;
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.data()), 0o700);
    assert_eq!(mode(world.data().join("jobs.json")), 0o600);
    let list = world.data().join("jobs.json");
    // Heartbeats go on meanwhile, and each is a reason to look again.
    let is_listed = |_: &_| StateFile::open(&list).unwrap().jobs().iter().any(|job| job.process.is_some());
    world.fake.eventually("a listed robot", is_listed).await;
    world.write("go");
    world.fake.ended().await;
    world.stop(agent).await;
    assert!(StateFile::open(world.data().join("jobs.json")).unwrap().jobs().is_empty());
}
