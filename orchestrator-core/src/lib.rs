//! The domain of an orchestrator for software robots: what triggers, jobs, queues and workers are, and the rules they
//! follow. No database, no network, no files; time and randomness aside, everything here is a pure function.
//!
//! * [`cron`]: when a schedule fires, in its own time zone, through both changes of the clock;
//! * [`trigger`], [`job`], [`queue`]: entities and state machines;
//! * [`policy`]: what a trigger decides about failure, retries, time-outs, overlap and missed runs;
//! * [`secret`]: encryption of stored passwords, and API tokens;
//! * [`text`], [`id`], [`clock`], [`lease`]: values with rules.
//!
//! # State machines
//!
//! A state carries what is only true in it, and a transition consumes it:
//!
//! ```
//! use chrono::{TimeZone, Utc};
//! use orchestrator_core::job::{JobEvent, JobState, JobStatus, Outcome};
//! use orchestrator_core::lease::{Lease, LeaseToken};
//!
//! let noon = Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap();
//! let lease = Lease { token: LeaseToken::new(1), expires_at: noon + chrono::Duration::seconds(15) };
//! let running = JobState::Queued { not_before: None }
//!     .apply(JobEvent::Claimed { lease })?
//!     .apply(JobEvent::Started { at: noon })?;
//! assert_eq!(running.status(), JobStatus::Running);
//!
//! // What the state does not allow is an error that says so, and nothing has changed.
//! let refused = running.apply(JobEvent::Cancelled { at: noon }).unwrap_err();
//! assert_eq!(refused.to_string(), "a cancellation is not possible while the job is RUNNING");
//! let ended = running.apply(JobEvent::Finished { outcome: Outcome::Done, at: noon })?;
//! assert_eq!(ended.status(), JobStatus::Done);
//! # Ok::<(), orchestrator_core::job::TransitionError>(())
//! ```

#![warn(missing_docs)]

pub mod actor;
pub mod chain;
pub mod clock;
pub mod constant;
pub mod credential;
pub mod cron;
mod duration;
pub mod id;
pub mod identity;
pub mod job;
pub mod lease;
pub mod log;
pub mod policy;
pub mod queue;
pub mod same_name;
pub mod secret;
pub mod source;
pub mod states;
pub mod text;
pub mod trigger;
pub mod worker;
