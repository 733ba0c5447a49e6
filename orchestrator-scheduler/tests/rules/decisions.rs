use std::time::Duration;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::CronExpr;
use orchestrator_core::id::TriggerId;
use orchestrator_core::policy::{Missed, Overlap, Policies};
use orchestrator_core::text::{ProcessName, ProcessPath, QueueName, TriggerName};
use orchestrator_core::trigger::{ActiveJobs, Hold, ProcessSpec, Trigger, TriggerKind, TriggerStatus};
use orchestrator_db::{DecisionKind, StoredTrigger};
use orchestrator_scheduler::{Circumstances, decide_due, decide_queue};

use crate::fleet::at;

const MINUTE: i64 = 60;

fn stored(kind: TriggerKind, policies: Policies) -> StoredTrigger {
    let due_at = kind.next_run();
    let trigger = Trigger {
        id: TriggerId::generate(),
        name: TriggerName::parse("t").unwrap(),
        process: ProcessSpec {
            name: ProcessName::parse("p").unwrap(),
            path: ProcessPath::parse("p.py").unwrap(),
            args: None,
            is_git_repo: false,
            git_branch: None,
            entry_point: None,
        },
        kind,
        hold: Hold::None,
        status: TriggerStatus::Idle,
        is_blocking: false,
        priority: 0,
        worker_whitelist: Vec::new(),
        policies,
        last_run: None,
        consecutive_failures: 0,
        created_at: at(0),
        updated_at: at(0),
    };
    StoredTrigger { trigger, due_at, buffered_at: None, last_scheduled_at: None, deleted: false }
}

/// Fires at every whole minute; the first one is at second 0.
fn every_minute(policies: Policies) -> StoredTrigger {
    let cron = CronExpr::parse("* * * * *").unwrap();
    stored(TriggerKind::Scheduled { cron, zone: chrono_tz::UTC, next_run: Some(at(0)) }, policies)
}

fn on_duty(now: i64) -> Circumstances {
    Circumstances { now: at(now), on_duty_since: at(-1_000_000), active: ActiveJobs::default() }
}

/// All servers were down until `now`.
fn just_back(now: i64) -> Circumstances {
    Circumstances { on_duty_since: at(now), ..on_duty(now) }
}

fn busy(mut at: Circumstances, jobs: u32) -> Circumstances {
    at.active = ActiveJobs { started: jobs, ..ActiveJobs::default() };
    at
}

fn seconds(instants: &[Timestamp]) -> Vec<i64> {
    instants.iter().map(|instant| (*instant - at(0)).num_seconds()).collect()
}

fn kinds(decisions: &[orchestrator_db::Decision]) -> Vec<DecisionKind> {
    decisions.iter().map(|decision| decision.decision).collect()
}

#[test]
fn a_due_instant_becomes_a_job_for_the_instant_and_not_for_when_it_was_noticed() {
    let verdict = decide_due(&every_minute(Policies::default()), on_duty(2));
    assert_eq!(seconds(&verdict.run), [0]);
    assert_eq!(verdict.progress.next_run, Some(at(MINUTE)));
    assert_eq!(verdict.progress.due_at, Some(at(MINUTE)));
}

#[test]
fn after_an_outage_the_latest_missed_instant_runs_once() {
    let verdict = decide_due(&every_minute(Policies::default()), just_back(10 * MINUTE + 30));
    assert_eq!(seconds(&verdict.run), [10 * MINUTE]);
    assert_eq!(kinds(&verdict.decisions), [DecisionKind::Missed]);
    assert_eq!(verdict.progress.next_run, Some(at(11 * MINUTE)));
}

#[test]
fn missed_instants_are_skipped_when_the_policy_says_so() {
    let policies = Policies { missed: Missed::Skip, ..Policies::default() };
    let verdict = decide_due(&every_minute(policies), just_back(10 * MINUTE + 30));
    assert!(verdict.run.is_empty());
    assert_eq!(kinds(&verdict.decisions), [DecisionKind::Missed]);
    assert_eq!(verdict.progress.due_at, Some(at(11 * MINUTE)));
}

#[test]
fn missed_instants_are_made_up_for_one_after_the_other() {
    let policies = Policies { missed: Missed::All { most: 3 }, ..Policies::default() };
    let mut trigger = every_minute(policies);
    let at_return = just_back(10 * MINUTE + 30);
    let mut ran = Vec::new();
    for _ in 0..3 {
        let verdict = decide_due(&trigger, at_return);
        ran.extend(seconds(&verdict.run));
        let TriggerKind::Scheduled { next_run, .. } = &mut trigger.trigger.kind else { unreachable!() };
        *next_run = verdict.progress.next_run;
        trigger.due_at = verdict.progress.due_at;
    }
    assert_eq!(ran, [8 * MINUTE, 9 * MINUTE, 10 * MINUTE]);
    assert_eq!(trigger.due_at, Some(at(11 * MINUTE)), "then it goes on with its schedule");
}

#[test]
fn a_missed_instant_waits_while_the_one_before_it_runs() {
    let policies = Policies { missed: Missed::All { most: 3 }, ..Policies::default() };
    let verdict = decide_due(&every_minute(policies), busy(just_back(10 * MINUTE + 30), 1));
    assert!(verdict.run.is_empty());
    assert_eq!(verdict.progress.next_run, Some(at(8 * MINUTE)));
    assert_eq!(verdict.progress.due_at, None, "until the job ends");
}

#[test]
fn a_missed_instant_that_is_too_late_never_runs() {
    let policies = Policies { max_lateness: Some(Duration::from_secs(20)), ..Policies::default() };
    let verdict = decide_due(&every_minute(policies.clone()), just_back(10 * MINUTE + 30));
    assert!(verdict.run.is_empty());
    assert!(kinds(&verdict.decisions).contains(&DecisionKind::TooLate));
    let verdict = decide_due(&every_minute(policies), just_back(10 * MINUTE + 15));
    assert_eq!(seconds(&verdict.run), [10 * MINUTE]);
}

#[test]
fn an_instant_that_a_running_server_noticed_late_is_not_missed() {
    let policies = Policies { missed: Missed::Skip, ..Policies::default() };
    assert_eq!(seconds(&decide_due(&every_minute(policies), on_duty(30)).run), [0]);
}

#[test]
fn an_instant_that_finds_a_job_active_is_remembered_by_default() {
    let verdict = decide_due(&every_minute(Policies::default()), busy(on_duty(1), 1));
    assert!(verdict.run.is_empty());
    assert_eq!(verdict.progress.buffered_at, Some(at(0)));
    assert_eq!(kinds(&verdict.decisions), [DecisionKind::Buffered]);
}

#[test]
fn the_later_instant_takes_the_place_of_the_one_that_waits() {
    let mut trigger = every_minute(Policies::default());
    trigger.buffered_at = Some(at(-MINUTE));
    let verdict = decide_due(&trigger, busy(on_duty(1), 1));
    assert_eq!(verdict.progress.buffered_at, Some(at(0)));
    assert_eq!(kinds(&verdict.decisions), [DecisionKind::Overlap, DecisionKind::Buffered]);
}

#[test]
fn an_instant_that_finds_a_job_active_is_dropped_when_the_policy_says_so() {
    let policies = Policies { overlap: Overlap::Skip, ..Policies::default() };
    let verdict = decide_due(&every_minute(policies), busy(on_duty(1), 1));
    assert!(verdict.run.is_empty() && verdict.progress.buffered_at.is_none());
    assert_eq!(kinds(&verdict.decisions), [DecisionKind::Overlap]);
}

#[test]
fn as_many_jobs_overlap_as_the_policy_allows() {
    let policies = Policies { overlap: Overlap::Allow { most: 2 }, ..Policies::default() };
    assert_eq!(decide_due(&every_minute(policies.clone()), busy(on_duty(1), 1)).run.len(), 1);
    assert!(decide_due(&every_minute(policies), busy(on_duty(1), 2)).run.is_empty());
}

#[test]
fn instants_while_on_hold_are_dropped_and_recorded() {
    let mut trigger = every_minute(Policies::default());
    trigger.trigger.hold = Hold::Paused;
    let verdict = decide_due(&trigger, on_duty(1));
    assert!(verdict.run.is_empty());
    assert_eq!(kinds(&verdict.decisions), [DecisionKind::OnHold]);
    assert_eq!(verdict.progress.due_at, Some(at(MINUTE)));
}

#[test]
fn a_single_trigger_fires_once_at_or_after_its_instant() {
    let verdict = decide_due(&stored(TriggerKind::Single { next_run: Some(at(0)) }, Policies::default()), on_duty(5));
    assert_eq!(seconds(&verdict.run), [0]);
    assert_eq!((verdict.progress.next_run, verdict.progress.due_at), (None, None));
}

#[test]
fn a_held_single_trigger_keeps_its_instant() {
    let mut trigger = stored(TriggerKind::Single { next_run: Some(at(0)) }, Policies::default());
    trigger.trigger.hold = Hold::Paused;
    let verdict = decide_due(&trigger, on_duty(5));
    assert!(verdict.run.is_empty());
    assert_eq!((verdict.progress.next_run, verdict.progress.due_at), (Some(at(0)), None));
}

#[test]
fn a_single_trigger_that_was_missed_and_is_to_skip_is_done() {
    let policies = Policies { missed: Missed::Skip, ..Policies::default() };
    let verdict = decide_due(&stored(TriggerKind::Single { next_run: Some(at(0)) }, policies), just_back(60));
    assert!(verdict.run.is_empty());
    assert_eq!(verdict.progress.hold, Hold::Done);
}

fn queue(min_batch_size: u32, max_parallel: u32) -> StoredTrigger {
    let queue_name = QueueName::parse("q").unwrap();
    stored(TriggerKind::Queue { queue_name, min_batch_size, max_parallel }, Policies::default())
}

#[test]
fn a_queue_trigger_wants_one_job_per_full_batch_up_to_its_limit() {
    for (ready, active, expected) in
        [(0, 0, 0), (9, 0, 0), (10, 0, 1), (25, 0, 2), (100, 0, 3), (100, 2, 1), (100, 3, 0)]
    {
        let verdict = decide_queue(&queue(10, 3), ready, busy(on_duty(0), active));
        assert_eq!(verdict.run.len(), expected, "{ready} new, {active} active");
    }
}

#[test]
fn jobs_of_a_queue_trigger_have_instants_of_their_own_that_only_grow() {
    let mut trigger = queue(1, 3);
    trigger.last_scheduled_at = Some(at(10));
    let verdict = decide_queue(&trigger, 3, on_duty(5));
    assert!(verdict.run[0] > at(10));
    assert!(verdict.run.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(verdict.progress.last_scheduled_at, verdict.run.last().copied());
}

#[test]
fn a_queue_trigger_on_hold_wants_nothing_when_its_back_off_ends() {
    for hold in [Hold::Paused, Hold::Failed, Hold::Killed] {
        let mut trigger = queue(1, 3);
        trigger.due_at = Some(at(5));
        trigger.trigger.hold = hold;
        let verdict = decide_queue(&trigger, 3, on_duty(5));
        assert_eq!((verdict.run.len(), verdict.progress.due_at), (0, None), "{hold}");
    }
}
