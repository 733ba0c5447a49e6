//! How git is called.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::source::mask_credentials;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::remote::Remote;
use super::{CheckoutError, CheckoutRequest, Checkouts};
use crate::output::{Drain, OutputChunk, OutputContent, OutputLimit, OutputStream};
use crate::process::{Children, Exit, LaunchSpec, SpawnError};

/// How much of git's output is looked at.
const OUTPUT_LIMIT: OutputLimit = OutputLimit { head_bytes: 4 * 1024, tail_bytes: 16 * 1024 };
/// How long after git's end its pipes are read, if somebody else still holds them.
const PIPE_PATIENCE: Duration = Duration::from_millis(500);
/// How many of git's last lines are reported.
const SAID_LINES: usize = 5;
/// Variables that would make git work somewhere else than it is told.
const MISLEADING_VARIABLES: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_COMMON_DIR",
    "GIT_SHALLOW_FILE",
];
/// Settings that hold for every call. Nothing runs behind our back: no hooks, no helpers, no clean-up in the background.
const SETTINGS: [&str; 6] = [
    "protocol.ext.allow=never",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
];

/// Git, for one checkout.
pub(super) struct Git<'a> {
    pub(super) checkouts: &'a Checkouts,
    pub(super) request: &'a CheckoutRequest,
    pub(super) remote: &'a Remote,
    /// An empty folder.
    pub(super) hooks: PathBuf,
    pub(super) deadline: Instant,
    pub(super) cancel: &'a CancellationToken,
}

/// What a call of git may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The repository's own server, with the URL's credentials.
    Remote,
    /// This machine's disk.
    Disk,
}

/// The repository that a call of git works on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// None.
    Nowhere,
    /// One without files.
    Bare(&'a Path),
    /// A checkout.
    Tree(&'a Path),
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
    /// Runs git with the arguments, which begin with its verb. Answers with what it wrote to its standard output.
    pub(super) async fn run<A: AsRef<OsStr>>(
        &self,
        place: Place<'_>,
        reach: Reach,
        args: &[A],
    ) -> Result<String, CheckoutError> {
        let (ending, written) = self.watch(&self.spec(place, reach, args)).await?;
        let said = || last_lines(&written.stderr, self.request.url.expose());
        let url = || self.request.url.clone();
        match ending {
            Ending::Exited(exit) if exit.is_success() => Ok(String::from_utf8_lossy(&written.stdout).into_owned()),
            Ending::Exited(exit) => {
                Err(CheckoutError::Git { url: url(), git_ref: self.request.git_ref.clone(), exit, said: said() })
            }
            Ending::TimedOut => {
                Err(CheckoutError::TimedOut { url: url(), limit: self.request.time_limit, said: said() })
            }
            Ending::Cancelled => Err(CheckoutError::Cancelled { url: url() }),
        }
    }

    /// Waits for what another job holds, but not longer than the job has time.
    pub(super) async fn wait_for<T>(&self, other: impl Future<Output = T>) -> Result<T, CheckoutError> {
        let url = || self.request.url.clone();
        tokio::select! {
            outcome = other => Ok(outcome),
            () = self.cancel.cancelled() => Err(CheckoutError::Cancelled { url: url() }),
            () = sleep_until(self.deadline) => Err(CheckoutError::TimedOut {
                url: url(),
                limit: self.request.time_limit,
                said: "another job on this worker is fetching the same repository".to_owned(),
            }),
        }
    }

    fn spec<A: AsRef<OsStr>>(&self, place: Place<'_>, reach: Reach, args: &[A]) -> LaunchSpec {
        let mut hooks = OsString::from("core.hooksPath=");
        hooks.push(&self.hooks);
        let mut spec = LaunchSpec::new(&self.checkouts.options.git, self.request.cookie);
        let mut settings: Vec<OsString> = SETTINGS.into_iter().map(Into::into).chain([hooks]).collect();
        if cfg!(windows) {
            settings.extend(["core.symlinks=false".into(), "core.longpaths=true".into()]);
        }
        spec.args = settings.into_iter().flat_map(|setting| ["-c".into(), setting]).collect();
        match place {
            Place::Nowhere => {}
            Place::Bare(folder) => spec.args.extend(["--git-dir".into(), folder.into()]),
            Place::Tree(folder) => spec.args.extend(["-C".into(), folder.into()]),
        }
        spec.args.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        let protocol = match reach {
            Reach::Remote => self.request.url.scheme().as_str(),
            Reach::Disk => "file",
        };
        spec.set_env("GIT_TERMINAL_PROMPT", "0")
            .set_env("GIT_ASKPASS", "")
            .set_env("GIT_ALLOW_PROTOCOL", protocol)
            // Mirrors are looked into without git.
            .set_env("GIT_DEFAULT_REF_FORMAT", "files")
            .set_env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new");
        for name in MISLEADING_VARIABLES {
            spec.remove_env(name);
        }
        if reach == Reach::Remote {
            spec.env.extend(self.remote.environment().into_iter().map(|(name, value)| (name, Some(value))));
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

/// Settings for git that must not stand on its command line, added to those that the worker's own environment has.
pub(super) fn settings_in_environment(settings: &[(String, String)]) -> BTreeMap<OsString, OsString> {
    let inherited: usize =
        std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.trim().parse().ok()).unwrap_or_default();
    let mut variables = BTreeMap::new();
    for (number, (key, value)) in (inherited..).zip(settings) {
        variables.insert(format!("GIT_CONFIG_KEY_{number}").into(), key.into());
        variables.insert(format!("GIT_CONFIG_VALUE_{number}").into(), value.into());
    }
    variables.insert("GIT_CONFIG_COUNT".into(), (inherited + settings.len()).to_string().into());
    variables
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
