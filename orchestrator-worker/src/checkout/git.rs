//! The command lines of git.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::source::{GitScheme, GitUrl, mask_credentials};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{CheckoutError, CheckoutOptions, CheckoutRequest, Checkouts};
use crate::entry_point::{EntryPointError, ensure_allowed};
use crate::output::{Drain, OutputChunk, OutputContent, OutputLimit, OutputStream};
use crate::process::{Children, Exit, JobCookie, LaunchSpec, SpawnError};

/// How much of git's output is looked at.
const OUTPUT_LIMIT: OutputLimit = OutputLimit { head_bytes: 4 * 1024, tail_bytes: 16 * 1024 };
/// How long after git's end its pipes are read, if somebody else still holds them.
const PIPE_PATIENCE: Duration = Duration::from_millis(500);
/// How many of git's last lines are reported.
const SAID_LINES: usize = 5;
/// Variables that would make git work somewhere else than it is told.
const MISLEADING_VARIABLES: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_COMMON_DIR",
];

/// The URL for git's command line. A repository on this machine must lie in an allowed place; links are followed before
/// that is decided, and git gets the path without them.
pub(super) fn resolve_url(url: &GitUrl, options: &CheckoutOptions) -> Result<String, CheckoutError> {
    let Some(path) = url.file_path().map(Path::new) else { return Ok(url.expose().to_owned()) };
    let refused = |source| CheckoutError::NotAllowed { url: url.clone(), source };
    let allowed = options.allowed_paths.as_slice();
    if allowed.is_empty() && !options.open_file_urls {
        return Err(refused(EntryPointError::NothingAllowed { path: path.to_owned() }));
    }
    let Ok(real) = std::fs::canonicalize(path) else {
        ensure_allowed(path, path, allowed).map_err(refused)?;
        return Err(refused(EntryPointError::NoSuchPath { path: path.to_owned() }));
    };
    ensure_allowed(path, &real, allowed).map_err(refused)?;
    match real.to_str() {
        // Windows writes real paths in a form that git does not take.
        _ if cfg!(windows) => Ok(url.expose().to_owned()),
        // Git would decode percent forms.
        Some(real) if !real.contains('%') => Ok(format!("file://{real}")),
        _ => Err(refused(EntryPointError::NotAllowed { path: real, allowed: allowed.to_vec() })),
    }
}

/// Git, for one checkout.
pub(super) struct Git<'a> {
    pub(super) checkouts: &'a Checkouts,
    pub(super) request: &'a CheckoutRequest,
    pub(super) cookie: JobCookie,
    /// An empty folder.
    pub(super) hooks: PathBuf,
    pub(super) deadline: Instant,
    pub(super) cancel: &'a CancellationToken,
}

/// How a call of git came to its end.
enum Ending {
    Exited(Exit),
    Cancelled,
    TimedOut,
}

/// What a call of git wrote.
#[derive(Default)]
struct Written {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Git<'_> {
    pub(super) async fn clone(&self, url: &str, target: &Path) -> Result<(), CheckoutError> {
        let mut args: Vec<OsString> =
            ["clone", "--quiet", "--depth", "1", "--single-branch", "--no-recurse-submodules"]
                .into_iter()
                .chain(["--template=", "--origin", "origin"])
                .map(Into::into)
                .collect();
        if let Some(git_ref) = &self.request.git_ref {
            args.extend(["-b".into(), git_ref.as_str().into()]);
        }
        args.extend(["--".into(), url.into(), target.into()]);
        self.run(args).await.map(|_| ())
    }

    /// The commit that is checked out.
    pub(super) async fn head(&self, repository: &Path) -> Result<String, CheckoutError> {
        let args = ["-C".into(), repository.into(), "rev-parse".into(), "--verify".into(), "HEAD".into()];
        let written = self.run(args).await?;
        Ok(String::from_utf8_lossy(&written.stdout).trim().to_owned())
    }

    async fn run(&self, args: impl IntoIterator<Item = OsString>) -> Result<Written, CheckoutError> {
        let (ending, written) = self.watch(&self.spec(args)).await?;
        let said = || last_lines(&written.stderr, self.request.url.expose());
        let url = || self.request.url.clone();
        match ending {
            Ending::Exited(exit) if exit.is_success() => Ok(written),
            Ending::Exited(exit) => {
                Err(CheckoutError::Git { url: url(), git_ref: self.request.git_ref.clone(), exit, said: said() })
            }
            Ending::TimedOut => {
                Err(CheckoutError::TimedOut { url: url(), limit: self.request.time_limit, said: said() })
            }
            Ending::Cancelled => Err(CheckoutError::Cancelled { url: url() }),
        }
    }

    fn spec(&self, args: impl IntoIterator<Item = OsString>) -> LaunchSpec {
        let mut hooks = OsString::from("core.hooksPath=");
        hooks.push(&self.hooks);
        let mut spec = LaunchSpec::new(&self.checkouts.options.git, self.cookie);
        let mut settings: Vec<OsString> = vec![hooks, "protocol.ext.allow=never".into(), "core.fsmonitor=false".into()];
        if cfg!(windows) {
            settings.extend(["core.symlinks=false".into(), "core.longpaths=true".into()]);
        }
        spec.args = settings.into_iter().flat_map(|setting| ["-c".into(), setting]).chain(args).collect();
        spec.set_env("GIT_TERMINAL_PROMPT", "0")
            .set_env("GIT_ASKPASS", "")
            .set_env("GIT_ALLOW_PROTOCOL", protocol(self.request.url.scheme()))
            .set_env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new");
        for name in MISLEADING_VARIABLES {
            spec.remove_env(name);
        }
        spec
    }

    /// Runs git to its end, or kills it with all its helpers at the deadline or when the job is cancelled.
    async fn watch(&self, spec: &LaunchSpec) -> Result<(Ending, Written), CheckoutError> {
        let no_git = |source| CheckoutError::NoGit { url: self.request.url.clone(), source };
        let refused = |source| no_git(SpawnError::Refused { program: spec.program.clone(), source });
        let mut process = self.checkouts.launcher.spawn(spec).map_err(no_git)?;
        let (stdout, stderr) =
            process.take_output().ok_or_else(|| refused(std::io::Error::other("its output is not piped")))?;
        let (sender, receiver) = mpsc::channel(16);
        let (tasks, clock) = (&self.checkouts.tasks, Arc::clone(&self.checkouts.clock));
        let drain = Drain::start(tasks, stdout, stderr, OUTPUT_LIMIT, clock, sender);
        let watching = async {
            let ending = tokio::select! {
                exit = process.wait() => exit.map(Ending::Exited),
                () = self.cancel.cancelled() => Ok(Ending::Cancelled),
                () = sleep_until(self.deadline) => Ok(Ending::TimedOut),
            };
            if matches!(ending, Ok(Ending::Exited(_))) {
                process.sweep(Children::Kill).await;
            } else {
                process.stop(Duration::ZERO).await;
            }
            drain.end(PIPE_PATIENCE).await;
            ending
        };
        let (ending, written) = tokio::join!(watching, collect(receiver));
        Ok((ending.map_err(refused)?, written))
    }
}

fn protocol(scheme: GitScheme) -> &'static str {
    scheme.as_str()
}

async fn collect(mut receiver: mpsc::Receiver<OutputChunk>) -> Written {
    let mut written = Written::default();
    while let Some(chunk) = receiver.recv().await {
        if let OutputContent::Bytes(bytes) = chunk.content {
            match chunk.stream {
                OutputStream::Stdout => written.stdout.extend_from_slice(&bytes),
                OutputStream::Stderr => written.stderr.extend_from_slice(&bytes),
            }
        }
    }
    written
}

/// The last lines of what git wrote, without the credentials of the URL.
fn last_lines(stderr: &[u8], url: &str) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(SAID_LINES)..].join("; ");
    let masked = mask_credentials(&last);
    match url.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@')) {
        Some((user_part, _)) => masked.replace(&format!("{user_part}@"), "***@"),
        None => masked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_show_no_credentials() {
        let url = "https://robot:s3cret@host/a.git";
        let said = b"one\ntwo\rthree\n\nfour\nfive\nfatal: 'https://robot:s3cret@host/a.git' robot:s3cret@host\n";
        assert_eq!(last_lines(said, url), "two; three; four; five; fatal: 'https://***@host/a.git' ***@host");
    }
}
