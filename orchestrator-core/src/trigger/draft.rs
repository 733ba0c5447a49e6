use crate::clock::Timestamp;
use crate::policy::{Policies, PolicyError};
use crate::source::{GitRef, GitUrl, SourceError, check_worker_path};
use crate::text::{TextError, TriggerName, WorkerName};
use crate::trigger::{ProcessSpec, TriggerKind};

/// A trigger as an administrator gives it: what a create or an edit carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerDraft {
    /// Unique among live triggers.
    pub name: TriggerName,
    /// What runs.
    pub process: ProcessSpec,
    /// What makes it fire. `next_run` of a scheduled one is computed when absent.
    pub kind: TriggerKind,
    /// Runs alone on its worker.
    pub is_blocking: bool,
    /// Higher goes first.
    pub priority: i32,
    /// Workers it may run on.
    pub worker_whitelist: Vec<WorkerName>,
    /// Choices about failure, time and overlap.
    pub policies: Policies,
}

/// Why a draft was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// A text is empty, too long or unprintable.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A policy is out of range.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The path leads nowhere, or the git URL, branch or entry point is not safe.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A number is out of range.
    #[error("{field} is {value}; it must be from {least} to {most}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// As given.
        value: u64,
        /// The smallest allowed.
        least: u64,
        /// The largest allowed.
        most: u64,
    },
    /// A branch was named for a path that is no repository.
    #[error("git_branch is set, but the process is not a git repository (is_git_repo is false)")]
    BranchWithoutRepository,
    /// An expression that has no instant in the next 50 years.
    #[error("cron_expr '{0}' has no instant in the next 50 years")]
    Never(String),
    /// The same worker twice, or more names than fit.
    #[error("worker_whitelist names '{0}' twice")]
    WorkerTwice(WorkerName),
}

impl DraftError {
    /// The field that was refused, as the contract names it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Text(error) => error.field(),
            Self::Policy(error) => error.field(),
            Self::Source(error) => error.field(),
            Self::OutOfRange { field, .. } => field,
            Self::BranchWithoutRepository => "git_branch",
            Self::Never(_) => "cron_expr",
            Self::WorkerTwice(_) => "worker_whitelist",
        }
    }
}

fn in_range(field: &'static str, value: u32) -> Result<(), DraftError> {
    const MOST: u32 = 1_000_000;
    if (1..=MOST).contains(&value) {
        return Ok(());
    }
    Err(DraftError::OutOfRange { field, value: value.into(), least: 1, most: MOST.into() })
}

impl TriggerDraft {
    /// Checks what the types alone cannot, and fills in the next run of a scheduled trigger that names none.
    pub fn checked(self, now: Timestamp) -> Result<Self, DraftError> {
        self.check_path()?;
        self.checked_but_path(now)
    }

    /// As [`TriggerDraft::checked`], for an edit of a trigger that runs `stored`. A path that stays is not refused: it may
    /// be older than the rule, and whoever changes a priority would be kept from it.
    pub fn checked_edit(self, stored: &ProcessSpec, now: Timestamp) -> Result<Self, DraftError> {
        if self.process.path != stored.path || self.process.is_git_repo != stored.is_git_repo {
            self.check_path()?;
        }
        self.checked_but_path(now)
    }

    fn checked_but_path(mut self, now: Timestamp) -> Result<Self, DraftError> {
        self.policies.validate()?;
        self.check_branch()?;
        self.check_whitelist()?;
        match &mut self.kind {
            TriggerKind::Single { next_run } => {
                next_run.get_or_insert(now);
            }
            TriggerKind::Scheduled { cron, zone, next_run } => {
                if next_run.is_none() {
                    *next_run = Some(cron.next_after(now, *zone).ok_or_else(|| DraftError::Never(cron.to_string()))?);
                }
            }
            TriggerKind::Queue { min_batch_size, max_parallel, .. } => {
                in_range("min_batch_size", *min_batch_size)?;
                in_range("max_parallel", *max_parallel)?;
            }
        }
        Ok(self)
    }

    fn check_path(&self) -> Result<(), DraftError> {
        let path = self.process.path.as_str();
        if self.process.is_git_repo {
            GitUrl::parse(path)?;
            return Ok(());
        }
        Ok(check_worker_path(path)?)
    }

    fn check_branch(&self) -> Result<(), DraftError> {
        let Some(branch) = &self.process.git_branch else { return Ok(()) };
        if !self.process.is_git_repo {
            return Err(DraftError::BranchWithoutRepository);
        }
        GitRef::parse(branch.as_str())?;
        Ok(())
    }

    fn check_whitelist(&self) -> Result<(), DraftError> {
        let mut seen = std::collections::BTreeSet::new();
        for worker in &self.worker_whitelist {
            if !seen.insert(worker) {
                return Err(DraftError::WorkerTwice(worker.clone()));
            }
        }
        Ok(())
    }
}
