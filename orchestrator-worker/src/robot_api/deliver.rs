//! Delivering what was kept, in order, once the server is back.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::Bytes;
use orchestrator_core::clock::{Clock as _, SystemClock};
use orchestrator_core::id::LogId;
use orchestrator_proto::{convert, v1};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::forward::Forward;
use super::line::Line;
use super::message::Messages;
use super::method::Method;
use super::verdict::{Verdict, verdict};
use crate::agent::said;
use crate::spool::{Damage, Entry, Lost, SpoolFile, Spools};

/// The most bytes of one call that carries many lines.
const BATCH_BYTES: u64 = 1 << 20;
/// The most lines of one call.
const BATCH_LINES: usize = 5000;
/// The longest one try may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the server may fail at a call before it counts as refused.
const MOST_FAILURES: u32 = 10;
/// Between two tries while the worker is not allowed to call at all.
const NOT_ALLOWED: Duration = Duration::from_secs(10);
/// Before the disk is asked again.
const DISK: Duration = Duration::from_secs(5);
/// How often the disk may fail at a file before the agent registers without it.
const MOST_DISK_FAILURES: u32 = 3;

/// Delivers.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) forward: Forward,
    pub(super) messages: Arc<Messages>,
    pub(super) spools: Arc<Spools>,
    /// The agent is stopping: what cannot be delivered for lack of permission is left to its next start.
    pub(super) stopping: CancellationToken,
    /// The agent has not registered yet: if it may not, that is what it has to hear.
    pub(super) is_first: bool,
}

/// What became of a try.
enum Step {
    Done,
    Away(Status),
    NotAllowed(Status),
}

/// What is known of the entry that is tried.
#[derive(Debug, Default)]
struct Trying {
    failures: u32,
    /// A batch was refused: its lines go one by one, to find the one that is meant.
    singly: usize,
}

impl Delivery {
    /// Delivers until nothing waits. One task of each line at a time.
    pub(super) async fn run(self, line: Arc<Line>) {
        let Some(spool) = line.spool.get() else { return };
        loop {
            if !self.until_empty(&line, spool).await {
                line.given_up.cancel();
                return;
            }
            line.end_delivering();
            // Something may have come between the last look and this.
            if spool.is_empty() || !line.begin_delivering() {
                break;
            }
        }
        if spool.is_empty() && line.is_over() {
            spool.remove().await;
        }
    }

    async fn until_empty(&self, line: &Line, spool: &SpoolFile) -> bool {
        let mut trying = Trying::default();
        let mut pauses = pauses();
        let mut is_told = false;
        let mut disk_failures = 0;
        while !spool.is_empty() {
            let pause = match self.step(line, spool, &mut trying).await {
                Ok(Step::Done) => {
                    pauses = self::pauses();
                    continue;
                }
                Ok(Step::Away(status)) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(job.id = %line.job, error = said(&status), "the server is away; what the robot writes is kept on disk");
                    }
                    pauses.next().unwrap_or(DISK)
                }
                Ok(Step::NotAllowed(status)) => {
                    tracing::error!(job.id = %line.job, error = said(&status), "the server does not let this worker deliver what was kept");
                    if self.is_first {
                        return false;
                    }
                    NOT_ALLOWED
                }
                Err(error) => {
                    tracing::error!(job.id = %line.job, file = %spool.path().display(), %error, "a spool file cannot be used");
                    disk_failures += 1;
                    if self.is_first && disk_failures == MOST_DISK_FAILURES {
                        self.give_up(line, spool, &error).await;
                        return false;
                    }
                    DISK
                }
            };
            let is_final = pause == NOT_ALLOWED || pause == DISK;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stopping.cancelled(), if is_final => return false,
            }
        }
        if is_told {
            tracing::info!(job.id = %line.job, "what was kept is delivered");
        }
        true
    }

    /// Other jobs are not kept waiting for one file: it stays as it is, for the next start of the agent.
    async fn give_up(&self, line: &Line, spool: &SpoolFile, error: &io::Error) {
        let (count, file) = (spool.waiting(), spool.path().display());
        tracing::error!(
            job.id = %line.job, count, %file, %error,
            "what the robot of an earlier agent had written is not delivered, and this agent registers without it; see to the disk, its free \
             room and the permissions of the spool folder, and restart the agent, which tries again; or move the file away to give it up"
        );
        let message = format!(
            "{count} calls or remarks of this job, made while the server was away, are not delivered: the worker cannot use what it kept \
             ({error}). They are kept on the worker in '{file}', and tried again when its agent is restarted; what comes after the \
             end of the job may be refused"
        );
        // What cannot be told is in the log.
        let _ = self
            .tell(
                line,
                error_line(&LogId::generate().to_string(), Some(convert::timestamp(SystemClock.now())), message),
            )
            .await;
    }

    async fn step(&self, line: &Line, spool: &SpoolFile, trying: &mut Trying) -> io::Result<Step> {
        if let Some(damage) = spool.damage().await {
            return self.announce_damage(line, spool, &damage).await;
        }
        let mut batch = spool.first(BATCH_BYTES).await?;
        let Some(first) = batch.first() else {
            return match spool.lost().await {
                Some(lost) => self.announce(line, spool, &lost).await,
                None => Ok(Step::Done),
            };
        };
        let Some(method) = Method::named(&first.method) else {
            let entry = batch.swap_remove(0);
            return self.refuse(line, spool, &entry, "this agent does not know the method").await;
        };
        let (count, message) = request(method, &batch, trying.singly > 0);
        batch.truncate(count);
        let Some(last) = batch.last() else { return Ok(Step::Done) };
        let status = match self.forward.call(&line.token, method, message, PATIENCE).await {
            Ok(_) => None,
            // What was to be deleted is not there, which an earlier try may have seen to.
            Err(status) if method == Method::DeleteQueueElement && status.code() == tonic::Code::NotFound => None,
            Err(status) => Some(status),
        };
        let Some(status) = status else {
            trying.failures = 0;
            trying.singly = trying.singly.saturating_sub(1);
            spool.delivered(last.seq).await?;
            return Ok(Step::Done);
        };
        match verdict(&status) {
            Verdict::Away => Ok(Step::Away(status)),
            Verdict::WorkerNotAllowed => Ok(Step::NotAllowed(status)),
            Verdict::JobGone => self.refuse_all(line, spool, &said(&status)).await,
            Verdict::Broken if trying.failures < MOST_FAILURES => {
                trying.failures += 1;
                Ok(Step::Away(status))
            }
            Verdict::Broken | Verdict::Refused if count > 1 => {
                *trying = Trying { failures: 0, singly: count };
                Ok(Step::Done)
            }
            Verdict::Broken | Verdict::Refused => {
                trying.failures = 0;
                trying.singly = trying.singly.saturating_sub(1);
                self.refuse(line, spool, last, &said(&status)).await
            }
        }
    }

    /// Tells on the job that a call was refused which its robot takes for done, and keeps the call for people.
    async fn refuse(&self, line: &Line, spool: &SpoolFile, entry: &Entry, why: &str) -> io::Result<Step> {
        let file = self.keep_refused(line, entry, why)?;
        let message = format!(
            "the server refused what this job wrote while it was away: {}: {why}. The robot was told that it was done; the \
             whole request is kept on the worker in '{file}'",
            entry.method
        );
        if let Some(step) = self.tell(line, error_line(&entry.id, entry.at, message)).await {
            return Ok(step);
        }
        spool.delivered(entry.seq).await?;
        Ok(Step::Done)
    }

    /// The job is over for the server: nothing of it will be taken.
    async fn refuse_all(&self, line: &Line, spool: &SpoolFile, why: &str) -> io::Result<Step> {
        let mut count = 0;
        let mut file = String::new();
        loop {
            let batch = spool.first(BATCH_BYTES).await?;
            let Some(last) = batch.last() else { break };
            for entry in &batch {
                file = self.keep_refused(line, entry, why)?;
            }
            count += batch.len();
            spool.delivered(last.seq).await?;
        }
        let lost = spool.lost().await;
        tracing::error!(
            job.id = %line.job, count, file, lost_lines = lost.as_ref().map_or(0, |lost| lost.count), error = why,
            "the server takes nothing more of a job; what its robot had written is kept in the file"
        );
        if let Some(lost) = lost {
            spool.announced(&lost).await?;
        }
        Ok(Step::Done)
    }

    fn keep_refused(&self, line: &Line, entry: &Entry, why: &str) -> io::Result<String> {
        let refused = self.spools.refused(&line.head);
        let request = Method::named(&entry.method)
            .and_then(|method| self.messages.show_request(method, entry.message.clone()))
            .unwrap_or_default();
        refused.add(&line.head, entry, &request, why)?;
        Ok(refused.path().display().to_string())
    }

    async fn announce(&self, line: &Line, spool: &SpoolFile, lost: &Lost) -> io::Result<Step> {
        let message = format!(
            "{} log lines of this job are missing here: the server was away and the spool of the worker was full",
            lost.count
        );
        if let Some(step) = self.tell(line, error_line(&lost.id, lost.since, message)).await {
            return Ok(step);
        }
        spool.announced(lost).await?;
        Ok(Step::Done)
    }

    async fn announce_damage(&self, line: &Line, spool: &SpoolFile, damage: &Damage) -> io::Result<Step> {
        let count = damage.count;
        let kept = spool.kept_damaged().map_or_else(
            || "The file could not be kept".to_owned(),
            |copy| format!("The file is kept on the worker as '{}'", copy.display()),
        );
        let message = format!(
            "{count} {} of this job, made while the server was away, {} lost: the disk of the worker has damaged what was \
             kept there. The robot was told that all was done; what it wrote before and after is delivered. {kept}",
            if count == 1 { "call" } else { "calls" },
            if count == 1 { "is" } else { "are" },
        );
        if let Some(step) = self.tell(line, error_line(&damage.id, damage.since, message)).await {
            return Ok(step);
        }
        spool.damage_announced().await?;
        Ok(Step::Done)
    }

    /// Writes a line of the worker's own on the job. A step when it has to be tried again.
    async fn tell(&self, line: &Line, new: v1::NewLog) -> Option<Step> {
        let words = new.log_message.clone();
        let request = v1::LogRequest { logs: vec![new] }.encode_to_vec().into();
        let status = self.forward.call(&line.token, Method::Log, request, PATIENCE).await.err()?;
        match verdict(&status) {
            Verdict::Away => Some(Step::Away(status)),
            Verdict::WorkerNotAllowed => Some(Step::NotAllowed(status)),
            Verdict::JobGone | Verdict::Broken | Verdict::Refused => {
                tracing::error!(job.id = %line.job, error = said(&status), words, "this could not be told on the job");
                None
            }
        }
    }
}

/// One call for the first entry, and for the lines of the log behind it. How many entries it carries.
fn request(method: Method, batch: &[Entry], singly: bool) -> (usize, Bytes) {
    let alone = || (1, batch.first().map(|entry| entry.message.clone()).unwrap_or_default());
    if method != Method::Log || singly {
        return alone();
    }
    let mut request = v1::LogRequest::default();
    let mut count = 0;
    for entry in batch.iter().take_while(|entry| entry.method == method.name()) {
        let Ok(message) = v1::LogRequest::decode(entry.message.clone()) else { break };
        if count > 0 && request.logs.len() + message.logs.len() > BATCH_LINES {
            break;
        }
        request.logs.extend(message.logs);
        count += 1;
    }
    if count == 0 { alone() } else { (count, request.encode_to_vec().into()) }
}

fn error_line(id: &str, at: Option<prost_types::Timestamp>, message: String) -> v1::NewLog {
    v1::NewLog { id: id.to_owned(), log_time: at, log_level: "ERROR".to_owned(), log_message: message }
}

/// A server that has just come back is found within a second.
fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_millis(500))
        .with_factor(1.6)
        .with_jitter()
        .without_max_times()
        .build()
}
