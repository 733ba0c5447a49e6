//! One job from its trigger to its end, as an administrator and a worker see it.

use std::time::Duration;

use orchestrator_core::clock::Clock as _;
use orchestrator_core::id::TriggerId;
use orchestrator_core::identity::Role;
use orchestrator_core::text::Limits;
use orchestrator_proto::convert::{self, DraftContext};
use orchestrator_proto::v1;
use tonic::Code;

use crate::queues::field;
use crate::world::{reason, register, single, world};

fn chunk(seq: i64, text: &str) -> v1::OutputChunk {
    v1::OutputChunk {
        seq,
        stream: "STDOUT".to_owned(),
        at: Some(prost_types::Timestamp { seconds: 1_795_000_000, nanos: 0 }),
        content: text.as_bytes().to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_prints_and_ends() {
    let world = world().await;
    let (worker, viewer) = (world.worker().await, world.user(Role::Viewer).await);
    let job = world.running_job(&worker).await;
    let id = job.assignment.job_id.clone();
    let watch = v1::WatchOutputRequest { job: id.clone(), after_seq: 0 };
    let mut watched = world.jobs().await.watch_output(viewer.on(watch)).await.unwrap().into_inner();

    let mut workers = world.workers().await;
    let append = v1::AppendOutputRequest {
        session_id: job.session.clone(),
        job_id: id.clone(),
        lease_token: job.assignment.lease_token,
        chunks: vec![chunk(1, "hello\n"), chunk(2, "bye\n")],
    };
    workers.append_output(worker.on(append.clone())).await.unwrap();
    workers.append_output(worker.on(append)).await.unwrap();
    let first = watched.message().await.unwrap().unwrap();
    let texts: Vec<_> = first.chunks.iter().map(|chunk| String::from_utf8_lossy(&chunk.content)).collect();
    assert_eq!(texts, ["hello\n", "bye\n"]);
    assert!(first.ended.is_none());

    let finish = v1::FinishJobRequest {
        session_id: job.session,
        job_id: id.clone(),
        lease_token: job.assignment.lease_token,
        outcome: "FAILED".to_owned(),
        exit_code: Some(3),
        reason: "exit code 3".to_owned(),
        ended_at: None,
    };
    let ended = workers.finish_job(worker.on(finish.clone())).await.unwrap().into_inner();
    assert_eq!(ended.status, "FAILED");
    assert_eq!(workers.finish_job(worker.on(finish.clone())).await.unwrap().into_inner().status, "FAILED");
    let other = v1::FinishJobRequest { outcome: "DONE".to_owned(), ..finish };
    let refused = workers.finish_job(worker.on(other)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "ILLEGAL_TRANSITION"));

    let last = watched.message().await.unwrap().unwrap();
    let ended = last.ended.unwrap();
    assert_eq!((ended.status.as_str(), ended.exit_code, ended.worker_name.as_str()), ("FAILED", Some(3), "robot-1"));
    assert!(watched.message().await.unwrap().is_none());

    let read = v1::ReadOutputRequest { job: id[24..].to_owned(), after_seq: 1, limit: 0, last: false };
    let read = world.jobs().await.read_output(viewer.on(read)).await.unwrap().into_inner();
    assert_eq!((read.chunks.len(), read.chunks[0].seq, read.complete), (1, 2, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_handed_out_before_its_instant_says_how_long_it_is_to_it() {
    let world = world().await;
    let (worker, admin) = (world.worker().await, world.user(Role::Admin).await);
    let mut workers = world.workers().await;
    let session = register(&mut workers, &worker).await;
    for (ahead, expected) in [(30, Some(30_000_000)), (0, None)] {
        let next_run = world.clock.now() + Duration::from_millis(ahead);
        let kind = v1::SingleKind { next_run: Some(orchestrator_proto::convert::timestamp(next_run)) };
        let trigger = v1::Trigger {
            is_blocking: Some(false),
            kind: Some(v1::trigger::Kind::Single(kind)),
            ..single(&format!("{ahead} ms ahead"))
        };
        let create = v1::CreateTriggerRequest { trigger: Some(trigger), ..Default::default() };
        world.triggers().await.create(admin.on(create)).await.unwrap();
        let wait = Some(prost_types::Duration { seconds: 20, nanos: 0 });
        let claim = v1::ClaimJobsRequest { session_id: session.clone(), free_slots: 1, wait, ..Default::default() };
        let claimed = workers.claim_jobs(worker.on(claim)).await.unwrap().into_inner();
        assert_eq!(claimed.assignments[0].start_after.map(|left| left.nanos), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_reaches_the_worker_on_its_stream() {
    let world = world().await;
    let (worker, operator) = (world.worker().await, world.user(Role::Operator).await);
    let job = world.running_job(&worker).await;
    let commands = v1::CommandsRequest { session_id: job.session };
    let mut commands = world.workers().await.commands(worker.on(commands)).await.unwrap().into_inner();
    let kill = v1::KillJobRequest { job: job.assignment.job_id.clone() };
    let killed = world.jobs().await.kill(operator.on(kill)).await.unwrap().into_inner().job.unwrap();
    assert!(killed.kill_requested);
    let order = commands.message().await.unwrap().unwrap().command.unwrap();
    let expected = v1::KillOrder { job_id: job.assignment.job_id, lease_token: job.assignment.lease_token };
    assert_eq!(order, v1::commands_response::Command::Kill(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_under_the_same_name_and_a_stale_token_are_refused_with_their_codes() {
    let world = world().await;
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    let mut workers = world.workers().await;
    let second = v1::RegisterRequest {
        instance_id: orchestrator_core::id::InstanceId::generate().to_string(),
        slots: 1,
        ..Default::default()
    };
    let refused = workers.register(worker.on(second)).await.unwrap_err();
    assert_eq!(reason(&refused), "WORKER_NAME_TAKEN");
    let stale = v1::FinishJobRequest {
        session_id: job.session,
        job_id: job.assignment.job_id,
        lease_token: job.assignment.lease_token + 1,
        outcome: "DONE".to_owned(),
        ..Default::default()
    };
    assert_eq!(reason(&workers.finish_job(worker.on(stale)).await.unwrap_err()), "LEASE_LOST");
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_are_made_found_changed_and_deleted() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    let mut triggers = world.triggers().await;
    let kind = v1::trigger::Kind::Scheduled(v1::ScheduledKind {
        cron_expr: "0 6 * * 1-5".to_owned(),
        time_zone: "America/New_York".to_owned(),
        next_run: None,
    });
    let create = v1::CreateTriggerRequest {
        trigger: Some(v1::Trigger { kind: Some(kind), ..single("morning") }),
        ..Default::default()
    };
    let made = triggers.create(admin.on(create.clone())).await.unwrap().into_inner().trigger.unwrap();
    let again = triggers.create(admin.on(create)).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::AlreadyExists, "NAME_EXISTS"));

    // An update without policies, blocking and zone leaves them alone.
    let mut changed = made.clone();
    changed.priority = 7;
    (changed.policies, changed.is_blocking) = (None, None);
    if let Some(v1::trigger::Kind::Scheduled(kind)) = &mut changed.kind {
        kind.time_zone.clear();
    }
    let update = v1::UpdateTriggerRequest { trigger: Some(changed.clone()) };
    let updated = triggers.update(admin.on(update.clone())).await.unwrap().into_inner().trigger.unwrap();
    assert_eq!((updated.priority, &updated.policies, &updated.kind), (7, &made.policies, &made.kind));

    world.clock.advance(chrono::Duration::seconds(1));
    let later = v1::UpdateTriggerRequest { trigger: Some(updated.clone()) };
    triggers.update(admin.on(later.clone())).await.unwrap();
    let stale = triggers.update(admin.on(later)).await.unwrap_err();
    assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "CHANGED_MEANWHILE"));

    let preview = v1::PreviewScheduleRequest { trigger: "morning".to_owned(), count: 2, ..Default::default() };
    let answer = triggers.preview_schedule(admin.on(preview.clone())).await.unwrap().into_inner();
    assert_eq!((answer.instants.len(), answer.time_zone.as_str()), (2, "America/New_York"));
    assert_eq!((answer.hold.as_str(), answer.hold_cause), ("NONE", None));
    triggers.disable(admin.on(v1::DisableTriggerRequest { trigger: made.id.clone() })).await.unwrap();
    let held = triggers.preview_schedule(admin.on(preview)).await.unwrap().into_inner();
    assert_eq!((held.instants, held.hold.as_str()), (answer.instants, "PAUSED"));
    assert!(held.hold_cause.unwrap().reason.starts_with("paused by "));

    let delete = v1::DeleteTriggerRequest { trigger: made.id.clone() };
    triggers.delete(admin.on(delete)).await.unwrap();
    let gone = triggers.get(admin.on(v1::GetTriggerRequest { trigger: made.id })).await.unwrap_err();
    assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "TRIGGER_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_with_a_path_from_before_the_rule_can_still_be_changed() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    let mut triggers = world.triggers().await;
    let old = v1::Trigger { process_path: "main.py".to_owned(), ..single("old") };
    let context = DraftContext { limits: Limits::default(), zone: world.scheduler.zone(), existing: None };
    let draft = convert::draft(old, context).unwrap();
    let mut tx = world.scheduler.db().begin_write().await.unwrap();
    tx.trigger_insert(TriggerId::generate(), &draft, None, world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let get = v1::GetTriggerRequest { trigger: "old".to_owned() };
    let mut trigger = triggers.get(admin.on(get)).await.unwrap().into_inner().trigger.unwrap();
    assert_eq!(trigger.process_path, "main.py");
    trigger.priority = 6;
    let update = v1::UpdateTriggerRequest { trigger: Some(trigger.clone()) };
    let updated = triggers.update(admin.on(update)).await.unwrap().into_inner().trigger.unwrap();
    assert_eq!((updated.priority, updated.process_path.as_str()), (6, "main.py"));
    let moved = v1::Trigger { process_path: "other.py".to_owned(), ..updated };
    let update = v1::UpdateTriggerRequest { trigger: Some(moved) };
    let refused = triggers.update(admin.on(update)).await.unwrap_err();
    assert_eq!((reason(&refused).as_str(), field(&refused).as_str()), ("INVALID_FIELD", "process_path"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_run_now_makes_one_job() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    let mut triggers = world.triggers().await;
    let kind = v1::trigger::Kind::Queue(v1::QueueKind {
        queue_name: "invoices".to_owned(),
        min_batch_size: 1,
        max_parallel: 0,
    });
    let create = v1::CreateTriggerRequest {
        trigger: Some(v1::Trigger { kind: Some(kind), ..single("on demand") }),
        ..Default::default()
    };
    triggers.create(admin.on(create)).await.unwrap();
    let run = |repeat| v1::RunNowRequest {
        trigger: "on demand".to_owned(),
        process_args: Some("{}".to_owned()),
        call: Some(v1::Call { request_id: "018f3c9a-5d2e-7c31-9f00-0a1b2c3d4e5f".to_owned(), repeat }),
    };
    let first = triggers.run_now(admin.on(run(false))).await.unwrap().into_inner().job.unwrap();
    let second = triggers.run_now(admin.on(run(true))).await.unwrap().into_inner().job.unwrap();
    assert_eq!(first.id, second.id);
    let shown = world.jobs().await.get(admin.on(v1::GetJobRequest { job: first.id })).await.unwrap().into_inner();
    assert_eq!(shown.job.unwrap().waiting_reason, "no worker is connected");
    let worker = world.worker().await;
    register(&mut world.workers().await, &worker).await;
}
