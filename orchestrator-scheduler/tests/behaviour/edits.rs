//! Section 2.2: edit and delete.

use orchestrator_core::id::{RequestId, TriggerId};
use orchestrator_core::job::{JobOrigin, JobStatus as J, Outcome};
use orchestrator_core::text::{GitBranch, ProcessPath};
use orchestrator_core::trigger::{Hold, TriggerKind, TriggerStatus};
use orchestrator_db::{Hint, PageRequest, TriggerFilter};
use orchestrator_scheduler::{JobError, TriggerError};

use crate::world::{World, admin, args, at, every_minute, queue, single};

behaviours! {
    an_edit_reaches_what_waits_and_not_what_a_worker_has,
    an_edit_leaves_a_run_by_hand_one_by_hand,
    an_edit_that_leaves_the_schedule_alone_leaves_the_next_run_alone,
    an_edit_does_not_make_a_single_trigger_fire_again,
    an_edit_may_move_the_time_of_a_single_trigger,
    an_edit_of_what_someone_else_changed_is_refused,
    an_edit_is_not_refused_for_a_path_that_stays,
    a_trigger_that_is_created_paused_fires_only_once_it_is_enabled,
    the_kind_of_a_trigger_stays,
    names_are_unique_among_live_triggers,
    creating_again_under_the_same_id_gives_the_same_trigger,
    deleting_hides_it_cancels_what_waits_and_lets_the_rest_end,
    jobs_of_a_deleted_trigger_are_not_started_again,
    a_job_of_a_deleted_trigger_is_not_retried,
}

async fn an_edit_reaches_what_waits_and_not_what_a_worker_has(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.run_now(trigger).await;
    let held = world.claim_one(&agent).await;
    let waiting = world.run_now(trigger).await;
    let mut edit = every_minute("t");
    edit.process.args = Some(args("new"));
    edit.priority = 7;
    world.edit(trigger, edit).await;
    let after = world.job(waiting).await.snapshot;
    assert_eq!((after.process.args, after.priority), (Some(args("new")), 7));
    let kept = world.job(held.job.id).await.snapshot;
    assert_eq!((kept.process.args, kept.priority), (None, 0));
}

async fn an_edit_leaves_a_run_by_hand_one_by_hand(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    let request = RequestId::generate();
    let job = world.server.run_now(&admin(), trigger, Some(args("own")), request, false).await.unwrap().id;
    world.edit(trigger, every_minute("u")).await;
    let snapshot = world.job(job).await.snapshot;
    assert_eq!((snapshot.origin, snapshot.own_args), (JobOrigin::Manual, true));
    assert_eq!(snapshot.process.args, Some(args("own")));
    world.run_to(&agent, Outcome::Failed).await;
    assert_eq!(world.stored(trigger).await.trigger.consecutive_failures, 0);
}

async fn an_edit_that_leaves_the_schedule_alone_leaves_the_next_run_alone(world: World) {
    let trigger = world.create(every_minute("t")).await;
    world.turn_to(59);
    world.edit(trigger, every_minute("u")).await;
    let stored = world.stored(trigger).await;
    assert_eq!((stored.trigger.kind.next_run(), stored.due_at), (Some(at(60)), Some(at(60))));
    world.tick_at(60).await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 60)]);
}

async fn an_edit_does_not_make_a_single_trigger_fire_again(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    let grant = world.run(&agent).await;
    let edit = crate::world::draft("u", TriggerKind::Single { next_run: None });
    world.edit(trigger, edit.clone()).await;
    world.tick_at(10).await;
    world.finish(&agent, &grant, Outcome::Done).await;
    world.edit(trigger, edit).await;
    world.tick_at(20).await;
    assert_eq!(world.history(trigger).await, [(J::Done, 0)]);
    let stored = world.stored(trigger).await;
    assert_eq!((stored.trigger.kind.next_run(), stored.due_at, stored.trigger.hold), (None, None, Hold::Done));
}

async fn an_edit_may_move_the_time_of_a_single_trigger(world: World) {
    let trigger = world.create(single("t", 100)).await;
    world.edit(trigger, single("t", 50)).await;
    world.tick_at(50).await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 50)]);
}

async fn an_edit_of_what_someone_else_changed_is_refused(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let read_at = world.stored(trigger).await.trigger.updated_at;
    world.turn_to(5);
    world.edit(trigger, every_minute("u")).await;
    let refused = world.server.update_trigger(&admin(), trigger, every_minute("v"), Some(read_at)).await;
    assert!(matches!(refused, Err(TriggerError::ChangedMeanwhile { .. })));
    assert_eq!(world.stored(trigger).await.trigger.name.as_str(), "u");
}

async fn an_edit_is_not_refused_for_a_path_that_stays(world: World) {
    let mut old = every_minute("t");
    old.process.path = ProcessPath::parse("main.py").unwrap();
    // As it was stored before relative paths were refused.
    let trigger = TriggerId::generate();
    let mut tx = world.server.db().begin_write().await.unwrap();
    tx.trigger_insert(trigger, &old, Some(at(60)), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    old.priority = 6;
    world.edit(trigger, old.clone()).await;
    assert_eq!(world.stored(trigger).await.trigger.priority, 6);

    let (mut moved, mut repository, mut branch) = (old.clone(), old.clone(), old);
    moved.process.path = ProcessPath::parse("other.py").unwrap();
    repository.process.is_git_repo = true;
    branch.process.git_branch = Some(GitBranch::parse("next").unwrap());
    for (draft, field) in [(moved, "process_path"), (repository, "process_path"), (branch, "git_branch")] {
        let refused = world.server.update_trigger(&admin(), trigger, draft, None).await;
        assert!(matches!(&refused, Err(TriggerError::Draft(error)) if error.field() == field), "{field}: {refused:?}");
    }
}

async fn the_kind_of_a_trigger_stays(world: World) {
    let trigger = world.create(every_minute("t")).await;
    let refused = world.server.update_trigger(&admin(), trigger, queue("t"), None).await;
    assert!(matches!(refused, Err(TriggerError::KindChanged { .. })));
}

async fn names_are_unique_among_live_triggers(world: World) {
    let first = world.create(every_minute("t")).await;
    let refused = world.server.create_trigger(&admin(), TriggerId::generate(), every_minute("t"), false).await;
    assert!(matches!(refused, Err(TriggerError::NameExists(name)) if name == "t"));
    world.delete(first).await;
    world.create(every_minute("t")).await;
}

async fn a_trigger_that_is_created_paused_fires_only_once_it_is_enabled(world: World) {
    let (held, free) = (TriggerId::generate(), TriggerId::generate());
    world.server.create_paused_trigger(&admin(), held, single("held", 1), false).await.unwrap();
    world.server.create_paused_trigger(&admin(), free, every_minute("free"), false).await.unwrap();
    assert_eq!((world.hold(held).await, world.shown(held).await), (Hold::Paused, TriggerStatus::Paused));
    world.tick_at(3600).await;
    assert!(world.jobs(held).await.is_empty() && world.jobs(free).await.is_empty());
    world.enable(held, None).await;
    world.tick_at(3601).await;
    assert_eq!(world.jobs(held).await.len(), 1);
    assert_eq!(world.audit().await.iter().filter(|row| row.action == "trigger.create").count(), 2);
}

async fn creating_again_under_the_same_id_gives_the_same_trigger(world: World) {
    let id = world.create(every_minute("t")).await;
    let again = world.server.create_trigger(&admin(), id, every_minute("t"), true).await.unwrap();
    assert_eq!(again, world.stored(id).await.trigger);
    assert_eq!(world.audit().await.len(), 1);
}

async fn deleting_hides_it_cancels_what_waits_and_lets_the_rest_end(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.run_now(trigger).await;
    let running = world.run(&agent).await;
    let waiting = world.run_now(trigger).await;
    let mut changes = world.server.changes();
    let deleted = world.server.delete_trigger(&admin(), trigger).await.unwrap();
    assert_eq!((deleted.cancelled, deleted.running), (1, 1));
    assert_eq!(changes.try_recv().unwrap(), Hint::Job { id: waiting });
    let mut tx = world.db.begin_read().await.unwrap();
    let (listed, _) = tx.trigger_list(&TriggerFilter::default(), &PageRequest::first(9)).await.unwrap();
    assert!(listed.rows.is_empty());
    drop(tx);
    assert!(matches!(
        world.server.run_now(&admin(), trigger, None, RequestId::generate(), false).await,
        Err(TriggerError::Deleted(_))
    ));
    world.tick_at(60).await;
    world.finish(&agent, &running, Outcome::Done).await;
    assert_eq!(world.tick_at(120).await.next_due, None, "nobody waits for it");
    let ends: Vec<J> = world.history(trigger).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(ends, [J::Done, J::Cancelled]);
}

async fn jobs_of_a_deleted_trigger_are_not_started_again(world: World) {
    let agent = world.worker("w").await;
    for by_expiry in [false, true] {
        let mut draft = every_minute("t");
        draft.policies.max_attempts = 3;
        let trigger = world.create(draft).await;
        world.run_now(trigger).await;
        let back = world.claim_one(&agent).await;
        world.run_now(trigger).await;
        let failing = world.run(&agent).await;
        world.delete(trigger).await;
        world.finish(&agent, &failing, Outcome::Failed).await;
        if by_expiry {
            world.rescue_at(100).await;
        } else {
            assert_eq!(world.hand_back(&agent, &back, "no disk").await.unwrap(), J::Cancelled);
        }
        let ends: Vec<J> = world.history(trigger).await.into_iter().map(|(status, _)| status).collect();
        assert_eq!(ends, [J::Cancelled, J::Failed]);
    }
}

async fn a_job_of_a_deleted_trigger_is_not_retried(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(every_minute("t")).await;
    world.run_now(trigger).await;
    let job = world.run_to(&agent, Outcome::Failed).await;
    world.delete(trigger).await;
    let refused = world.server.retry_job(&admin(), job, RequestId::generate(), false).await;
    assert!(matches!(refused, Err(JobError::TriggerDeleted(id)) if id == job));
}
