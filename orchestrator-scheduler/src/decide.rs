//! What a due trigger does now. Pure functions of the locked trigger, its active jobs and the instant.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::CronExpr;
use orchestrator_core::id::DecisionId;
use orchestrator_core::policy::{Missed, Overlap};
use orchestrator_core::trigger::{ActiveJobs, Hold, TriggerKind};
use orchestrator_db::{Decision, DecisionKind, StoredTrigger, TriggerProgress};

/// How much later than its instant a trigger may be looked at, while servers are on duty, before it counts as missed.
const MISSED_MARGIN: chrono::Duration = chrono::Duration::seconds(1);

/// The most instants of one trigger that are enumerated at once.
const MOST_INSTANTS: usize = 1000;

/// The smallest step between two instants of one trigger.
const NEXT_INSTANT: chrono::Duration = chrono::Duration::microseconds(1);

/// What evaluating one trigger comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Instants that become jobs, in order.
    pub run: Vec<Timestamp>,
    /// The trigger's new bookkeeping.
    pub progress: TriggerProgress,
    /// Decisions not to run, with their reasons.
    pub decisions: Vec<Decision>,
}

/// The circumstances of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// The instant of the decision.
    pub now: Timestamp,
    /// Since when this server has been able to evaluate: what was due before was missed by all.
    pub on_duty_since: Timestamp,
    /// The trigger's active jobs.
    pub active: ActiveJobs,
}

/// The progress that leaves a trigger as it is.
pub(crate) fn progress_of(stored: &StoredTrigger) -> TriggerProgress {
    TriggerProgress {
        id: stored.trigger.id,
        stored: (&stored.trigger.kind).into(),
        next_run: stored.trigger.kind.next_run(),
        due_at: stored.due_at,
        buffered_at: stored.buffered_at,
        last_scheduled_at: stored.last_scheduled_at,
        consecutive_failures: stored.trigger.consecutive_failures,
        hold: stored.trigger.hold,
    }
}

/// Decides for a single or scheduled trigger whose instant has come. A queue trigger whose back-off has ended is only
/// made eligible again; see [`decide_queue`].
pub fn decide_due(stored: &StoredTrigger, at: Circumstances) -> Verdict {
    let mut deciding = Deciding::new(stored, at);
    match &stored.trigger.kind {
        TriggerKind::Single { next_run } => deciding.single(*next_run),
        TriggerKind::Scheduled { cron, zone, next_run } => deciding.scheduled(cron, *zone, *next_run),
        TriggerKind::Queue { .. } => deciding.verdict.progress.due_at = None,
    }
    deciding.verdict
}

/// Decides for a queue trigger that sees `ready` new elements (counted no further than needed): one job per full batch,
/// up to `max_parallel` active ones.
pub fn decide_queue(stored: &StoredTrigger, ready: u64, at: Circumstances) -> Verdict {
    let mut verdict = Verdict { run: Vec::new(), progress: progress_of(stored), decisions: Vec::new() };
    let TriggerKind::Queue { min_batch_size, max_parallel, .. } = &stored.trigger.kind else { return verdict };
    verdict.progress.due_at = None;
    // A back-off may end while the trigger is on hold.
    let wanted = match stored.trigger.hold {
        Hold::None => u64::from(*max_parallel).min(ready / u64::from((*min_batch_size).max(1))),
        Hold::Paused | Hold::Failed | Hold::Killed | Hold::Done => 0,
    };
    for _ in u64::from(at.active.total())..wanted {
        let instant = free_instant(at.now, verdict.progress.last_scheduled_at);
        verdict.progress.last_scheduled_at = Some(instant);
        verdict.run.push(instant);
    }
    verdict
}

/// The instant of a job that no clock asked for: now, or just after the trigger's latest one.
pub(crate) fn free_instant(now: Timestamp, last: Option<Timestamp>) -> Timestamp {
    last.map_or(now, |last| now.max(last + NEXT_INSTANT))
}

/// The instant of a job that a person asks for: a free one that the trigger's own schedule does not need either.
pub(crate) fn manual_instant(now: Timestamp, stored: &StoredTrigger) -> Timestamp {
    let instant = free_instant(now, stored.last_scheduled_at);
    let taken = [stored.trigger.kind.next_run(), stored.buffered_at];
    if taken.contains(&Some(instant)) { instant + NEXT_INSTANT } else { instant }
}

struct Deciding<'a> {
    stored: &'a StoredTrigger,
    at: Circumstances,
    active: u32,
    verdict: Verdict,
}

impl<'a> Deciding<'a> {
    fn new(stored: &'a StoredTrigger, at: Circumstances) -> Self {
        let verdict = Verdict { run: Vec::new(), progress: progress_of(stored), decisions: Vec::new() };
        Self { stored, at, active: at.active.total(), verdict }
    }

    fn single(&mut self, next_run: Option<Timestamp>) {
        let progress = &mut self.verdict.progress;
        progress.due_at = None;
        // A held single trigger keeps its instant: it fires when it is enabled, at or after it.
        let Some(instant) = next_run else { return };
        if self.stored.trigger.hold != Hold::None {
            return;
        }
        progress.next_run = None;
        if self.is_missed(instant) && !self.makes_up_for(instant) {
            self.verdict.progress.hold = Hold::Done;
            return;
        }
        if !self.run_or_overlap(instant) {
            // Its one instant is over.
            self.verdict.progress.hold = Hold::Done;
        }
    }

    fn scheduled(&mut self, cron: &CronExpr, zone: chrono_tz::Tz, next_run: Option<Timestamp>) {
        let Some(first) = next_run else {
            self.verdict.progress.due_at = None;
            return;
        };
        let now = self.at.now;
        if self.stored.trigger.hold != Hold::None {
            self.decline(first, DecisionKind::OnHold, format!("the trigger is on hold ({})", self.stored.trigger.hold));
            self.go_on_after(cron, zone, now);
            return;
        }
        let duty = self.at.on_duty_since - MISSED_MARGIN;
        let instants = due_instants(cron, zone, first, now);
        let (missed, due): (Vec<_>, Vec<_>) = instants.into_iter().partition(|instant| *instant < duty);
        if let Some(next) = self.make_up_for(&missed) {
            // One at a time: the next missed instant is looked at when this job has ended.
            self.verdict.progress.next_run = Some(next);
            self.verdict.progress.due_at = None;
            return;
        }
        for instant in due {
            self.run_or_overlap(instant);
        }
        self.go_on_after(cron, zone, now);
    }

    fn go_on_after(&mut self, cron: &CronExpr, zone: chrono_tz::Tz, now: Timestamp) {
        let next = cron.next_after(now, zone);
        self.verdict.progress.next_run = next;
        self.verdict.progress.due_at = next;
    }

    fn is_missed(&self, instant: Timestamp) -> bool {
        instant < self.at.on_duty_since - MISSED_MARGIN
    }

    fn is_too_late(&self, instant: Timestamp) -> bool {
        let lateness = (self.at.now - instant).to_std().unwrap_or_default();
        self.stored.trigger.policies.max_lateness.is_some_and(|most| lateness > most)
    }

    /// Whether a single missed instant is to run after all; records it where not.
    fn makes_up_for(&mut self, instant: Timestamp) -> bool {
        if self.stored.trigger.policies.missed == Missed::Skip {
            self.decline(
                instant,
                DecisionKind::Missed,
                "no server was running when it was due, and the policy is to skip".to_owned(),
            );
            return false;
        }
        if self.is_too_late(instant) {
            self.decline(
                instant,
                DecisionKind::TooLate,
                "no server was running when it was due, and it is now later than max_lateness".to_owned(),
            );
            return false;
        }
        true
    }

    /// Runs what the policy makes up for. Returns the missed instant that waits for the end of the job, if one does.
    fn make_up_for(&mut self, missed: &[Timestamp]) -> Option<Timestamp> {
        let kept = match self.stored.trigger.policies.missed {
            Missed::Skip => 0,
            Missed::Once => 1,
            Missed::All { most } => most as usize,
        };
        let (dropped, kept) = missed.split_at(missed.len().saturating_sub(kept));
        if let (Some(first), Some(last)) = (dropped.first(), dropped.last()) {
            self.decline(
                *last,
                DecisionKind::Missed,
                format!("{} instants from {first} were missed while no server was running", dropped.len()),
            );
        }
        let (too_late, kept): (Vec<_>, Vec<_>) = kept.iter().copied().partition(|instant| self.is_too_late(*instant));
        for instant in too_late {
            self.decline(
                instant,
                DecisionKind::TooLate,
                "no server was running when it was due, and it is now later than max_lateness".to_owned(),
            );
        }
        let mut kept = kept.into_iter();
        let Missed::All { .. } = self.stored.trigger.policies.missed else {
            if let Some(instant) = kept.next() {
                self.run_or_overlap(instant);
            }
            return None;
        };
        if self.active > 0 {
            return kept.next();
        }
        let first = kept.next()?;
        self.run(first);
        kept.next()
    }

    /// Whether the instant became a job, or waits to become one.
    fn run_or_overlap(&mut self, instant: Timestamp) -> bool {
        let most = match self.stored.trigger.policies.overlap {
            Overlap::Allow { most } => most,
            Overlap::Skip | Overlap::BufferOne => 1,
        };
        if self.active < most {
            self.run(instant);
            return true;
        }
        if self.stored.trigger.policies.overlap == Overlap::BufferOne {
            if let Some(replaced) = self.verdict.progress.buffered_at.replace(instant) {
                self.decline(
                    replaced,
                    DecisionKind::Overlap,
                    format!("a job was still active, and the later instant {instant} took its place"),
                );
            }
            self.decline(
                instant,
                DecisionKind::Buffered,
                "a job is still active: it runs when that one has ended".to_owned(),
            );
            return true;
        }
        self.decline(instant, DecisionKind::Overlap, format!("{} job(s) were still active", self.active));
        false
    }

    fn run(&mut self, instant: Timestamp) {
        self.active += 1;
        self.verdict.progress.last_scheduled_at = self.verdict.progress.last_scheduled_at.max(Some(instant));
        self.verdict.run.push(instant);
    }

    fn decline(&mut self, instant: Timestamp, decision: DecisionKind, reason: String) {
        self.verdict.decisions.push(Decision {
            id: DecisionId::generate(),
            trigger_id: self.stored.trigger.id,
            scheduled_at: instant,
            decided_at: self.at.now,
            decision,
            reason,
        });
    }
}

/// The instants from `first` to `now`, both included; of a long outage only the latest thousand.
fn due_instants(cron: &CronExpr, zone: chrono_tz::Tz, first: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let mut instants = vec![first];
    let mut last = first;
    while instants.len() < MOST_INSTANTS {
        match cron.next_after(last, zone).filter(|next| *next <= now) {
            Some(next) => {
                last = next;
                instants.push(next);
            }
            None => return instants,
        }
    }
    // Far more than any policy makes up for: what counts are the latest ones.
    let mut latest = Vec::new();
    let mut until = now;
    while latest.len() < MOST_INSTANTS {
        match cron.latest_in(last, until, zone) {
            Some(instant) => {
                latest.push(instant);
                until = instant - chrono::Duration::microseconds(1);
            }
            None => break,
        }
    }
    latest.reverse();
    if latest.len() < MOST_INSTANTS { [instants, latest].concat() } else { latest }
}
