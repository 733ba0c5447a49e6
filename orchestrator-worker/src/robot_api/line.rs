//! What belongs to one job's calls: its token, what is known of it, and what waits for the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::secret::ApiToken;
use orchestrator_proto::v1;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::spool::{Head, SpoolFile};

/// One job, as its robot's calls need it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(super) job: JobId,
    pub(super) token: ApiToken,
    pub(super) head: Head,
    /// What `GetContext` answers.
    pub(super) context: v1::GetContextResponse,
    /// Made when the server is away for the first time.
    pub(super) spool: OnceCell<SpoolFile>,
    pub(super) is_delivering: AtomicBool,
    /// Writes on their way; they go on when their robot is gone.
    pub(super) writes: TaskTracker,
    /// No call comes any more.
    pub(super) closed: CancellationToken,
    /// What is left in the spool stays there until the agent starts again.
    pub(super) given_up: CancellationToken,
}

impl Line {
    /// The line of a job that is about to run.
    pub(crate) fn new(job: JobId, lease_token: LeaseToken, token: ApiToken, context: v1::GetContextResponse) -> Self {
        let head = Head {
            job_id: job.to_string(),
            process_name: context.process_name.clone(),
            job_token: token.expose().to_owned(),
            lease_token: lease_token.value(),
        };
        Self::of(job, token, head, context)
    }

    /// The line of a job that an earlier agent ran. Nobody calls.
    pub(super) fn left(job: JobId, token: ApiToken, head: Head, spool: SpoolFile) -> Self {
        let line = Self {
            spool: OnceCell::new_with(Some(spool)),
            ..Self::of(job, token, head, v1::GetContextResponse::default())
        };
        line.closed.cancel();
        line
    }

    fn of(job: JobId, token: ApiToken, head: Head, context: v1::GetContextResponse) -> Self {
        Self {
            job,
            token,
            head,
            context,
            spool: OnceCell::new(),
            is_delivering: AtomicBool::new(false),
            writes: TaskTracker::new(),
            closed: CancellationToken::new(),
            given_up: CancellationToken::new(),
        }
    }

    /// Whether nothing will be written any more.
    pub(super) fn is_over(&self) -> bool {
        self.closed.is_cancelled() && self.writes.is_empty()
    }

    /// Whether nothing waits for the server.
    pub(super) fn is_clear(&self) -> bool {
        self.spool.get().is_none_or(SpoolFile::is_empty)
    }

    /// Waits until nothing waits for the server.
    pub(super) async fn until_clear(&self) {
        if let Some(spool) = self.spool.get() {
            spool.until_empty().await;
        }
    }

    /// Whether the caller is the one to deliver from now on.
    pub(super) fn begin_delivering(&self) -> bool {
        !self.is_delivering.swap(true, Ordering::AcqRel)
    }

    pub(super) fn end_delivering(&self) {
        self.is_delivering.store(false, Ordering::Release);
    }
}

/// A job's robot may call until this is closed or dropped.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(super) line: Arc<Line>,
    pub(super) lines: super::jobs::OpenJobs,
}

impl Opened {
    /// Takes no more calls.
    pub(crate) fn close(&self) {
        self.lines.close(&self.line);
    }

    /// Waits until everything that the robot was promised is done or refused, and removes what it was kept in.
    pub(crate) async fn settled(&self) {
        self.line.writes.close();
        self.line.writes.wait().await;
        tokio::select! {
            () = self.line.until_clear() => {
                if let Some(spool) = self.line.spool.get() {
                    spool.remove().await;
                }
            }
            () = self.line.given_up.cancelled() => {}
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.close();
    }
}
