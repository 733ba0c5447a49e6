//! What the agent tells on its own machine: a file in its folder, written when something changes, for `status`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_core::clock::{Clock as _, SystemClock, Timestamp};
use serde::{Deserialize, Serialize};

use super::run::Inner;

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Activity {
    /// Takes jobs.
    Working,
    /// Was asked to take nothing new.
    Draining,
    /// Was told to end, and waits for its last job.
    Stopping,
}

/// An agent, as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The name that its token is bound to.
    pub worker: String,
    /// Its server's address.
    pub server: String,
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Jobs that it can hold at once.
    pub slots: u32,
    /// Whether it takes only jobs that name it.
    pub exclusive: bool,
    /// Where its robots call.
    pub robots_endpoint: String,
    /// What it does.
    pub activity: Activity,
    /// Whether the server answers.
    pub connected: bool,
    /// The process that ends its robots if it is killed; absent where none runs.
    #[serde(default)]
    pub watchdog: Option<u32>,
    /// When this was written: nothing of it has changed since.
    pub written_at: Timestamp,
}

/// Where the file is, below the agent's folder.
pub(crate) fn file(data: &Path) -> PathBuf {
    data.join("agent.json")
}

/// Writes the file at once, and again whenever something changes, for as long as the agent lives.
pub(super) struct Reporting {
    agent: Arc<Inner>,
    path: PathBuf,
    report: Report,
}

impl Reporting {
    pub(super) fn begin(agent: Arc<Inner>, folder: &Path, worker: &str) -> Self {
        let now = SystemClock.now();
        let report = Report {
            worker: worker.to_owned(),
            server: agent.options.server.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: now,
            slots: agent.options.slots,
            exclusive: agent.options.exclusive,
            robots_endpoint: agent.endpoint_url.clone(),
            activity: Activity::Working,
            connected: true,
            watchdog: *agent.watchdog.borrow(),
            written_at: now,
        };
        let this = Self { agent, path: file(folder), report };
        this.write();
        this
    }

    pub(super) async fn run(mut self) {
        let mut paused = self.agent.paused.subscribe();
        let mut watchdog = self.agent.watchdog.subscribe();
        let mut lost = self.agent.sessions.contact.watch();
        let soft = self.agent.stopping.soft.clone();
        loop {
            let is_stopping = soft.is_cancelled();
            let activity = match (is_stopping, *paused.borrow_and_update()) {
                (true, _) => Activity::Stopping,
                (false, true) => Activity::Draining,
                (false, false) => Activity::Working,
            };
            let connected = !*lost.borrow_and_update();
            let now = (activity, connected, *watchdog.borrow_and_update());
            let report = &mut self.report;
            if now != (report.activity, report.connected, report.watchdog) {
                (report.activity, report.connected, report.watchdog) = now;
                self.report.written_at = SystemClock.now();
                self.write();
            }
            // The senders live as long as the agent.
            tokio::select! {
                _ = paused.changed() => {}
                _ = lost.changed() => {}
                _ = watchdog.changed() => {}
                () = soft.cancelled(), if !is_stopping => {}
            }
        }
    }

    /// A report that cannot be written keeps no robot from running.
    fn write(&self) {
        if let Err(error) = write(&self.path, &self.report) {
            tracing::warn!(%error, file = %self.path.display(), "what the agent does could not be written for `status`");
        }
    }
}

fn write(path: &Path, report: &Report) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    // Such files are readable by their owner alone, and readers see the old one or the new one.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(report)?)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
