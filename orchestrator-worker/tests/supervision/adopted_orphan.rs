//! Orphans that have shed group, environment and parents: all that is known of them is when they started.

use std::time::Duration;

use orchestrator_core::id::JobId;
use orchestrator_worker::process::{Children, FoundBy};

use crate::world::{World, exists, is_alive};

/// Its parent ends at once, so that descent is not visible any more.
const FORSWEARER: &str = "(setsid env -i PATH=\"$PATH\" bash -c 'echo $$ > orphan; exec sleep 600' &)
    while [ ! -s orphan ]; do :; done";

#[tokio::test]
async fn an_orphan_is_killed_when_no_other_job_can_have_started_it() {
    let world = World::alone().await;
    let mut process = world.bash(&format!("{FORSWEARER}; sleep 600"));
    let orphan = world.pid_in("orphan").await;
    let stopped = process.stop(Duration::ZERO).await;
    assert!(!is_alive(orphan), "{stopped:?}");
    assert!(stopped.sweep.killed.iter().any(|killed| killed.found_by == FoundBy::Adoption));
    assert!(!exists(orphan), "its exit status is collected");
}

#[tokio::test]
async fn an_orphan_that_another_running_job_may_own_is_reported_and_dies_with_that_job() {
    let world = World::alone().await;
    let mut other = world.bash_for(JobId::generate(), "sleep 600");
    let mut process = world.bash(FORSWEARER);
    process.wait().await.unwrap();
    let orphan = world.pid_in("orphan").await;
    let sweep = process.sweep(Children::Kill).await;
    assert!(is_alive(orphan));
    assert_eq!(sweep.undecided.iter().map(|undecided| undecided.identity.pid).collect::<Vec<_>>(), [orphan]);
    other.stop(Duration::ZERO).await;
    assert!(!is_alive(orphan));
}
