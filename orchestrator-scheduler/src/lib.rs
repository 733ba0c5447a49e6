//! Decides: evaluates triggers, hands out jobs, keeps leases, rescues what was lost.
//!
//! [`Scheduler`] is a cheap-clone handle. Its methods are the verbs of the system, one file each: every verb is one
//! short transaction that decides, writes, and tells whoever waits. [`service::run`] keeps the loops going; tests call
//! their `tick` methods with a clock of their own. Any number of servers may do all of this on one PostgreSQL: the
//! database is the only truth, and what is kept in memory here are hints.

mod assign;
mod audit;
mod beats;
mod claim;
mod commands;
mod decide;
mod development;
mod discipline;
mod duty;
mod element_changes;
mod end;
mod engine;
mod evaluate;
mod explain;
mod finish;
mod heartbeat;
mod job;
mod lane;
mod output;
mod placement;
mod prune;
mod queue_names;
mod register;
mod replan;
mod rescue;
mod sample;
mod scheduler;
pub mod service;
mod start;
mod tenancy;
mod transaction;
mod trigger;
mod waiting;
mod wake;

pub use claim::{Claim, ClaimError};
pub use commands::Command;
pub use decide::{Circumstances, Verdict, decide_due, decide_queue};
pub use development::{DEVELOPMENT_TRIGGER, DevelopmentEnd, end_development_of};
pub use discipline::DisciplinedClock;
pub use duty::Outage;
pub use element_changes::ElementChanges;
pub use engine::TickSummary;
pub use finish::{FinishError, FinishReport, FinishRequest};
pub use heartbeat::{Condition, HeartbeatAnswer, HeartbeatError};
pub use job::JobError;
pub use output::OutputError;
pub use placement::{Ask, Placement, place};
pub use prune::{PruneSummary, Retention};
pub use queue_names::QueueUse;
pub use register::{RegisterError, Registered, Registration};
pub use replan::ReplanSummary;
pub use rescue::RescueSummary;
pub use scheduler::{Scheduler, SchedulerClock, SchedulerOptions};
pub use service::LEAD;
pub use start::{StartError, Started};
pub use trigger::{Deleted, Disabled, Killed, TriggerError};
