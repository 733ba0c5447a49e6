//! Why a checkout failed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_core::source::{GitRef, GitUrl};

use crate::entry_point::EntryPointError;
use crate::process::{Exit, SpawnError};

/// Why a checkout failed. URLs show no credentials, and neither do git's own words.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The repository lies on this machine, in a place that the worker's configuration forbids or that is not there.
    #[error("failed to check out {url}: {source}")]
    NotAllowed {
        /// The repository.
        url: GitUrl,
        /// What is wrong with the place.
        source: EntryPointError,
    },
    /// Git could not be started or watched.
    #[error("failed to check out {url}: {source}")]
    NoGit {
        /// The repository.
        url: GitUrl,
        /// What the system said.
        source: SpawnError,
    },
    /// Git gave up.
    #[error("failed to check out {url}{}: git ended with {exit}: {said}", of_ref(git_ref.as_ref()))]
    Git {
        /// The repository.
        url: GitUrl,
        /// The branch or tag that was asked for.
        git_ref: Option<GitRef>,
        /// How git ended.
        exit: Exit,
        /// The last lines that it wrote.
        said: String,
    },
    /// The repository answers, and has no such branch or tag.
    #[error("failed to check out {url}{}: {}", of_ref(git_ref.as_ref()), what_is_missing(git_ref.as_ref()))]
    NoSuchRef {
        /// The repository.
        url: GitUrl,
        /// The branch or tag that was asked for.
        git_ref: Option<GitRef>,
    },
    /// It took too long.
    #[error("failed to check out {url} within {limit:?}; git's last words: {said}")]
    TimedOut {
        /// The repository.
        url: GitUrl,
        /// How long it was given.
        limit: Duration,
        /// The last lines that git wrote.
        said: String,
    },
    /// The job was killed meanwhile.
    #[error("the checkout of {url} was cancelled")]
    Cancelled {
        /// The repository.
        url: GitUrl,
    },
    /// The folder of the checkout could not be made or removed.
    #[error("failed to {verb} the checkout folder '{}': {source}", path.display())]
    Folder {
        /// What was tried.
        verb: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn of_ref(git_ref: Option<&GitRef>) -> String {
    git_ref.map(|git_ref| format!(" at {git_ref}")).unwrap_or_default()
}

fn what_is_missing(git_ref: Option<&GitRef>) -> String {
    match git_ref {
        Some(git_ref) => format!("the repository has no branch and no tag '{git_ref}'; correct the trigger's branch"),
        None => "the repository is empty or has no default branch; name a branch in the trigger".to_owned(),
    }
}
