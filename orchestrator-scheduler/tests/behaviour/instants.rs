//! Sections 3.1 and 4.5 to 4.8: which instants become jobs.

use std::time::Duration;

use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::policy::{Missed, Overlap, Policies};
use orchestrator_core::trigger::Hold;
use orchestrator_db::DecisionKind as D;

use crate::world::{World, at, every_minute, single, with};

behaviours! {
    the_instant_of_a_job_is_when_it_was_due_not_when_that_was_noticed,
    an_instant_becomes_one_job_however_often_it_is_looked_at,
    the_next_look_is_at_the_next_instant,
    what_is_due_in_a_moment_is_made_and_started_before_and_dated_to_its_instant,
    what_becomes_of_an_instant_is_not_decided_before_it_while_a_job_is_active,
    an_instant_that_finds_a_job_active_runs_when_that_ends,
    a_remembered_instant_becomes_a_job_however_the_last_one_ends,
    instants_may_be_dropped_while_a_job_is_active,
    so_many_jobs_may_be_active_at_once,
    a_single_trigger_whose_instant_is_dropped_is_done,
    of_missed_instants_the_latest_runs_once,
    missed_instants_may_be_skipped,
    missed_instants_may_run_one_after_the_other,
    what_is_missed_too_long_ago_does_not_run,
    a_missed_single_trigger_runs_or_is_done,
    instants_that_a_server_on_duty_noticed_late_are_not_missed,
}

async fn the_instant_of_a_job_is_when_it_was_due_not_when_that_was_noticed(world: World) {
    let (minute, once) = (world.create(every_minute("t")).await, world.create(single("s", 7)).await);
    world.tick_at(95).await;
    assert_eq!(world.jobs(minute).await[0].scheduled_at, at(60));
    assert_eq!(world.jobs(once).await[0].scheduled_at, at(7));
    assert_eq!(world.jobs(once).await[0].queued_at, at(95));
}

async fn an_instant_becomes_one_job_however_often_it_is_looked_at(world: World) {
    let trigger = world.create(every_minute("t")).await;
    for second in [60, 60, 61, 119] {
        world.tick_at(second).await;
    }
    assert_eq!(world.history(trigger).await, [(J::Queued, 60)]);
}

async fn the_next_look_is_at_the_next_instant(world: World) {
    world.create(every_minute("t")).await;
    let mut early = every_minute("u");
    early.policies.overlap = Overlap::Skip;
    world.create(early).await;
    world.create(single("s", 30)).await;
    assert_eq!(world.tick().await.next_due, Some(at(30)));
    assert_eq!(world.tick_at(30).await.next_due, Some(at(60)));
    assert_eq!(world.tick_at(60).await.next_due, Some(at(120)));
}

async fn what_is_due_in_a_moment_is_made_and_started_before_and_dated_to_its_instant(world: World) {
    let agent = world.worker("w").await;
    let (minute, once) = (world.create(every_minute("t")).await, world.create(single("s", 61)).await);
    world.turn_to(59);
    let summary = world.server.tick_due(at(59), at(60)).await.unwrap();
    assert_eq!((summary.created, summary.next_due), (1, Some(at(61))));
    assert_eq!(world.history(minute).await, [(J::Queued, 60)]);
    assert_eq!(world.history(once).await, []);
    let grant = world.claim_one(&agent).await;
    world.start(&agent, &grant).await;
    let job = world.job(grant.job.id).await;
    assert_eq!((job.queued_at, job.start_time), (at(59), Some(at(60))));
    assert_eq!(world.stored(minute).await.trigger.last_run, Some(at(60)));
    world.tick_at(60).await;
    assert_eq!(world.jobs(minute).await.len(), 1);
}

async fn what_becomes_of_an_instant_is_not_decided_before_it_while_a_job_is_active(world: World) {
    let agent = world.worker("w").await;
    let mut draft = every_minute("t");
    draft.policies.overlap = Overlap::Skip;
    let trigger = world.create(draft).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.turn_to(119);
    let summary = world.server.tick_due(at(119), at(120)).await.unwrap();
    assert_eq!((summary.created, summary.declined, summary.next_due), (0, 0, Some(at(120))));
    world.finish(&agent, &grant, Outcome::Done).await;
    world.tick_at(120).await;
    assert_eq!(world.history(trigger).await, [(J::Done, 60), (J::Queued, 120)]);
}

async fn an_instant_that_finds_a_job_active_runs_when_that_ends(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.tick_at(120).await;
    world.tick_at(180).await;
    assert_eq!(world.history(trigger).await, [(J::Running, 60)]);
    world.finish(&agent, &grant, Outcome::Done).await;
    assert_eq!(world.history(trigger).await, [(J::Done, 60), (J::Queued, 180)]);
    let decisions = world.decisions(trigger).await;
    let kinds: Vec<_> = decisions.iter().map(|decision| (decision.decision, decision.scheduled_at)).collect();
    assert_eq!(kinds, [(D::Buffered, at(120)), (D::Overlap, at(120)), (D::Buffered, at(180))]);
    assert_eq!(world.stored(trigger).await.buffered_at, None);
}

async fn a_remembered_instant_becomes_a_job_however_the_last_one_ends(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    // Failed, killed while it waits, dismissed while lost.
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.tick_at(120).await;
    world.finish(&agent, &grant, Outcome::Failed).await;
    world.tick_at(180).await;
    let waiting = world.jobs(trigger).await[1].id;
    world.kill_job(waiting).await;
    let lost = world.run(&agent).await;
    world.tick_at(240).await;
    world.rescue_at(241).await;
    world.dismiss(lost.job.id).await;
    let expected = [(J::Failed, 60), (J::Cancelled, 120), (J::Failed, 180), (J::Queued, 240)];
    assert_eq!(world.history(trigger).await, expected);
}

async fn instants_may_be_dropped_while_a_job_is_active(world: World) {
    let agent = world.worker("w").await;
    let trigger =
        world.create(with(every_minute("t"), Policies { overlap: Overlap::Skip, ..Policies::default() })).await;
    world.tick_at(60).await;
    let grant = world.run(&agent).await;
    world.tick_at(120).await;
    world.finish(&agent, &grant, Outcome::Done).await;
    world.tick_at(179).await;
    assert_eq!(world.history(trigger).await, [(J::Done, 60)]);
    assert_eq!(world.decisions(trigger).await[0].decision, D::Overlap);
}

async fn so_many_jobs_may_be_active_at_once(world: World) {
    let policies = Policies { overlap: Overlap::Allow { most: 2 }, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    for second in [60, 120, 180] {
        world.tick_at(second).await;
    }
    assert_eq!(world.history(trigger).await, [(J::Queued, 60), (J::Queued, 120)]);
    assert_eq!(world.decisions(trigger).await[0].scheduled_at, at(180));
}

async fn a_single_trigger_whose_instant_is_dropped_is_done(world: World) {
    let trigger = world.create(with(single("t", 50), Policies { overlap: Overlap::Skip, ..Policies::default() })).await;
    world.run_now(trigger).await;
    world.tick_at(50).await;
    assert_eq!(world.hold(trigger).await, Hold::Done);
    assert_eq!(world.decisions(trigger).await[0].decision, D::Overlap);
}

async fn of_missed_instants_the_latest_runs_once(world: World) {
    let trigger = world.create(every_minute("t")).await;
    world.turn_to(310);
    let world = world.restarted();
    world.tick().await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 300)]);
    assert_eq!(world.decisions(trigger).await[0].decision, D::Missed);
    assert_eq!(world.stored(trigger).await.trigger.kind.next_run(), Some(at(360)));
}

async fn missed_instants_may_be_skipped(world: World) {
    let trigger = world.create(with(every_minute("t"), Policies { missed: Missed::Skip, ..Policies::default() })).await;
    world.turn_to(310);
    let world = world.restarted();
    world.tick().await;
    assert_eq!(world.history(trigger).await, []);
    world.tick_at(360).await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 360)]);
}

async fn missed_instants_may_run_one_after_the_other(world: World) {
    let policies = Policies { missed: Missed::All { most: 3 }, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    world.turn_to(310);
    let world = world.restarted();
    let agent = world.worker("w").await;
    world.tick().await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 180)]);
    world.run_to(&agent, Outcome::Done).await;
    // An instant that comes meanwhile has its turn afterwards.
    world.tick_at(365).await;
    world.run_to(&agent, Outcome::Failed).await;
    world.tick_at(370).await;
    world.run_to(&agent, Outcome::Done).await;
    world.run_to(&agent, Outcome::Done).await;
    let expected = [(J::Done, 180), (J::Failed, 240), (J::Done, 300), (J::Done, 360)];
    assert_eq!(world.history(trigger).await, expected);
    world.tick_at(420).await;
    assert_eq!(world.jobs(trigger).await.len(), 5);
}

async fn what_is_missed_too_long_ago_does_not_run(world: World) {
    let missed = [Missed::Once, Missed::All { most: 9 }];
    let mut triggers = Vec::new();
    for (name, missed) in ["once", "all"].into_iter().zip(missed) {
        let policies = Policies { missed, max_lateness: Some(Duration::from_secs(90)), ..Policies::default() };
        triggers.push(world.create(with(every_minute(name), policies)).await);
    }
    let late = Policies { max_lateness: Some(Duration::from_secs(5)), ..Policies::default() };
    let never = world.create(with(every_minute("never"), late)).await;
    world.turn_to(310);
    let world = world.restarted();
    world.tick().await;
    assert_eq!(world.history(triggers[0]).await, [(J::Queued, 300)]);
    assert_eq!(world.history(triggers[1]).await, [(J::Queued, 240)]);
    let decisions = world.decisions(triggers[1]).await;
    let kinds: Vec<_> = decisions.iter().map(|decision| (decision.decision, decision.scheduled_at)).collect();
    assert_eq!(kinds, [(D::TooLate, at(60)), (D::TooLate, at(120)), (D::TooLate, at(180))]);
    assert_eq!(world.history(never).await, []);
    assert_eq!(world.decisions(never).await.last().unwrap().decision, D::TooLate);
}

async fn a_missed_single_trigger_runs_or_is_done(world: World) {
    let made_up = world.create(single("once", 50)).await;
    let skip = Policies { missed: Missed::Skip, ..Policies::default() };
    let skipped = world.create(with(single("skip", 50), skip)).await;
    world.turn_to(100);
    let world = world.restarted();
    world.tick().await;
    assert_eq!(world.history(made_up).await, [(J::Queued, 50)]);
    assert_eq!((world.history(skipped).await, world.hold(skipped).await), (Vec::new(), Hold::Done));
    assert_eq!(world.decisions(skipped).await[0].decision, D::Missed);
}

async fn instants_that_a_server_on_duty_noticed_late_are_not_missed(world: World) {
    let policies = Policies { missed: Missed::Skip, overlap: Overlap::Allow { most: 9 }, ..Policies::default() };
    let trigger = world.create(with(every_minute("t"), policies)).await;
    world.tick_at(130).await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 60), (J::Queued, 120)]);
}
