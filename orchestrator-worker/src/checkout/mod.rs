//! Checkouts of git repositories by the git command line: what a customer has set up for git (credential helpers, ssh,
//! proxies) works here as well.
//!
//! What a hostile URL, branch or repository could do is prevented: the texts are parsed types and stand behind `--`, only
//! the URL's own protocol is allowed, nothing prompts, hooks and templates are off, submodules stay out, and the whole
//! tree of git's processes is killed at the deadline.
//!
//! Each job has a folder of its own, named by job and lease token, which is removed afterwards.

mod error;
mod folder;
mod git;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::Clock;
use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::source::{GitRef, GitUrl};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error::CheckoutError;

use crate::process::{JobCookie, Launcher};

/// How checkouts are made on this worker.
#[derive(Debug, Clone)]
pub struct CheckoutOptions {
    /// The folder that holds all checkouts; made if it is not there.
    pub root: PathBuf,
    /// Where `file://` repositories may lie; nowhere if empty, unless `open_file_urls`.
    pub allowed_paths: Vec<PathBuf>,
    /// Whether `file://` repositories may lie anywhere when `allowed_paths` is empty.
    pub open_file_urls: bool,
    /// The git program.
    pub git: PathBuf,
}

/// What is to be checked out.
#[derive(Debug, Clone)]
pub struct CheckoutRequest {
    /// The job it is for.
    pub job_id: JobId,
    /// The grant under which the job runs.
    pub lease_token: LeaseToken,
    /// The repository.
    pub url: GitUrl,
    /// The branch or tag; the repository's default branch when absent.
    pub git_ref: Option<GitRef>,
    /// How long it may take.
    pub time_limit: Duration,
}

/// A checkout, until it is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    folder: PathBuf,
    repository: PathBuf,
    commit: String,
}

impl Checkout {
    /// The folder with the repository's files.
    pub fn path(&self) -> &Path {
        &self.repository
    }

    /// The commit that was checked out, in full.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Removes the checkout. Tries again for a while: what just ended may still hold files.
    pub async fn remove(self) -> Result<(), CheckoutError> {
        folder::remove(&self.folder).await
    }
}

/// Makes checkouts.
#[derive(Debug, Clone)]
pub struct Checkouts {
    options: Arc<CheckoutOptions>,
    launcher: Launcher,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

impl Checkouts {
    /// Makes checkouts with the processes of `launcher` and tasks of `tasks`.
    pub fn new(options: CheckoutOptions, launcher: Launcher, clock: Arc<dyn Clock>, tasks: TaskTracker) -> Self {
        Self { options: Arc::new(options), launcher, clock, tasks }
    }

    /// Clones the newest commit of a branch, or the commit of a tag. On failure nothing is left on disk.
    pub async fn check_out(
        &self,
        request: &CheckoutRequest,
        cancel: &CancellationToken,
    ) -> Result<Checkout, CheckoutError> {
        let url = git::resolve_url(&request.url, &self.options)?;
        let folder = self.options.root.join(folder::name(request.job_id, request.lease_token));
        // Left by an earlier try under the same grant.
        folder::remove(&folder).await?;
        folder::create(&folder)?;
        let outcome = self.clone_into(&folder, &url, request, cancel).await;
        if outcome.is_err()
            && let Err(error) = folder::remove(&folder).await
        {
            tracing::warn!(%error, "failed to remove an unfinished checkout");
        }
        outcome
    }

    async fn clone_into(
        &self,
        folder: &Path,
        url: &str,
        request: &CheckoutRequest,
        cancel: &CancellationToken,
    ) -> Result<Checkout, CheckoutError> {
        let repository = folder.join("repo");
        let git = git::Git {
            checkouts: self,
            request,
            cookie: JobCookie::new(request.job_id),
            hooks: folder.join("no-hooks"),
            deadline: Instant::now() + request.time_limit,
            cancel,
        };
        git.clone(url, &repository).await?;
        let commit = git.head(&repository).await?;
        Ok(Checkout { folder: folder.to_owned(), repository, commit })
    }

    /// Removes the checkouts of earlier agents, except those whose jobs still run. To be called when an agent starts.
    /// Returns how many it removed.
    pub async fn remove_leftovers(&self, living: &HashSet<(JobId, LeaseToken)>) -> Result<usize, CheckoutError> {
        folder::remove_leftovers(&self.options.root, living).await
    }
}
