//! Sections 3.5, 3.7 and 3.8: leases, what is lost, and what becomes of it.

use std::time::Duration;

use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::log::LogLevel;
use orchestrator_core::policy::Policies;
use orchestrator_core::worker::WorkerState;
use orchestrator_db::{LogFilter, PageRequest};
use orchestrator_scheduler::{FinishError, JobError};

use crate::world::{World, admin, at, every_minute, single, with};

behaviours! {
    a_job_that_was_not_started_goes_back_to_the_queue,
    a_job_whose_workers_fall_silent_before_they_start_it_fails_the_third_time,
    however_many_jobs_a_dead_machine_had_are_lost_in_one_look,
    a_running_job_is_lost_and_its_log_says_so,
    a_heartbeat_renews_exactly_what_it_lists,
    a_lost_job_runs_again_when_its_worker_answers,
    a_lost_job_ends_truly_when_its_worker_tells,
    a_lost_job_is_active_and_nothing_starts_beside_it,
    a_lost_job_that_nobody_answers_for_fails,
    a_lost_job_is_not_retried_while_its_robot_may_run,
    a_lost_job_can_be_dismissed,
    only_a_lost_job_can_be_dismissed,
    a_lost_job_that_is_killed_is_killed,
    nothing_is_rescued_within_one_lease_of_a_start,
    a_silent_worker_is_shown_lost_and_up_again_when_it_is_heard,
}

async fn a_job_that_was_not_started_goes_back_to_the_queue(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.claim_one(&agent).await;
    world.turn_to(3);
    assert_eq!(world.rescue_at(14).await.requeued, 0);
    let summary = world.rescue_at(15).await;
    assert_eq!((summary.requeued, summary.lost), (1, 0));
    let job = world.job(grant.job.id).await;
    assert_eq!((job.state.status(), job.worker_name), (J::Queued, None));
    assert!(matches!(world.try_finish(&agent, &grant, Outcome::Done).await, Err(FinishError::LeaseLost(_))));
}

async fn a_job_whose_workers_fall_silent_before_they_start_it_fails_the_third_time(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.tick_at(60).await;
    for (claimed, expired) in [(60, 75), (80, 95)] {
        world.forget_at(claimed, &agent).await;
        let grant = world.claim_one(&agent).await;
        assert_eq!(world.rescue_at(expired).await.requeued, 1);
        let reason = world.job(grant.job.id).await.reason.unwrap();
        assert!(reason.as_str().contains("before it had started the job"), "{reason}");
    }
    world.turn_to(100);
    let grant = world.claim_one(&agent).await;
    let summary = world.rescue_at(115).await;
    assert_eq!((summary.requeued, summary.ended), (0, 1));
    assert_eq!(world.status(grant.job.id).await, J::Failed);
    assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, 1);
}

async fn however_many_jobs_a_dead_machine_had_are_lost_in_one_look(world: World) {
    // More than one look of the database takes.
    const JOBS: u32 = 205;
    let agent = world.agent("w", JOBS, false).await;
    for number in 0..JOBS {
        world.create(single(&format!("t{number}"), 0)).await;
    }
    world.tick().await;
    let grants = world.claim(&agent, JOBS).await;
    assert_eq!(grants.len(), JOBS as usize);
    for grant in &grants[1..] {
        world.start(&agent, grant).await;
    }
    let summary = world.rescue_at(17).await;
    assert_eq!((summary.requeued, summary.lost), (1, JOBS as usize - 1));
    for grant in &grants[1..] {
        assert_eq!(world.status(grant.job.id).await, J::Lost);
    }
}

async fn a_running_job_is_lost_and_its_log_says_so(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    assert_eq!(world.rescue_at(17).await.lost, 1);
    assert_eq!(world.status(grant.job.id).await, J::Lost);
    assert_eq!(world.locked(grant.job.id).await.lost_since, Some(at(17)));
    let mut tx = world.db.begin_read().await.unwrap();
    let (lines, _) = tx.log_list(&LogFilter::default(), &PageRequest::first(9)).await.unwrap();
    assert_eq!((lines.rows[0].level, lines.rows[0].job_id), (LogLevel::Error, Some(grant.job.id)));
}

async fn a_heartbeat_renews_exactly_what_it_lists(world: World) {
    let agent = world.worker("w").await;
    world.create(single("a", 0)).await;
    world.create(single("b", 0)).await;
    let kept = world.run(&agent).await;
    let forgotten = world.run(&agent).await;
    world.turn_to(10);
    assert_eq!(world.beat(&agent, &[&kept]).await, orchestrator_scheduler::HeartbeatAnswer::default());
    world.rescue_at(20).await;
    assert_eq!(world.status(kept.job.id).await, J::Running);
    assert_eq!(world.status(forgotten.job.id).await, J::Lost);
    assert_eq!(world.locked(kept.job.id).await.lease_expires_at, Some(at(25)));
}

async fn a_lost_job_runs_again_when_its_worker_answers(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    world.turn_to(100);
    assert!(world.beat(&agent, &[&grant]).await.gone.is_empty());
    assert_eq!(world.status(grant.job.id).await, J::Running);
    world.finish(&agent, &grant, Outcome::Done).await;
}

async fn a_lost_job_ends_truly_when_its_worker_tells(world: World) {
    let agent = world.worker("w").await;
    for (name, outcome) in [("a", Outcome::Done), ("b", Outcome::Failed)] {
        world.create(single(name, 0)).await;
        let grant = world.run(&agent).await;
        let second = (world.server.now() - at(0)).num_seconds();
        world.forget_at(second + 20, &agent).await;
        assert_eq!(world.status(grant.job.id).await, J::Lost);
        world.finish(&agent, &grant, outcome).await;
        assert_eq!(world.status(grant.job.id).await, outcome.status());
    }
}

async fn a_lost_job_is_active_and_nothing_starts_beside_it(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.rescue_at(80).await;
    world.tick_at(120).await;
    assert_eq!(world.history(trigger).await, [(J::Lost, 60)]);
    world.dismiss(grant.job.id).await;
    assert_eq!(world.history(trigger).await, [(J::Failed, 60), (J::Queued, 120)]);
}

async fn a_lost_job_that_nobody_answers_for_fails(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { lost_after: Duration::from_mins(1), ..Policies::default() };
    let trigger = world.create(with(single("t", 0), policies)).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    assert_eq!(world.rescue_at(79).await.ended, 0);
    assert_eq!(world.rescue_at(80).await.ended, 1);
    assert_eq!(world.history(trigger).await, [(J::Failed, 0)]);
    assert_eq!(world.hold(trigger).await, orchestrator_core::trigger::Hold::Failed);
    let late = world.try_finish(&agent, &grant, Outcome::Done).await;
    assert!(matches!(late, Err(FinishError::AlreadyEnded { status: J::Failed, .. })));
}

async fn a_lost_job_is_not_retried_while_its_robot_may_run(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { lost_after: Duration::from_mins(1), max_attempts: 3, ..Policies::default() };
    let trigger = world.create(with(single("t", 0), policies)).await;
    world.run(&agent).await;
    world.rescue_at(20).await;
    world.rescue_at(80).await;
    assert_eq!(world.history(trigger).await, [(J::Failed, 0)]);
}

async fn a_lost_job_can_be_dismissed(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    world.dismiss(grant.job.id).await;
    let job = world.job(grant.job.id).await;
    assert_eq!(job.state.status(), J::Failed);
    assert!(job.reason.unwrap().as_str().contains("admin"));
}

async fn only_a_lost_job_can_be_dismissed(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    let refused = world.server.dismiss_job(&admin(), grant.job.id).await;
    assert!(matches!(refused, Err(JobError::NotLost { status: J::Running, .. })));
}

async fn a_lost_job_that_is_killed_is_killed(world: World) {
    let agent = world.worker("w").await;
    let policies = Policies { max_attempts: 3, ..Policies::default() };
    let trigger = world.create(with(single("t", 0), policies)).await;
    let grant = world.run(&agent).await;
    world.rescue_at(20).await;
    world.kill_job(grant.job.id).await;
    assert_eq!(world.history(trigger).await, [(J::Killed, 0)]);
    assert!(world.server.kill_job(&admin(), grant.job.id).await.is_err());
}

async fn nothing_is_rescued_within_one_lease_of_a_start(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    world.turn_to(3600);
    let world = world.restarted();
    assert_eq!(world.rescue_at(3614).await, orchestrator_scheduler::RescueSummary::default());
    world.beat(&agent, &[&grant]).await;
    assert_eq!(world.rescue_at(3616).await.lost, 0, "a restart loses no robot");
    assert_eq!(world.rescue_at(3630).await.lost, 1);
}

async fn a_silent_worker_is_shown_lost_and_up_again_when_it_is_heard(world: World) {
    let agent = world.worker("w").await;
    assert_eq!(world.rescue_at(15).await.silent_workers, 0);
    assert_eq!(world.rescue_at(16).await.silent_workers, 1);
    let state = async || world.db.begin_read().await.unwrap().worker_get(&agent.name).await.unwrap().unwrap().state;
    assert_eq!(state().await, WorkerState::Lost);
    world.create(single("t", 0)).await;
    assert!(world.claim(&agent, 1).await.is_empty());
    world.beat(&agent, &[]).await;
    world.rescue_at(17).await;
    assert_eq!(state().await, WorkerState::Up);
    assert_eq!(world.claim(&agent, 1).await.len(), 1);
}
