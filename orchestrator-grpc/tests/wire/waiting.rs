//! Why a trigger does not run: what it waits for, and what put it on hold; and what became of a job that was retried.

use orchestrator_core::clock::Clock as _;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_proto::convert::timestamp;
use orchestrator_proto::v1;
use orchestrator_proto::v1::job_service_client::JobServiceClient;
use orchestrator_proto::v1::trigger::Kind;

use crate::queues::{QUEUE, create, field, new, queues};
use crate::world::{Presents, World, reason, register, single, world};

fn watching(min_batch_size: u32) -> v1::Trigger {
    let kind = v1::QueueKind { queue_name: QUEUE.to_owned(), min_batch_size, max_parallel: 1 };
    v1::Trigger { kind: Some(Kind::Queue(kind)), ..single("work") }
}

async fn made(world: &World, admin: &Presents, trigger: v1::Trigger, paused: bool) -> v1::Trigger {
    let create = v1::CreateTriggerRequest { trigger: Some(trigger), paused, ..Default::default() };
    world.triggers().await.create(admin.on(create)).await.unwrap().into_inner().trigger.unwrap()
}

async fn shown(world: &World, user: &Presents, name: &str) -> v1::Trigger {
    let get = v1::GetTriggerRequest { trigger: name.to_owned() };
    world.triggers().await.get(user.on(get)).await.unwrap().into_inner().trigger.unwrap()
}

/// Claims the one job, starts it and ends it.
async fn run(world: &World, worker: &Presents, session: &str, outcome: &str, reason: &str) -> String {
    let (mut workers, session_id) = (world.workers().await, session.to_owned());
    let wait = Some(prost_types::Duration { seconds: 20, nanos: 0 });
    let claim = v1::ClaimJobsRequest { session_id: session_id.clone(), free_slots: 1, wait, ..Default::default() };
    let claimed = workers.claim_jobs(worker.on(claim)).await.unwrap().into_inner().assignments.remove(0);
    let start = v1::StartJobRequest {
        session_id: session_id.clone(),
        job_id: claimed.job_id.clone(),
        lease_token: claimed.lease_token,
        job_token_hash: ApiToken::generate(TokenKind::Job).unwrap().hash().as_bytes().to_vec(),
        commit: String::new(),
    };
    workers.start_job(worker.on(start)).await.unwrap();
    let finish = v1::FinishJobRequest {
        session_id,
        job_id: claimed.job_id.clone(),
        lease_token: claimed.lease_token,
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    workers.finish_job(worker.on(finish)).await.unwrap();
    claimed.job_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_trigger_tells_what_it_waits_for() {
    let world = world().await;
    let (admin, worker) = (world.user(Role::Admin).await, world.worker().await);
    let mut queues = queues(&world).await;
    made(&world, &admin, watching(2), false).await;
    queues.create(admin.on(create(new("A-1", "")))).await.unwrap();
    let wait = shown(&world, &admin, "work").await.queue_wait.unwrap();
    assert_eq!((wait.waiting, wait.needed, wait.active_jobs, wait.backs_off_until), (1, 2, 0, None));
    assert_eq!(wait.reason, "1 of 2 new elements wait in queue \"Invoices\"");

    let pause = v1::PauseQueueRequest { queue_name: QUEUE.to_owned() };
    queues.pause(admin.on(pause)).await.unwrap();
    let wait = shown(&world, &admin, "work").await.queue_wait.unwrap();
    assert!(wait.queue_paused && wait.reason.contains("is paused"), "{}", wait.reason);
    let resume = v1::ResumeQueueRequest { queue_name: QUEUE.to_owned() };
    queues.resume(admin.on(resume)).await.unwrap();

    queues.create(admin.on(create(new("A-2", "")))).await.unwrap();
    let session = register(&mut world.workers().await, &worker).await;
    run(&world, &worker, &session, "DONE", "").await;
    let wait = shown(&world, &admin, "work").await.queue_wait.unwrap();
    assert_eq!(wait.backs_off_until, Some(timestamp(world.clock.now() + std::time::Duration::from_mins(1))));
    assert!(wait.reason.contains("took nothing from the queue; 2 new elements wait"), "{}", wait.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_failed_names_the_job_that_put_it_on_hold() {
    let world = world().await;
    let (admin, worker) = (world.user(Role::Admin).await, world.worker().await);
    let policies = v1::Policies { max_consecutive_failures: 1, ..Default::default() };
    made(&world, &admin, v1::Trigger { policies: Some(policies), ..watching(1) }, false).await;
    queues(&world).await.create(admin.on(create(new("A-1", "")))).await.unwrap();
    let session = register(&mut world.workers().await, &worker).await;
    let job = run(&world, &worker, &session, "FAILED", "exit code 3").await;
    // What someone runs by hand since is not why.
    let by_hand = v1::RunNowRequest { trigger: "work".to_owned(), ..Default::default() };
    world.triggers().await.run_now(admin.on(by_hand)).await.unwrap();
    run(&world, &worker, &session, "FAILED", "by hand").await;
    let held = shown(&world, &admin, "work").await;
    let cause = held.hold_cause.unwrap();
    assert_eq!((held.hold.as_str(), held.queue_wait), ("FAILED", None));
    assert_eq!((cause.job_id, cause.job_status.as_str(), cause.job_reason.as_str()), (job, "FAILED", "exit code 3"));
    assert_eq!((cause.reason.as_str(), cause.since), ("a run failed", Some(timestamp(world.clock.now()))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_trigger_that_is_over_names_its_last_run_however_it_ended() {
    let world = world().await;
    let (admin, worker) = (world.user(Role::Admin).await, world.worker().await);
    let session = register(&mut world.workers().await, &worker).await;
    made(&world, &admin, single("once"), false).await;
    let first = run(&world, &worker, &session, "DONE", "").await;
    let cause = shown(&world, &admin, "once").await.hold_cause.unwrap();
    assert_eq!((cause.reason.as_str(), cause.job_id), ("it has had its run", first));

    world.clock.advance(chrono::TimeDelta::seconds(1));
    let again = v1::EnableTriggerRequest { trigger: "once".to_owned(), next_run: None };
    world.triggers().await.enable(admin.on(again)).await.unwrap();
    let second = run(&world, &worker, &session, "KILLED", "killed on request").await;
    // What someone runs by hand since is not why.
    world.clock.advance(chrono::TimeDelta::seconds(1));
    let by_hand = v1::RunNowRequest { trigger: "once".to_owned(), ..Default::default() };
    world.triggers().await.run_now(admin.on(by_hand)).await.unwrap();
    run(&world, &worker, &session, "DONE", "").await;
    let held = shown(&world, &admin, "once").await;
    let cause = held.hold_cause.unwrap();
    assert_eq!((held.hold.as_str(), cause.reason.as_str()), ("DONE", "its run was killed"));
    assert_eq!((cause.job_id, cause.job_status.as_str()), (second, "KILLED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_trigger_whose_instant_was_skipped_says_that_it_never_ran() {
    let world = world().await;
    let (admin, worker) = (world.user(Role::Admin).await, world.worker().await);
    let at = |seconds: i64| Some(timestamp(world.clock.now() + chrono::TimeDelta::seconds(seconds)));
    let missed = v1::trigger::Kind::Single(v1::SingleKind { next_run: at(-3600) });
    let policies = v1::Policies { missed: "SKIP".to_owned(), ..Default::default() };
    let skipped = v1::Trigger { kind: Some(missed), policies: Some(policies), ..single("once") };
    made(&world, &admin, skipped, false).await;
    let held = async || {
        loop {
            let trigger = shown(&world, &admin, "once").await;
            if trigger.hold == "DONE" {
                return trigger.hold_cause.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(20);
    let cause = tokio::time::timeout(patience, held()).await.unwrap();
    let why = "its instant was skipped and it never ran: no server was running when it was due";
    assert!(cause.reason.starts_with(why), "{}", cause.reason);
    assert_eq!((cause.job_id.as_str(), cause.since), ("", at(0)));

    // Enabled again it runs, and that is then why it is over.
    world.clock.advance(chrono::TimeDelta::seconds(1));
    let again = v1::EnableTriggerRequest { trigger: "once".to_owned(), next_run: None };
    world.triggers().await.enable(admin.on(again)).await.unwrap();
    let session = register(&mut world.workers().await, &worker).await;
    let job = run(&world, &worker, &session, "DONE", "").await;
    let cause = held().await;
    assert_eq!((cause.reason.as_str(), cause.job_id), ("it has had its run", job));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_someone_holds_tells_who_and_since_when() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    assert_eq!(made(&world, &admin, watching(1), false).await.hold_cause, None);
    let mut triggers = world.triggers().await;
    let disable = || v1::DisableTriggerRequest { trigger: "work".to_owned() };
    triggers.disable(admin.on(disable())).await.unwrap();
    let since = world.clock.now();
    world.clock.advance(chrono::TimeDelta::seconds(1));
    triggers.disable(admin.on(disable())).await.unwrap();
    let cause = shown(&world, &admin, "work").await.hold_cause.unwrap();
    assert_eq!((cause.reason.as_str(), cause.actor.as_str()), ("paused by anna", "anna"));
    assert_eq!(cause.since, Some(timestamp(since)));
    // Its instants are its queue's.
    let enable = v1::EnableTriggerRequest { trigger: "work".to_owned(), next_run: Some(timestamp(since)) };
    let refused = triggers.enable(admin.on(enable)).await.unwrap_err();
    assert_eq!((reason(&refused).as_str(), field(&refused).as_str()), ("INVALID_FIELD", "next_run"));
    assert_eq!(shown(&world, &admin, "work").await.hold, "PAUSED");
    triggers.kill(admin.on(v1::KillTriggerRequest { trigger: "work".to_owned() })).await.unwrap();
    let cause = shown(&world, &admin, "work").await.hold_cause.unwrap();
    assert_eq!((cause.reason.as_str(), cause.since), ("killed by anna", Some(timestamp(world.clock.now()))));

    made(&world, &admin, v1::Trigger { name: "new".to_owned(), ..watching(1) }, true).await;
    assert_eq!(shown(&world, &admin, "new").await.hold_cause.unwrap().reason, "created on hold by anna");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_deleted_trigger_are_found_by_a_part_of_its_id() {
    let world = world().await;
    let (admin, worker) = (world.user(Role::Admin).await, world.worker().await);
    let trigger = made(&world, &admin, watching(1), true).await;
    let mut triggers = world.triggers().await;
    triggers.run_now(admin.on(v1::RunNowRequest { trigger: "work".to_owned(), ..Default::default() })).await.unwrap();
    let session = register(&mut world.workers().await, &worker).await;
    let job = run(&world, &worker, &session, "DONE", "").await;
    triggers.delete(admin.on(v1::DeleteTriggerRequest { trigger: trigger.id.clone() })).await.unwrap();
    let mut jobs = world.jobs().await;
    let mut list = async |trigger: &str| {
        let request = v1::ListJobsRequest { trigger: trigger.to_owned(), ..Default::default() };
        let listed = jobs.list(admin.on(request)).await?.into_inner();
        Ok::<_, tonic::Status>(listed.jobs.into_iter().map(|job| job.id).collect::<Vec<_>>())
    };
    assert_eq!(list(&trigger.id).await.unwrap(), [job.as_str()]);
    assert_eq!(list(&trigger.id[28..]).await.unwrap(), [job.as_str()]);
    let refused = list("work").await.unwrap_err();
    assert_eq!(reason(&refused), "TRIGGER_NOT_FOUND");
    assert!(refused.message().contains("found by its id"), "{}", refused.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_retried_says_as_which() {
    for world in [world().await, crate::world::postgres_world().await] {
        let (operator, viewer) = (world.user(Role::Operator).await, world.user(Role::Viewer).await);
        made(&world, &world.user(Role::Admin).await, single("work"), true).await;
        let run = v1::RunNowRequest { trigger: "work".to_owned(), ..Default::default() };
        let id = world.triggers().await.run_now(operator.on(run)).await.unwrap().into_inner().job.unwrap().id;
        let mut jobs = JobServiceClient::new(world.channel().await);
        jobs.kill(operator.on(v1::KillJobRequest { job: id.clone() })).await.unwrap();
        for _ in 0..2 {
            let retry = v1::RetryJobRequest { job: id.clone(), ..Default::default() };
            let again = jobs.retry(operator.on(retry)).await.unwrap().into_inner().job.unwrap();
            let get = |job: &str| viewer.on(v1::GetJobRequest { job: job.to_owned() });
            let old = jobs.get(get(&id)).await.unwrap().into_inner().job.unwrap();
            let new = jobs.get(get(&again.id)).await.unwrap().into_inner().job.unwrap();
            assert_eq!((old.retried_as, new.retried_as), (again.id, String::new()));
            world.clock.advance(chrono::TimeDelta::seconds(1));
        }
    }
}
