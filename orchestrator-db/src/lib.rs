//! Storage on SQLite (embedded) and PostgreSQL, from one SQL text.
//!
//! [`Db`] opens a database and begins transactions; everything else is a method of [`Tx`], noun first
//! (`job_claim`, `trigger_list_due`), in one module per entity. Nothing here reads a clock: the instant is an argument.

mod answer;
mod audit;
mod backup;
mod browser;
mod clock;
mod connect;
mod constant;
mod copy;
mod credential;
mod decision;
mod dialect;
mod error;
mod figures;
mod glance;
mod hint;
mod id_part;
mod id_time;
mod job;
mod lanes;
mod line;
mod lists;
mod log;
mod output;
mod page;
mod plan;
mod queue;
mod retention;
mod rows;
mod setting;
#[cfg(test)]
mod statements;
mod token;
mod trigger;
mod tx;
mod user;
mod worker;
mod writable;

pub use answer::{ANSWER_BYTES, fitting};
pub use audit::{AuditEntry, AuditFilter, AuditRow};
pub use backup::{BackupError, sqlite_backup, sqlite_restore};
pub use browser::{BrowserSession, NewBrowserSession, NewSignInLink};
pub use connect::{ConnectError, Db, DbOptions, MigrationStatus};
pub use copy::{Copied, CopyError, RefusedRow, TABLES, copy_to_postgres};
pub use decision::{Decision, DecisionKind};
pub use dialect::Dialect;
pub use error::{Corrupt, DbError, Readable};
pub use figures::Figures;
pub use glance::Glance;
pub use hint::{Heard, Hint, Listener};
pub use job::{
    Assign, CancelBy, Candidate, Grant, Holder, JobCounts, JobFilter, JobStart, LockedJob, Lowering, NewJob, Rank,
    Renewed, StartedJob,
};
pub use lanes::{
    AppendError, Committed, CreateCall, CreateError, Created, ElementAnswer, ElementCall, LaneError, LaneOptions,
    Lanes, OutputCall,
};
pub use log::{LogFilter, LogPosition};
pub use orchestrator_core::job::OutputChunk;
pub use page::{PageRequest, SEARCHED_ROWS};
pub use queue::{
    ClaimRequest, ElementClaimError, ElementEdit, ElementFilter, Granted, ImportedElement, Look, NewElement,
    QueueCounts, QueuePage, QueueSample, QueueSettings, QueueSummary, Released, SampleStep, StatusBy, StatusChange,
    StatusError, StatusSet,
};
pub use retention::Prunable;
pub use token::{NewToken, StoredToken, TokenOfPerson};
pub use trigger::{
    OVERDUE_AFTER, StoredNextRun, StoredTrigger, TriggerCounts, TriggerFilter, TriggerProgress, TriggerSort,
};
pub use tx::Tx;
pub use user::{NewUser, StoredUser};
pub use worker::{LockedLoads, NewSession, StoredWorker, WorkerBeat, WorkerLoad, WorkerStanding};
