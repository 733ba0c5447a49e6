//! Section 3.13: the server's backstop for robots that run too long.

use std::time::Duration;

use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::policy::Policies;
use orchestrator_core::trigger::TriggerStatus;

use crate::world::{World, single, with};

behaviours! {
    a_robot_that_its_worker_does_not_stop_is_stopped_by_the_server,
    a_robot_that_the_server_stopped_has_timed_out,
    a_kill_in_time_is_a_kill,
    a_clock_that_is_set_forward_kills_no_robot,
    a_server_watches_a_robot_for_itself_before_it_stops_it,
}

fn one_minute() -> Policies {
    Policies { timeout: Some(Duration::from_mins(1)), ..Policies::default() }
}

async fn a_robot_that_its_worker_does_not_stop_is_stopped_by_the_server(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(single("t", 0), one_minute())).await;
    let grant = world.run(&agent).await;
    let mut overtime = Vec::new();
    // 60 s, the grace of 10 s, and 30 s for the worker to tell.
    for second in (10..=110).step_by(10) {
        world.turn_to(second);
        let kills = world.beat(&agent, &[&grant]).await.kills;
        if !kills.is_empty() {
            assert_eq!(kills, [(grant.job.id, grant.lease.token)]);
        }
        overtime.push(world.rescue_at(second).await.overtime);
    }
    assert_eq!(overtime.iter().sum::<usize>(), 1);
    assert_eq!(overtime[..9], [0; 9]);
    assert_eq!(world.shown(trigger).await, TriggerStatus::Killing);
}

async fn a_robot_that_the_server_stopped_has_timed_out(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(with(single("t", 0), one_minute())).await;
    let grant = world.run(&agent).await;
    world.turn_to(90);
    world.beat(&agent, &[&grant]).await;
    world.rescue_at(102).await;
    for _ in 0..2 {
        assert_eq!(world.try_finish(&agent, &grant, Outcome::Killed).await.unwrap(), J::TimedOut);
    }
    let reason = world.job(grant.job.id).await.reason.unwrap();
    assert_eq!(reason.as_str(), "it ran longer than its time-out of 1m and its worker did not end it");
    assert_eq!(world.shown(trigger).await, TriggerStatus::Failed);
}

async fn a_kill_in_time_is_a_kill(world: World) {
    let agent = world.worker("w").await;
    world.create(with(single("t", 0), one_minute())).await;
    let grant = world.run(&agent).await;
    world.turn_to(65);
    world.kill_job(grant.job.id).await;
    assert_eq!(world.try_finish(&agent, &grant, Outcome::Killed).await.unwrap(), J::Killed);
}

async fn a_clock_that_is_set_forward_kills_no_robot(world: World) {
    let agent = world.worker("w").await;
    world.create(with(single("t", 0), one_minute())).await;
    assert!(world.server.knows_the_time().await.unwrap());
    let grant = world.run(&agent).await;
    world.turn_to(3600);
    assert!(world.server.knows_the_time().await.unwrap());
    for second in (3600..=3690).step_by(10) {
        world.turn_to(second);
        assert_eq!(world.beat(&agent, &[&grant]).await.kills, []);
        assert_eq!(world.rescue_at(second).await.overtime, 0);
    }
    world.turn_to(3702);
    world.beat(&agent, &[&grant]).await;
    assert_eq!(world.rescue_at(3702).await.overtime, 1);
}

async fn a_server_watches_a_robot_for_itself_before_it_stops_it(world: World) {
    let agent = world.worker("w").await;
    world.create(with(single("t", 0), one_minute())).await;
    let grant = world.run(&agent).await;
    world.turn_to(3600);
    world.beat(&agent, &[&grant]).await;
    // What the clock was set to while no server ran, nobody knows.
    let world = world.restarted();
    world.turn_to(3690);
    world.beat(&agent, &[&grant]).await;
    assert_eq!(world.rescue_at(3690).await.overtime, 0);
    world.turn_to(3702);
    world.beat(&agent, &[&grant]).await;
    assert_eq!(world.rescue_at(3702).await.overtime, 1);
}
