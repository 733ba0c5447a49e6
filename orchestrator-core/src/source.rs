//! Where a process comes from: the syntax of git URLs, of branches and tags, and of entry points.
//!
//! These texts end on a command line of `git` or in a path below a checkout, so they are parsed once, at entry, and
//! refused when they could mean anything else than what they look like. The rules are pure: whether a repository, a
//! branch or a file exists is found out by the worker.
//!
//! ```
//! use orchestrator_core::source::{EntryPoint, GitRef, GitUrl};
//!
//! let url = GitUrl::parse("https://robot:secret@git.example.org/robots/invoices.git")?;
//! assert_eq!(url.to_string(), "https://***@git.example.org/robots/invoices.git");
//! assert!(GitUrl::parse("--upload-pack=touch pwned").is_err());
//! assert!(GitRef::parse("release/2026.1").is_ok());
//! assert!(EntryPoint::parse("../main.py").is_err());
//! # Ok::<(), orchestrator_core::source::SourceError>(())
//! ```

mod entry_point;
mod git_credentials;
mod git_ref;
mod git_url;
mod worker_path;

pub use entry_point::EntryPoint;
pub use git_credentials::GitCredentials;
pub use git_ref::GitRef;
pub use git_url::{GitScheme, GitUrl, mask_credentials};
pub use worker_path::check_worker_path;

/// The field of a git URL in the contract.
const URL_FIELD: &str = "process_path";
/// The field of a branch or tag in the contract.
const REF_FIELD: &str = "git_branch";
/// The field of an entry point.
const ENTRY_FIELD: &str = "entry_point";

/// Why the source of a process was refused. Names the field and the value; credentials in the value are masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} '{value}' {problem}")]
pub struct SourceError {
    /// The field as the contract names it.
    pub field: &'static str,
    /// The value as given, with credentials masked and control characters escaped.
    pub value: String,
    /// What is wrong with it.
    pub problem: SourceProblem,
}

impl SourceError {
    /// The field that was refused.
    pub fn field(&self) -> &'static str {
        self.field
    }

    fn new(field: &'static str, value: &str, problem: SourceProblem) -> Self {
        Self { field, value: mask_credentials(value).escape_debug().to_string(), problem }
    }
}

/// What is wrong with the source of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceProblem {
    /// Nothing where something is needed.
    #[error("must not be empty")]
    Empty,
    /// `git` would take it for an option.
    #[error("must not start with '-'")]
    LeadingDash,
    /// A control character or a blank, also in percent form.
    #[error("must not contain blanks or control characters")]
    ControlCharacter,
    /// `ext::…` and its kin run programs.
    #[error("uses a transport helper ('::'); use https://, ssh:// or host:path")]
    TransportHelper,
    /// A scheme other than https, ssh and file.
    #[error("must be an https://, ssh://, git@host:path or file:// URL")]
    UnknownScheme,
    /// No host where one is needed, or one that `ssh` would take for an option.
    #[error("names no valid host")]
    BadHost,
    /// No repository behind the host.
    #[error("names no repository path")]
    NoPath,
    /// A folder step upwards.
    #[error("must not contain '..'")]
    ParentFolder,
    /// Percent forms in a `file://` URL: git decodes them, so they could hide where it leads.
    #[error("must not use percent forms in a file:// URL")]
    EncodedPath,
    /// A drive letter where a host is expected.
    #[error("looks like a Windows path; use file:///C:/… for a repository on disk")]
    WindowsPath,
    /// A path that starts nowhere: the worker runs robots in no folder that anyone chose.
    #[error(
        "is relative, and no folder is known that it would be relative to; give the absolute path on the worker, such as \
         /srv/robots/main.py, C:\\robots\\main.py or \\\\server\\share\\main.py (~ and variables stay as they are)"
    )]
    RelativePath,
    /// The address of a repository where a path on the worker is expected.
    #[error(
        "is the address of a git repository; say that it is one (--git, is_git_repo), or give an absolute path on the worker"
    )]
    RepositoryAsPath,
    /// A form that `git check-ref-format` refuses.
    #[error("is not a valid name of a branch or tag")]
    BadRef,
    /// An entry point that starts at the root or on a drive.
    #[error("must be relative to the folder of the process")]
    Absolute,
    /// A backslash, which separates folders on one system and not on another.
    #[error("must use '/' between folders, not '\\'")]
    Backslash,
    /// A part of the path that means different files on different systems.
    #[error("contains a part that is empty, '.', or ends with a dot or blank, or that contains ':'")]
    BadPart,
    /// The repository's own folder.
    #[error("must not lie in the folder .git")]
    GitFolder,
}

fn refuse_empty_and_dash(text: &str) -> Result<(), SourceProblem> {
    if text.trim().is_empty() {
        return Err(SourceProblem::Empty);
    }
    if text.starts_with('-') {
        return Err(SourceProblem::LeadingDash);
    }
    Ok(())
}
