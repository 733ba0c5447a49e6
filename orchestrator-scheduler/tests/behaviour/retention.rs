//! What is older than it has to be kept goes; nothing else does.

use std::time::Duration;

use orchestrator_core::id::{DecisionId, LogId};
use orchestrator_core::job::{JobStatus as J, Outcome, OutputChunk, OutputStream};
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::{LogMessage, ProcessName};
use orchestrator_db::{Decision, DecisionKind, LogFilter, PageRequest, StatusBy, StatusChange};
use orchestrator_scheduler::{PruneSummary, Retention};

use crate::world::{World, at, queue_name, single};

behaviours! {
    what_ended_long_ago_goes_and_what_has_not_ended_stays,
    everything_is_kept_unless_something_is_said,
    output_goes_before_its_job_where_that_is_said,
    decisions_of_more_than_thirty_days_ago_go_in_one_round_however_many_they_are,
}

const DAY: i64 = 24 * 3600;
const KEPT: Option<Duration> = Some(Duration::from_hours(5 * 24));
const ALL: Retention = Retention { logs: KEPT, output: KEPT, jobs: KEPT, elements: KEPT, audit: KEPT };

async fn write_line(world: &World, day: i64) {
    let line = LogLine {
        id: LogId::generate(),
        log_time: at(day * DAY),
        level: LogLevel::Info,
        process_name: ProcessName::parse("p").unwrap(),
        message: LogMessage::cut("hello"),
        job_id: None,
    };
    world.server.lanes().log(vec![line]).await.unwrap();
}

async fn lines(world: &World) -> usize {
    let mut tx = world.db.begin_read().await.unwrap();
    tx.log_list(&LogFilter::default(), &PageRequest::first(100)).await.unwrap().0.rows.len()
}

async fn print(world: &World, job: orchestrator_core::id::JobId) {
    let chunk = OutputChunk { seq: 1, stream: OutputStream::Stdout, at: at(0), content: b"hello".to_vec() };
    let mut tx = world.db.begin_write().await.unwrap();
    tx.output_append(&[(job, &[chunk])]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn printed(world: &World, job: orchestrator_core::id::JobId) -> usize {
    world.db.begin_read().await.unwrap().output_read(job, 0, 10).await.unwrap().rows.len()
}

async fn what_ended_long_ago_goes_and_what_has_not_ended_stays(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("old", 0)).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Done).await;
    print(&world, world.jobs(trigger).await[0].id).await;
    let running = world.create(single("running", 0)).await;
    world.tick().await;
    world.run(&agent).await;
    write_line(&world, 0).await;
    write_line(&world, 8).await;
    let elements = world.add_elements("q", 3).await;
    let by = StatusBy::Operator;
    for (id, status) in [(elements[0], ElementStatus::Done), (elements[1], ElementStatus::InProgress)] {
        let change = StatusChange { id, status, message: None, by, token: None };
        let mut tx = world.db.begin_write().await.unwrap();
        assert!(tx.element_set_status(&[change], at(0)).await.unwrap()[0].is_ok());
        tx.commit().await.unwrap();
    }
    let old_rows = world.audit().await.len();
    assert!(old_rows > 0);
    let planned = world.server.prunable(&ALL, at(10 * DAY)).await.unwrap();
    let summary = world.server.prune(&ALL, at(10 * DAY)).await.unwrap();
    assert_eq!(planned, summary, "what goes was told before");
    assert_eq!((summary.logs, summary.jobs, summary.elements, summary.output), (1, 1, 1, 1));
    assert_eq!((lines(&world).await, world.jobs(trigger).await.len()), (1, 0));
    assert_eq!(world.history(running).await, [(J::Running, 0)]);
    let counts = world.db.begin_read().await.unwrap().queue_get(&queue_name("q")).await.unwrap().counts;
    assert_eq!((counts.new, counts.in_progress, counts.done), (1, 1, 0));
    let said: Vec<String> =
        world.audit().await.into_iter().filter(|row| row.action == "retention.prune").map(|row| row.subject).collect();
    for subject in ["logs", "jobs", "q"] {
        assert!(said.iter().any(|said| said == subject), "{said:?}");
    }
    assert_eq!(world.server.prunable(&ALL, at(10 * DAY)).await.unwrap(), PruneSummary::default());
    assert_eq!(world.server.prune(&ALL, at(10 * DAY)).await.unwrap(), PruneSummary::default(), "nothing is left to go");
}

async fn everything_is_kept_unless_something_is_said(world: World) {
    write_line(&world, 0).await;
    assert_eq!(world.server.prune(&Retention::default(), at(9999 * DAY)).await.unwrap(), PruneSummary::default());
    assert_eq!(lines(&world).await, 1);
}

async fn output_goes_before_its_job_where_that_is_said(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(single("t", 0)).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Done).await;
    let job = world.jobs(trigger).await[0].id;
    print(&world, job).await;
    let retention = Retention { output: KEPT, ..Retention::default() };
    world.server.prune(&retention, at(4 * DAY)).await.unwrap();
    assert_eq!(printed(&world, job).await, 1);
    world.server.prune(&retention, at(10 * DAY)).await.unwrap();
    assert_eq!((printed(&world, job).await, world.jobs(trigger).await.len()), (0, 1));
}

async fn decisions_of_more_than_thirty_days_ago_go_in_one_round_however_many_they_are(world: World) {
    let trigger = world.create(single("p", 100 * DAY)).await;
    let decided = |day: i64| Decision {
        id: DecisionId::generate(),
        trigger_id: trigger,
        scheduled_at: at(day * DAY),
        decided_at: at(day * DAY),
        decision: DecisionKind::Overlap,
        reason: "it was busy".to_owned(),
    };
    let mut rows: Vec<Decision> = (0..5_001).map(|_| decided(0)).collect();
    rows.push(decided(2));
    let mut tx = world.db.begin_write().await.unwrap();
    tx.decision_insert(&rows).await.unwrap();
    tx.commit().await.unwrap();

    world.server.upkeep(at(31 * DAY)).await.unwrap();

    let mut tx = world.db.begin_read().await.unwrap();
    let (left, _) = tx.decision_list(None, &PageRequest::first(10)).await.unwrap();
    assert_eq!(left.iter().map(|row| row.decided_at).collect::<Vec<_>>(), [at(2 * DAY)]);
}
