//! What the administrators' pages ask.

use orchestrator_core::identity::Role;
use orchestrator_proto::v1;
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;
use orchestrator_proto::v1::queue_service_client::QueueServiceClient;
use orchestrator_proto::v1::trigger::Kind;

use crate::world::{World, reason, single, world};

fn scheduled(name: &str, cron: &str, worker: &[&str]) -> v1::Trigger {
    v1::Trigger {
        kind: Some(Kind::Scheduled(v1::ScheduledKind { cron_expr: cron.to_owned(), ..Default::default() })),
        worker_whitelist: worker.iter().map(|&name| name.to_owned()).collect(),
        ..single(name)
    }
}

async fn create(world: &World, trigger: v1::Trigger) -> v1::Trigger {
    let admin = world.user(Role::Admin).await;
    let create = v1::CreateTriggerRequest { trigger: Some(trigger), ..Default::default() };
    world.triggers().await.create(admin.on(create)).await.unwrap().into_inner().trigger.unwrap()
}

/// Minutes after noon with the trigger's name.
fn shown(answer: &v1::ListPlannedRunsResponse) -> Vec<(i64, &str)> {
    const NOON: i64 = 1_795_348_800;
    answer.runs.iter().map(|run| ((run.at.unwrap().seconds - NOON) / 60, run.trigger_name.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_runs_of_all_schedules_come_in_order_of_time() {
    let world = world().await;
    create(&world, scheduled("often", "*/10 * * * *", &[])).await;
    create(&world, scheduled("half", "15,45 * * * *", &["pc1"])).await;
    let held = create(&world, scheduled("held", "* * * * *", &[])).await;
    let (viewer, operator) = (world.user(Role::Viewer).await, world.user(Role::Operator).await);
    let mut triggers = world.triggers().await;
    triggers.disable(operator.on(v1::DisableTriggerRequest { trigger: held.id })).await.unwrap();

    let request = v1::ListPlannedRunsRequest { limit: 5, ..Default::default() };
    let answer = triggers.list_planned_runs(viewer.on(request)).await.unwrap().into_inner();
    assert_eq!(shown(&answer), [(10, "often"), (15, "half"), (20, "often"), (30, "often"), (40, "often")]);
    assert!(answer.more);

    let to = answer.runs[3].at;
    let request = v1::ListPlannedRunsRequest { to, each_most: 1, ..Default::default() };
    let answer = triggers.list_planned_runs(viewer.on(request)).await.unwrap().into_inner();
    assert_eq!(shown(&answer), [(10, "often"), (15, "half")]);
    assert_eq!(answer.runs.iter().map(|run| run.is_cut).collect::<Vec<_>>(), [true, false]);
    assert!(!answer.more);

    let from = answer.runs[1].at;
    let request = v1::ListPlannedRunsRequest { from, limit: 2, worker_name: "pc2".to_owned(), ..Default::default() };
    let answer = triggers.list_planned_runs(viewer.on(request)).await.unwrap().into_inner();
    assert_eq!(shown(&answer), [(20, "often"), (30, "often")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_tells_who_changed_it_last_and_running_it_is_no_change() {
    let world = world().await;
    let made = create(&world, scheduled("night", "0 6 * * *", &[])).await;
    let (viewer, operator) = (world.user(Role::Viewer).await, world.user(Role::Operator).await);
    let mut triggers = world.triggers().await;
    let get = v1::GetTriggerRequest { trigger: made.id.clone() };
    let change = triggers.get(viewer.on(get.clone())).await.unwrap().into_inner().last_change.unwrap();
    assert_eq!((change.actor.as_str(), change.action.as_str()), ("anna", "trigger.create"));
    triggers.disable(operator.on(v1::DisableTriggerRequest { trigger: made.id.clone() })).await.unwrap();
    triggers.run_now(operator.on(v1::RunNowRequest { trigger: made.id, ..Default::default() })).await.unwrap();
    let change = triggers.get(viewer.on(get)).await.unwrap().into_inner().last_change.unwrap();
    assert_eq!(change.action, "trigger.disable");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_jobs_say_in_a_list_why_they_wait() {
    let world = world().await;
    create(&world, single("night")).await;
    let viewer = world.user(Role::Viewer).await;
    let mut jobs = world.jobs().await;
    loop {
        let list = jobs.list(viewer.on(v1::ListJobsRequest::default())).await.unwrap().into_inner().jobs;
        if let [job] = &list[..] {
            assert_eq!(job.waiting_reason, "no worker is connected");
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_output_of_a_job_and_what_it_touched_can_be_read() {
    let world = world().await;
    let worker = world.worker().await;
    let running = world.running_job(&worker).await;
    let chunk = |seq| v1::OutputChunk { seq, stream: "STDOUT".to_owned(), at: None, content: vec![b'a'] };
    let append = v1::AppendOutputRequest {
        session_id: running.session.clone(),
        job_id: running.assignment.job_id.clone(),
        lease_token: running.assignment.lease_token,
        chunks: (1..=3)
            .map(|seq| v1::OutputChunk { at: Some(prost_types::Timestamp::default()), ..chunk(seq) })
            .collect(),
    };
    world.workers().await.append_output(worker.on(append)).await.unwrap();
    let viewer = world.user(Role::Viewer).await;
    let job = running.assignment.job_id;
    let read = v1::ReadOutputRequest { job: job.clone(), limit: 2, last: true, after_seq: 0 };
    let answer = world.jobs().await.read_output(viewer.on(read)).await.unwrap().into_inner();
    assert_eq!(answer.chunks.iter().map(|chunk| chunk.seq).collect::<Vec<_>>(), [2, 3]);
    assert!(!answer.complete, "it still runs");

    let mut queues = QueueServiceClient::new(world.channel().await);
    let none = queues.list_of_job(viewer.on(v1::ListElementsOfJobRequest { job, limit: 0 })).await.unwrap();
    assert!(none.into_inner().elements.is_empty());
    let refused = queues.list_of_job(viewer.on(v1::ListElementsOfJobRequest::default())).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_FIELD");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_jobs_has_an_hour_for_each_that_was_asked_for() {
    let world = world().await;
    let viewer = world.user(Role::Viewer).await;
    let mut admin = AdminServiceClient::new(world.channel().await);
    let answer = admin.get_job_history(viewer.on(v1::GetJobHistoryRequest { hours: 3 })).await.unwrap().into_inner();
    assert_eq!(answer.hours.len(), 3);
    assert!(
        answer.hours.windows(2).all(|pair| pair[1].start.unwrap().seconds - pair[0].start.unwrap().seconds == 3600)
    );
    let refused = admin.get_job_history(viewer.on(v1::GetJobHistoryRequest { hours: 169 })).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_FIELD");
}
