//! Checkouts of git repositories by the git command line: what a customer has set up for git (credential helpers, ssh,
//! proxies) works here as well.
//!
//! What a hostile URL, branch or repository could do is prevented: the texts are parsed types and stand behind `--`, only
//! the URL's own protocol is allowed, nothing prompts, hooks and templates are off, submodules stay out, and the whole
//! tree of git's processes is killed at the deadline.
//!
//! Credentials in a URL go to git in its environment: its command line, the checkout and the mirror hold none.
//!
//! Each job has a folder of its own, named by job and lease token, which is removed afterwards. What was fetched stays in a
//! mirror, so that the next job of the repository starts without a clone.

mod error;
mod folder;
mod git;
mod mirrors;
mod remote;
mod tree;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::clock::{Clock, Timestamp};
use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::source::{GitRef, GitUrl};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error::CheckoutError;

use crate::process::{JobCookie, Launcher};
use git::Git;
use mirrors::Mirrors;
use remote::Remote;

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
    /// Where and how long what was fetched is kept; absent, every checkout fetches all that it needs.
    pub mirrors: Option<Mirroring>,
}

/// How mirrors of repositories are kept on this worker.
#[derive(Debug, Clone)]
pub struct Mirroring {
    /// The folder that holds them; made if it is not there.
    pub root: PathBuf,
    /// The bytes on disk that they may use together.
    pub max_bytes: u64,
    /// How long one is kept without being used.
    pub max_age: Duration,
}

/// What is to be checked out.
#[derive(Debug, Clone)]
pub struct CheckoutRequest {
    /// The job it is for, and the grant under which that runs.
    pub cookie: JobCookie,
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
    mirrors: Option<Arc<Mirrors>>,
    launcher: Launcher,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

impl Checkouts {
    /// Makes checkouts with the processes of `launcher` and tasks of `tasks`.
    pub fn new(options: CheckoutOptions, launcher: Launcher, clock: Arc<dyn Clock>, tasks: TaskTracker) -> Self {
        let mirrors = options.mirrors.clone().map(|mirroring| Arc::new(Mirrors::new(mirroring)));
        Self { options: Arc::new(options), mirrors, launcher, clock, tasks }
    }

    /// Checks out the newest commit of a branch, or the commit of a tag. On failure no checkout is left on disk.
    pub async fn check_out(
        &self,
        request: &CheckoutRequest,
        cancel: &CancellationToken,
    ) -> Result<Checkout, CheckoutError> {
        let remote = Remote::new(&request.url, &self.options)?;
        let folder = self.options.root.join(folder::name(request.cookie.job(), request.cookie.grant().lease_token));
        // Left by an earlier try under the same grant.
        folder::remove(&folder).await?;
        let hooks = folder.join("no-hooks");
        folder::create(&hooks)?;
        let git = Git {
            checkouts: self,
            request,
            remote: &remote,
            hooks,
            deadline: Instant::now() + request.time_limit,
            cancel,
        };
        let outcome = self.fill(&git, folder.clone()).await;
        if outcome.is_err()
            && let Err(error) = folder::remove(&folder).await
        {
            tracing::warn!(%error, "failed to remove an unfinished checkout");
        }
        outcome
    }

    async fn fill(&self, git: &Git<'_>, folder: PathBuf) -> Result<Checkout, CheckoutError> {
        let repository = folder.join("repo");
        let tip = git.tip().await?;
        let commit = match &self.mirrors {
            None => git.copy_from_remote(&tip, &repository).await?,
            Some(mirrors) => {
                let (commit, has_grown) = mirrors.check_out(git, &tip, &repository).await?;
                if has_grown {
                    let (mirrors, now) = (Arc::clone(mirrors), self.clock.now());
                    self.tasks.spawn(async move { prune(&mirrors, now).await });
                }
                commit
            }
        };
        Ok(Checkout { folder, repository, commit })
    }

    /// Removes mirrors that nobody has used for long. To be called when an agent starts; after each fetch it happens by
    /// itself.
    pub async fn prune_mirrors(&self) {
        if let Some(mirrors) = &self.mirrors {
            prune(mirrors, self.clock.now()).await;
        }
    }

    /// Removes the checkouts of earlier agents, except those whose jobs still run. To be called when an agent starts.
    /// Returns how many it removed.
    pub async fn remove_leftovers(&self, living: &HashSet<(JobId, LeaseToken)>) -> Result<usize, CheckoutError> {
        folder::remove_leftovers(&self.options.root, living).await
    }
}

async fn prune(mirrors: &Mirrors, now: Timestamp) {
    if let Err(error) = mirrors.prune(now).await {
        tracing::warn!(%error, "unused mirrors of repositories could not be removed");
    }
}
