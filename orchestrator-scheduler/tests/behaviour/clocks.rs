//! Section 4.9: one clock for all servers.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use orchestrator_core::clock::{Clock as _, ManualClock, SystemClock};
use orchestrator_core::id::InstanceId;
use orchestrator_core::job::{JobState, JobStatus as J, Outcome};
use orchestrator_core::policy::Policies;
use orchestrator_core::trigger::TriggerKind;
use orchestrator_db::Dialect;
use orchestrator_scheduler::{DisciplinedClock, ReplanSummary, RescueSummary, SchedulerClock};

use crate::world::{World, at, every_minute, queue, scheduler, single, with};

behaviours! {
    a_server_goes_by_the_clock_of_the_database,
    a_clock_that_steps_is_set_right_before_anything_is_decided,
    a_worker_that_dies_while_the_clock_is_ahead_is_lost_soon_after_it_is_set_back,
    a_lost_job_is_given_up_in_time_after_the_clock_was_set_back,
    a_schedule_goes_on_after_the_clock_was_set_back_and_runs_no_instant_twice,
    a_late_first_run_that_was_asked_for_stays,
    what_waits_for_its_time_waits_no_longer_after_the_clock_was_set_back,
}

/// How far the clock is ahead in these tests, until it is set right.
const AHEAD: i64 = 3600;

async fn a_worker_that_dies_while_the_clock_is_ahead_is_lost_soon_after_it_is_set_back(world: World) {
    let (dead, alive) = (world.agent("dead", 1, false).await, world.agent("alive", 1, false).await);
    world.turn_to(AHEAD);
    world.create(single("a", 0)).await;
    let lost = world.run(&dead).await;
    world.create(single("b", 0)).await;
    let kept = world.run(&alive).await;
    world.beat(&dead, &[&lost]).await;
    world.beat(&alive, &[&kept]).await;
    assert_eq!(world.rescue_at(AHEAD).await, RescueSummary::default());
    world.rescue_at(20).await;
    world.turn_to(30);
    assert!(world.beat(&alive, &[&kept]).await.gone.is_empty());
    assert_eq!(world.rescue_at(34).await, RescueSummary::default(), "within one lease");
    let summary = world.rescue_at(36).await;
    assert_eq!((summary.lost, summary.silent_workers), (1, 1));
    assert_eq!((world.status(lost.job.id).await, world.status(kept.job.id).await), (J::Lost, J::Running));
    assert!(world.register("dead", InstanceId::generate(), Vec::new()).await.is_ok(), "the name is free");
}

async fn a_lost_job_is_given_up_in_time_after_the_clock_was_set_back(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { lost_after: Duration::from_mins(1), ..Policies::default() };
    world.create(with(single("t", 0), policies)).await;
    let grant = world.run(&agent).await;
    assert_eq!(world.rescue_at(AHEAD).await.lost, 1);
    world.rescue_at(20).await;
    assert_eq!(world.rescue_at(79).await.ended, 0);
    assert_eq!(world.rescue_at(80).await.ended, 1);
    assert_eq!(world.status(grant.job.id).await, J::Failed);
}

async fn a_schedule_goes_on_after_the_clock_was_set_back_and_runs_no_instant_twice(world: World) {
    let agent = world.worker("w").await;
    world.turn_to(AHEAD - 30);
    let trigger = world.create(every_minute("t")).await;
    world.tick_at(AHEAD).await;
    world.run_to(&agent, Outcome::Done).await;
    world.turn_to(AHEAD - 130);
    assert_eq!(world.server.replan(world.server.now()).await.unwrap().triggers, 1);
    assert_eq!(world.server.replan(world.server.now()).await.unwrap(), ReplanSummary::default());
    for second in [AHEAD - 120, AHEAD - 60] {
        world.tick_at(second).await;
        world.run_to(&agent, Outcome::Done).await;
    }
    world.tick_at(AHEAD).await;
    world.tick_at(AHEAD + 60).await;
    let seconds: Vec<i64> = world.history(trigger).await.into_iter().map(|(_, second)| second - AHEAD).collect();
    assert_eq!(seconds, [-120, -60, 0, 60], "the one of 0 was run by the wrong clock");
}

async fn a_late_first_run_that_was_asked_for_stays(world: World) {
    let mut draft = every_minute("t");
    if let TriggerKind::Scheduled { next_run, .. } = &mut draft.kind {
        *next_run = Some(at(7200));
    }
    let trigger = world.create(draft).await;
    world.turn_to(1);
    assert_eq!(world.server.replan(world.server.now()).await.unwrap(), ReplanSummary::default());
    assert_eq!(world.stored(trigger).await.due_at, Some(at(7200)));
}

async fn what_waits_for_its_time_waits_no_longer_after_the_clock_was_set_back(world: World) {
    let agent = world.worker("w").await;
    world.turn_to(AHEAD);
    let mut watching = queue("q");
    watching.policies.max_consecutive_failures = 9;
    let watching = world.create(watching).await;
    world.add_elements("q", 1).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Failed).await;
    let policies = Policies { max_attempts: 2, retry_delay: Duration::from_secs(30), ..Policies::default() };
    let retried = world.create(with(single("t", 0), policies)).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Failed).await;
    world.turn_to(100);
    let replanned = world.server.replan(world.server.now()).await.unwrap();
    assert_eq!(replanned, ReplanSummary { triggers: 1, jobs: 1 });
    assert_eq!(world.stored(watching).await.due_at, Some(at(160)), "a minute after its failure");
    let next = world.jobs(retried).await.pop().unwrap();
    assert_eq!(next.state, JobState::Queued { not_before: Some(at(130)) });
}

async fn a_clock_that_steps_is_set_right_before_anything_is_decided(world: World) {
    let own = ManualClock::at(SystemClock.now());
    let clock = Arc::new(DisciplinedClock::new(Arc::new(own.clone())));
    clock.discipline(&world.db).await.unwrap();
    let server = scheduler(&world.db, SchedulerClock::Disciplined(clock.clone()));
    assert!(server.knows_the_time().await.unwrap());
    let before = server.now();
    own.advance(TimeDelta::hours(1));
    let knows = server.knows_the_time().await.unwrap();
    if world.db.dialect() == Dialect::Sqlite {
        assert!(knows && server.now() - before >= TimeDelta::hours(1), "there is no clock to compare it with");
        return;
    }
    assert!(!knows, "so far off, nothing is decided here");
    assert!((server.now() - before).abs() < TimeDelta::seconds(5), "{} is not {before}", server.now());
    assert!((server.on_duty_since() - before).abs() < TimeDelta::seconds(5), "{}", server.on_duty_since());
    // One that is slow, and is set right by the machine.
    own.advance(TimeDelta::seconds(20) - TimeDelta::hours(1));
    assert!(server.knows_the_time().await.unwrap());
    assert!((server.now() - before).abs() < TimeDelta::seconds(5));
}

async fn a_server_goes_by_the_clock_of_the_database(world: World) {
    let own = ManualClock::at(at(0));
    let clock = DisciplinedClock::new(Arc::new(own.clone()));
    clock.discipline(&world.db).await.unwrap();
    let Some(theirs) = world.db.clock().await.unwrap() else {
        assert_eq!(world.db.dialect(), Dialect::Sqlite);
        assert_eq!((clock.now(), clock.offset()), (at(0), TimeDelta::zero()), "it has no clock of its own");
        return;
    };
    assert!((theirs - clock.now()).abs() < TimeDelta::seconds(5));
    assert!((at(0) - theirs - clock.offset()).abs() < TimeDelta::seconds(5));
    // What is noise of the measurement is not followed: instants would go back and forth.
    let before = clock.offset();
    own.advance(theirs - clock.now());
    clock.discipline(&world.db).await.unwrap();
    assert!((clock.offset() - before).abs() < TimeDelta::seconds(5));
}
